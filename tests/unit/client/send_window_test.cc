#include "client/send_window.h"

#include "record/batch.h"
#include "talosmq/error.h"

#include <gtest/gtest.h>

namespace talosmq::client {
namespace {

constexpr int kRecordsPerBatch = 10;

/// A window of batches with ten records each, spoken to by the order in which batches were
/// admitted.
class SendWindowTest : public ::testing::Test {
 protected:
  SendWindowTest() : SendWindowTest({.in_flight_max = 5, .idempotent = true}) {
    window_.BeginIdentity(ProducerId(7), 0);
  }
  explicit SendWindowTest(const SendWindow::Options& options) : window_(options) {}

  static std::unique_ptr<Batch> NewBatch(uint64_t tag) {
    auto batch = std::make_unique<Batch>(record::Codec::kNone, 1024);
    for (int i = 0; i < kRecordsPerBatch; ++i) {
      batch->builder.Append({.timestamp_ms = 1, .value = "value"});
      batch->tags.push_back(tag);
    }
    batch->opened = absl::Seconds(static_cast<int64_t>(tag));
    batch->bytes = *batch->builder.Finish({});
    batch->is_sealed = true;
    return batch;
  }

  /// Batch number `tag` with `opened` = tag seconds.
  void Admit(uint64_t tag) {
    ASSERT_TRUE(window_.HasRoom());
    window_.Admit(NewBatch(tag));
  }

  /// Admits 1..count, all of them sent, with the identity proven by batch 0.
  void SendBatches(uint64_t count) {
    Admit(0);
    Settle(Send(), absl::OkStatus());
    settled_.clear();
    for (uint64_t tag = 1; tag <= count; ++tag) Admit(tag);
    for (uint64_t tag = 1; tag <= count; ++tag) attempts_.push_back(Send());
  }

  uint64_t Send() {
    const uint64_t attempt = BeginSending();
    window_.NoteLeaving(attempt);
    return attempt;
  }
  /// As far as this process: the network has not been given it yet.
  uint64_t BeginSending() {
    const auto attempt = window_.NextAttempt();
    EXPECT_TRUE(attempt.has_value());
    last_sent_ = *record::ParseHeader(attempt->bytes.bytes());
    EXPECT_TRUE(record::VerifyCrc(attempt->bytes.bytes()).ok());
    return attempt->id;
  }
  void Settle(uint64_t attempt, absl::Status status) {
    window_.Settle(attempt, {.status = std::move(status), .base_offset = Offset(0)}, settled_);
  }
  void Refuse(uint64_t attempt, Reason reason) { Settle(attempt, MakeError(reason, "test")); }
  void Lose(uint64_t attempt) {
    window_.Settle(attempt,
                   {.status = MakeError(Reason::kUnavailable, "broken"),
                    .base_offset = Offset(-1),
                    .is_unknown = true},
                   settled_);
  }
  bool SendsNothing() { return !window_.NextAttempt().has_value(); }

  /// "tag:reason" of everything settled since the last call.
  std::vector<std::string> TakeSettled() {
    std::vector<std::string> all;
    for (const SettledBatch& end : settled_) {
      all.push_back(std::to_string(end.batch->tags.front()) + ":" +
                    std::string(ReasonName(ReasonOf(end.status))));
    }
    settled_.clear();
    return all;
  }

  SendWindow window_;
  std::vector<SettledBatch> settled_;
  std::vector<uint64_t> attempts_;
  record::BatchHeader last_sent_;
};

using Settled = std::vector<std::string>;

TEST_F(SendWindowTest, UntilAnIdentityIsKnownItsFirstBatchIsAlone) {
  Admit(1);
  EXPECT_FALSE(window_.HasRoom());
  Settle(Send(), absl::OkStatus());
  for (uint64_t tag = 2; tag <= 6; ++tag) Admit(tag);
  EXPECT_FALSE(window_.HasRoom());
}

// Once only the unsettled ones were counted: a batch whose answer was lost could be overtaken by
// more than the broker remembers, and ended as kMaybeStored though it was stored.
TEST_F(SendWindowTest, ABatchIsOvertakenByFourAtMost) {
  SendBatches(5);
  for (size_t i = 1; i < 5; ++i) Settle(attempts_[i], absl::OkStatus());
  EXPECT_FALSE(window_.HasRoom());
  Settle(attempts_[0], absl::OkStatus());
  EXPECT_TRUE(window_.HasRoom());
}

TEST_F(SendWindowTest, SequencesFollowEachOther) {
  SendBatches(2);
  EXPECT_EQ(last_sent_.base_sequence, 2 * kRecordsPerBatch);
  EXPECT_EQ(last_sent_.producer_id, ProducerId(7));
}

TEST_F(SendWindowTest, SequencesWrapToZero) {
  EXPECT_EQ(AdvanceSequence(2147483647, 1), 0);
  EXPECT_EQ(AdvanceSequence(2147483640, 10), 2);
}

TEST_F(SendWindowTest, ARefusedBatchIsSentAgainFirstAndUnchanged) {
  SendBatches(3);
  Refuse(attempts_[0], Reason::kOverloaded);
  EXPECT_TRUE(SendsNothing()) << "answers are still to come";
  // The later ones met a gap: an echo, not an error of theirs.
  Refuse(attempts_[1], Reason::kOutOfOrderSequence);
  Refuse(attempts_[2], Reason::kOutOfOrderSequence);
  for (int batch = 1; batch <= 3; ++batch) {
    Send();
    EXPECT_EQ(last_sent_.base_sequence, batch * kRecordsPerBatch);
  }
  EXPECT_EQ(TakeSettled(), Settled{});
}

TEST_F(SendWindowTest, TheEchoMayComeBeforeTheRefusal) {
  SendBatches(2);
  Refuse(attempts_[1], Reason::kOutOfOrderSequence);
  Refuse(attempts_[0], Reason::kOverloaded);
  Send();
  EXPECT_EQ(last_sent_.base_sequence, kRecordsPerBatch);
  EXPECT_EQ(TakeSettled(), Settled{});
}

TEST_F(SendWindowTest, NothingNewGoesOutWhileItRewinds) {
  SendBatches(2);
  Refuse(attempts_[0], Reason::kNotLeader);
  EXPECT_FALSE(window_.HasRoom());
}

TEST_F(SendWindowTest, LostOutcomesAreSentAgainInOrder) {
  SendBatches(3);
  for (const uint64_t attempt : attempts_) Lose(attempt);
  for (int batch = 1; batch <= 3; ++batch) {
    Settle(Send(), absl::OkStatus());
    EXPECT_EQ(last_sent_.base_sequence, batch * kRecordsPerBatch);
  }
  EXPECT_EQ(TakeSettled(), (Settled{"1:None", "2:None", "3:None"}));
}

TEST_F(SendWindowTest, ABatchRefusedForGoodBreaksTheChainAndSparesTheOthers) {
  SendBatches(3);
  Refuse(attempts_[1], Reason::kOutOfOrderSequence);
  Refuse(attempts_[0], Reason::kInvalidRecord);
  EXPECT_TRUE(window_.HandBack().empty()) << "batch 3 has no answer yet";
  Refuse(attempts_[2], Reason::kOutOfOrderSequence);
  EXPECT_EQ(TakeSettled(), (Settled{"1:InvalidRecord"}));

  auto batches = window_.HandBack();
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0]->tags.front(), 3u) << "the last one first";
  EXPECT_TRUE(window_.NeedsIdentity());
  window_.BeginIdentity(ProducerId(8), 0);
  window_.Admit(std::move(batches[1]));
  Send();
  EXPECT_EQ(last_sent_.producer_id, ProducerId(8));
  EXPECT_EQ(last_sent_.base_sequence, 0);
}

TEST_F(SendWindowTest, ASequenceErrorOfTheFirstIsReportedAsItIs) {
  SendBatches(1);
  Refuse(attempts_[0], Reason::kOutOfOrderSequence);
  EXPECT_EQ(TakeSettled(), (Settled{"1:OutOfOrderSequence"}));
  EXPECT_TRUE(window_.NeedsIdentity());
}

TEST_F(SendWindowTest, ASequenceErrorAfterALostOutcomeSettlesAsMaybeStored) {
  SendBatches(1);
  Lose(attempts_[0]);
  Refuse(Send(), Reason::kInvalidProducerEpoch);
  EXPECT_EQ(TakeSettled(), (Settled{"1:MaybeStored"}));
}

TEST_F(SendWindowTest, ABatchThatWasNeverAnsweredTimesOutAsMaybeStored) {
  SendBatches(2);
  window_.Expire(absl::Seconds(1), settled_);
  EXPECT_EQ(TakeSettled(), (Settled{"1:MaybeStored"}));
  // Stored after all: the chain goes on, and nothing is reported twice.
  Settle(attempts_[0], absl::OkStatus());
  Settle(attempts_[1], absl::OkStatus());
  EXPECT_EQ(TakeSettled(), (Settled{"2:None"}));
  EXPECT_TRUE(window_.HasRoom());
}

TEST_F(SendWindowTest, ATimedOutBatchThatWasRefusedBreaksTheChain) {
  SendBatches(2);
  window_.Expire(absl::Seconds(1), settled_);
  Refuse(attempts_[0], Reason::kOverloaded);
  Refuse(attempts_[1], Reason::kOutOfOrderSequence);
  EXPECT_EQ(TakeSettled(), (Settled{"1:MaybeStored"}));
  EXPECT_EQ(window_.HandBack().size(), 1u);
  EXPECT_TRUE(window_.NeedsIdentity());
}

TEST_F(SendWindowTest, WhatMayBeStoredIsResolvedUnderTheOldIdentityFirst) {
  SendBatches(3);
  for (const uint64_t attempt : attempts_) Lose(attempt);
  window_.Expire(absl::Seconds(1), settled_);
  EXPECT_EQ(TakeSettled(), (Settled{"1:MaybeStored"}));
  EXPECT_TRUE(window_.HandBack().empty());
  EXPECT_FALSE(window_.NeedsIdentity());
  Settle(Send(), absl::OkStatus());
  EXPECT_EQ(last_sent_.base_sequence, 2 * kRecordsPerBatch);
  Refuse(Send(), Reason::kOutOfOrderSequence);
  EXPECT_EQ(TakeSettled(), (Settled{"2:None", "3:MaybeStored"}));
  EXPECT_TRUE(window_.NeedsIdentity());
}

TEST_F(SendWindowTest, ABatchThatWasOnlyRefusedTimesOutAsNotStored) {
  SendBatches(1);
  Refuse(attempts_[0], Reason::kOverloaded);
  window_.Expire(absl::Seconds(1), settled_);
  EXPECT_EQ(TakeSettled(), (Settled{"1:DeadlineExceeded"}));
}

TEST_F(SendWindowTest, ABatchThatNeverLeftTimesOutAsNotStored) {
  SendBatches(0);
  Admit(1);
  const uint64_t attempt = BeginSending();
  window_.Expire(absl::Seconds(1), settled_);
  EXPECT_EQ(TakeSettled(), (Settled{"1:DeadlineExceeded"}));
  Refuse(attempt, Reason::kDeadlineExceeded);
  EXPECT_EQ(TakeSettled(), Settled{});
  EXPECT_TRUE(window_.NeedsIdentity());
}

TEST_F(SendWindowTest, ABatchThatLeftOnceTimesOutAsMaybeStoredWhereverItIsNow) {
  SendBatches(1);
  Lose(attempts_[0]);
  BeginSending();
  window_.Expire(absl::Seconds(1), settled_);
  EXPECT_EQ(TakeSettled(), (Settled{"1:MaybeStored"}));
}

TEST_F(SendWindowTest, ARefusalForGoodAfterALostOutcomeSettlesAsMaybeStored) {
  SendBatches(1);
  Lose(attempts_[0]);
  Refuse(Send(), Reason::kCorruptBatch);
  EXPECT_EQ(TakeSettled(), (Settled{"1:MaybeStored"}));
}

TEST_F(SendWindowTest, FailAllSettlesEachOnceAndIgnoresLateAnswers) {
  SendBatches(2);
  window_.FailAll(MakeError(Reason::kUnknownTopicId, "gone"), settled_);
  Settle(attempts_[0], absl::OkStatus());
  EXPECT_EQ(TakeSettled(), (Settled{"1:UnknownTopicId", "2:UnknownTopicId"}));
}

TEST_F(SendWindowTest, AStampedBatchIsCopiedBeforeItIsStampedAnew) {
  auto batch = NewBatch(1);
  const base::Buffer held_by_a_call = batch->bytes;
  window_.Admit(std::move(batch));
  Send();
  EXPECT_EQ(last_sent_.producer_id, ProducerId(7));
  EXPECT_EQ(record::ParseHeader(held_by_a_call.bytes())->producer_id, kNoProducer);
}

class PlainSendWindowTest : public SendWindowTest {
 protected:
  PlainSendWindowTest() : SendWindowTest({.in_flight_max = 5, .idempotent = false}) {}
};

TEST_F(PlainSendWindowTest, WithoutIdempotenceALostOutcomeIsNotSentAgain) {
  SendBatches(2);
  Lose(attempts_[0]);
  Refuse(attempts_[1], Reason::kOverloaded);
  EXPECT_EQ(TakeSettled(), (Settled{"1:MaybeStored"}));
  Settle(Send(), absl::OkStatus());
  EXPECT_EQ(last_sent_.producer_id, kNoProducer);
  EXPECT_EQ(TakeSettled(), (Settled{"2:None"}));
  EXPECT_FALSE(window_.NeedsIdentity());
}

class RepeatingSendWindowTest : public SendWindowTest {
 protected:
  RepeatingSendWindowTest()
      : SendWindowTest({.in_flight_max = 5,
                        .idempotent = false,
                        .without_idempotence = SendWindow::UnknownOutcome::kIsSentAgain}) {}
};

TEST_F(RepeatingSendWindowTest, ALostOutcomeIsSentAgainWhenAskedFor) {
  SendBatches(1);
  Lose(attempts_[0]);
  Settle(Send(), absl::OkStatus());
  EXPECT_EQ(TakeSettled(), (Settled{"1:None"}));
}

TEST_F(RepeatingSendWindowTest, WhatWasSentAgainInVainMayBeStored) {
  SendBatches(1);
  Lose(attempts_[0]);
  Refuse(Send(), Reason::kOverloaded);
  window_.Expire(absl::Seconds(1), settled_);
  EXPECT_EQ(TakeSettled(), (Settled{"1:MaybeStored"}));
}

TEST_F(PlainSendWindowTest, WithoutIdempotenceATimeOutHoldsItsPlaceUntilTheAnswer) {
  SendBatches(5);
  window_.Expire(absl::Seconds(1), settled_);
  EXPECT_EQ(TakeSettled(), (Settled{"1:MaybeStored"}));
  EXPECT_FALSE(window_.HasRoom());
  Settle(attempts_[0], absl::OkStatus());
  EXPECT_TRUE(window_.HasRoom());
}

}  // namespace
}  // namespace talosmq::client
