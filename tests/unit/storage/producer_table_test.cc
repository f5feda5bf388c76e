// What may follow what, for one idempotent producer of one log.

#include "storage/producer_table.h"

#include "talosmq/error.h"

#include "gtest/gtest.h"

#include <limits>

namespace talosmq::storage {
namespace {

constexpr int32_t kSequenceMax = std::numeric_limits<int32_t>::max();

/// A batch of producer 1.
record::BatchHeader Batch(int32_t sequence, int32_t count, int16_t epoch = 0) {
  record::BatchHeader header;
  header.max_timestamp_ms = 1;  // Of the year 1970: what clients say plays no part.
  header.producer_id = ProducerId(1);
  header.producer_epoch = epoch;
  header.base_sequence = sequence;
  header.last_offset_delta = count - 1;
  header.count = count;
  return header;
}

class ProducerTableTest : public testing::Test {
 protected:
  void Add(record::BatchHeader batch) {
    batch.base_offset = next_;
    table_.Add(batch, now_);
    next_ = batch.end_offset();
  }
  Reason ReasonFor(const record::BatchHeader& batch) const {
    return ReasonOf(table_.Check(batch).status());
  }
  bool IsNew(const record::BatchHeader& batch) const {
    const auto checked = table_.Check(batch);
    return checked.ok() && !checked->has_value();
  }

  ProducerTable table_;
  Offset next_{100};
  absl::Duration now_ = absl::Hours(1000);
};

TEST_F(ProducerTableTest, GapsAndStepsBackAreRefused) {
  Add(Batch(0, 3));
  EXPECT_EQ(ReasonFor(Batch(4, 1)), Reason::kOutOfOrderSequence);
  EXPECT_EQ(ReasonFor(Batch(2, 1)), Reason::kOutOfOrderSequence);
  EXPECT_EQ(ReasonFor(Batch(0, 2)), Reason::kOutOfOrderSequence) << "only part of a batch";
  EXPECT_TRUE(IsNew(Batch(3, 1)));
}

TEST_F(ProducerTableTest, LowerEpochIsRefused) {
  Add(Batch(0, 1, 5));
  EXPECT_EQ(ReasonFor(Batch(1, 1, 4)), Reason::kInvalidProducerEpoch);
  EXPECT_EQ(ReasonFor(Batch(0, 1, 4)), Reason::kInvalidProducerEpoch);
}

TEST_F(ProducerTableTest, HigherEpochBeginsAtZero) {
  Add(Batch(0, 1, 5));
  EXPECT_EQ(ReasonFor(Batch(1, 1, 6)), Reason::kOutOfOrderSequence);
  EXPECT_TRUE(IsNew(Batch(0, 1, 6)));
  Add(Batch(0, 1, 6));
  EXPECT_EQ(ReasonFor(Batch(0, 1, 5)), Reason::kInvalidProducerEpoch)
      << "the window is the epoch's";
}

TEST_F(ProducerTableTest, SixthLastBatchIsNoDuplicateAnyMore) {
  for (int i = 0; i < 6; ++i) Add(Batch(i, 1));
  EXPECT_EQ(ReasonFor(Batch(0, 1)), Reason::kOutOfOrderSequence);
  for (int i = 1; i < 6; ++i) {
    const auto original = table_.Check(Batch(i, 1));
    ASSERT_TRUE(original.ok());
    ASSERT_TRUE(original->has_value()) << i;
    EXPECT_EQ((*original)->first_offset, Offset(100 + i));
    EXPECT_EQ((*original)->last_offset, Offset(100 + i));
  }
}

TEST_F(ProducerTableTest, SequencesWrapToZero) {
  Add(Batch(kSequenceMax - 1, 2));
  EXPECT_TRUE(IsNew(Batch(0, 1)));
  EXPECT_EQ(ReasonFor(Batch(1, 1)), Reason::kOutOfOrderSequence);
}

TEST_F(ProducerTableTest, BatchMayWrapInside) {
  Add(Batch(kSequenceMax, 3));
  EXPECT_TRUE(IsNew(Batch(2, 1)));
  const auto original = table_.Check(Batch(kSequenceMax, 3));
  ASSERT_TRUE(original.ok());
  EXPECT_TRUE(original->has_value());
}

TEST_F(ProducerTableTest, UnknownProducerMayBeginAnywhere) { EXPECT_TRUE(IsNew(Batch(77, 1, 3))); }

TEST_F(ProducerTableTest, BatchWithoutProducerIsAlwaysNewAndLeavesNothing) {
  record::BatchHeader plain = Batch(-1, 1, -1);
  plain.producer_id = kNoProducer;
  EXPECT_TRUE(IsNew(plain));
  Add(plain);
  EXPECT_EQ(table_.size(), 0U);
}

TEST_F(ProducerTableTest, TheOneThatAppendedLongestAgoMakesRoom) {
  for (size_t i = 0; i <= ProducerTable::kProducersMax; ++i) {
    record::BatchHeader batch = Batch(10, 1);
    batch.producer_id = ProducerId(static_cast<int64_t>(i));
    Add(batch);
    record::BatchHeader first = Batch(10 + static_cast<int32_t>(i) + 1, 1);
    first.producer_id = ProducerId(0);
    Add(first);  // Producer 0 goes on and on.
  }
  EXPECT_EQ(table_.size(), ProducerTable::kProducersMax);
  record::BatchHeader forgotten = Batch(500, 1);
  forgotten.producer_id = ProducerId(1);
  EXPECT_TRUE(IsNew(forgotten));
  record::BatchHeader known = Batch(500'000, 1);
  known.producer_id = ProducerId(0);
  EXPECT_EQ(ReasonFor(known), Reason::kOutOfOrderSequence);
}

TEST_F(ProducerTableTest, SilentProducerIsForgottenOnlyOnceItsTimeHasPassed) {
  Add(Batch(10, 1));
  now_ += absl::Hours(24);
  table_.ForgetSilent(absl::Hours(24), now_);
  EXPECT_EQ(ReasonFor(Batch(77, 1)), Reason::kOutOfOrderSequence);
  now_ += absl::Milliseconds(1);
  table_.ForgetSilent(absl::Hours(24), now_);
  EXPECT_TRUE(IsNew(Batch(77, 1)));
  EXPECT_TRUE(IsNew(Batch(10, 1))) << "not taken for a repetition any more";
  EXPECT_EQ(table_.size(), 0U);
}

TEST_F(ProducerTableTest, EveryAppendBeginsItsTimeAnew) {
  Add(Batch(0, 1));
  record::BatchHeader other = Batch(0, 1);
  other.producer_id = ProducerId(2);
  Add(other);
  now_ += absl::Hours(20);
  Add(Batch(1, 1));
  now_ += absl::Hours(20);
  table_.ForgetSilent(absl::Hours(24), now_);
  EXPECT_EQ(ReasonFor(Batch(77, 1)), Reason::kOutOfOrderSequence);
  other.base_sequence = 77;
  EXPECT_TRUE(IsNew(other));
}

TEST_F(ProducerTableTest, SilenceGoesOnAfterARestoreByAnotherClock) {
  Add(Batch(0, 1));
  const auto states = table_.States(now_ + absl::Hours(20));
  ProducerTable restored;
  const absl::Duration rebooted = absl::Seconds(5);
  restored.Restore(states, rebooted);
  restored.ForgetSilent(absl::Hours(24), rebooted + absl::Hours(4));
  EXPECT_EQ(restored.size(), 1U);
  restored.ForgetSilent(absl::Hours(24), rebooted + absl::Hours(4) + absl::Milliseconds(1));
  EXPECT_EQ(restored.size(), 0U);
}

TEST_F(ProducerTableTest, RestoredTableGoesOnAsTheOldOne) {
  for (int i = 0; i < 7; ++i) Add(Batch(i, 1));
  ProducerTable restored;
  restored.Restore(table_.States(now_), now_);
  EXPECT_EQ(restored.States(now_), table_.States(now_));
  EXPECT_TRUE(restored.Check(Batch(6, 1))->has_value());
}

}  // namespace
}  // namespace talosmq::storage
