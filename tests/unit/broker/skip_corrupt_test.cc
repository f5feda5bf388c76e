// Damage in a partition: what readers are told, what an operator decides, what health shows.

#include "io/file_system.h"
#include "storage/log_folder.h"
#include "storage/segment.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/broker/broker_harness.h"

#include <array>
#include <string>
#include <vector>

namespace talosmq::broker {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr size_t kValueBytes = 5'000;  // More than a run's smallest size.
constexpr size_t kBatchBytes = kValueBytes + 100;

class SkipCorruptTest : public ::testing::Test {
 protected:
  void SetUp() override {
    harness_.Start();
    source_ = {.topic_id = harness_.CreateTopic("orders", 1), .partition = PartitionId(0)};
    Append(8);
  }

  void Append(int count) {
    for (int i = 0; i < count; ++i) {
      harness_.AppendNow(source_, {.values = {std::string(kValueBytes, 'v')}});
    }
  }
  void Restart() {
    harness_.Stop();
    harness_.Start();
  }
  /// Flips a bit inside the batch at `offset`, all batches being of one size, and restarts.
  void Damage(int64_t offset) {
    harness_.Stop();
    const std::string path = storage::LogDirectory("data", source_) + "/" +
                             storage::OffsetFileName(Offset(0), storage::kSegmentSuffix);
    const auto file = harness_.disk().Open(path, io::OpenMode::kReadWrite);
    ASSERT_TRUE(file.ok()) << file.status();
    std::array<std::byte, kBatchBytes> first;
    ASSERT_EQ(*(*file)->Read(0, first), first.size());
    const size_t batch_bytes = record::ParseHeader(first)->size();
    const uint64_t position = static_cast<uint64_t>(offset) * batch_bytes + 100;
    std::array<std::byte, 1> byte;
    ASSERT_EQ(*(*file)->Read(position, byte), 1U);
    byte[0] ^= std::byte{1};
    const std::array<base::ByteSpan, 1> pieces = {byte};
    ASSERT_TRUE((*file)->Write(position, pieces).ok());
    ASSERT_TRUE((*file)->Sync().ok());
    harness_.Start();
  }
  FetchOutcome Fetch(int64_t offset) {
    const auto answer = harness_.Fetch(source_, offset);
    harness_.Run();
    EXPECT_EQ(answer->calls, 1);
    return answer->value;
  }
  absl::StatusOr<CorruptRange> Skip(int64_t to, const std::string& topic = "orders",
                                    int32_t partition = 0) {
    auto answer = std::make_shared<Answer<absl::StatusOr<CorruptRange>>>();
    harness_.broker().topics().SkipCorrupt(topic, PartitionId(partition), Offset(to),
                                           absl::InfiniteDuration(), WriteDown(answer));
    harness_.Run();
    EXPECT_EQ(answer->calls, 1);
    return answer->value;
  }
  static std::vector<std::string> Words(const std::vector<HealthProblem>& problems) {
    std::vector<std::string> words;
    for (const HealthProblem& problem : problems) {
      words.push_back(problem.object + ": " + problem.problem);
    }
    return words;
  }

  BrokerHarness harness_;
  TopicPartition source_;
};

TEST_F(SkipCorruptTest, FetchInDamageIsRefusedWithItsRangeAndTheRestIsServed) {
  Damage(3);
  const FetchOutcome refused = Fetch(3);
  EXPECT_EQ(CorruptRangeOf(refused.status), (CorruptRange{Offset(3), Offset(4)}));
  EXPECT_EQ(Fetch(0).next_offset, Offset(3));
  EXPECT_EQ(Fetch(4).next_offset, Offset(8));
}

TEST_F(SkipCorruptTest, HealthNamesEachRangeThatWasMetAndHowToGoOn) {
  Damage(3);
  Damage(6);
  EXPECT_THAT(harness_.CheckHealthNow().problems, IsEmpty()) << "nobody has read it yet";
  Fetch(3);
  Fetch(6);
  Fetch(6);
  EXPECT_THAT(Words(harness_.CheckHealthNow().problems),
              ElementsAre(AllOf(HasSubstr("partition orders/0: "), HasSubstr(".log: damaged at"),
                                HasSubstr("offsets 3 to 3 cannot be read"),
                                HasSubstr("`talosmq partition skip-corrupt orders 0 --to 4`")),
                          AllOf(HasSubstr("offsets 6 to 6 cannot be read"),
                                HasSubstr("`talosmq partition skip-corrupt orders 0 --to 7`"))));
}

TEST_F(SkipCorruptTest, HealthOfMuchDamageTellsTheFirstRangesAndHowManyMore) {
  Append(20);
  const auto ranges = static_cast<int64_t>(kRangesToldMax) + 2;
  for (int64_t i = 0; i < ranges; ++i) Damage(2 * i);
  for (int64_t i = 0; i < ranges; ++i) Fetch(2 * i);
  std::vector<std::string> problems = Words(harness_.CheckHealthNow().problems);
  ASSERT_EQ(problems.size(), kRangesToldMax + 1);
  EXPECT_THAT(problems, testing::Contains(HasSubstr("2 more damaged ranges, from offset 20 on")));
  for (int64_t i = 0; i < ranges; ++i) EXPECT_TRUE(Skip(2 * i + 1).ok());
  EXPECT_THAT(harness_.CheckHealthNow().problems, IsEmpty());
  EXPECT_THAT(Words(harness_.CheckHealthNow().warnings),
              ElementsAre(AllOf(HasSubstr("offsets 0 to 0, 2 to 2, "),
                                HasSubstr("18 to 18 and 2 more ranges"))));
}

TEST_F(SkipCorruptTest, DecisionMovesEverybodyOnAndSurvivesARestart) {
  Damage(3);
  Fetch(3);
  EXPECT_EQ(*Skip(4), (CorruptRange{Offset(3), Offset(4)}));
  EXPECT_EQ(Fetch(3).next_offset, Offset(8));
  Restart();
  const FetchOutcome moved = Fetch(3);
  ASSERT_TRUE(moved.status.ok()) << moved.status;
  EXPECT_EQ(RecordsIn(moved.chunks, Offset(0)).front().offset, Offset(4));
  const HealthReport health = harness_.CheckHealthNow();
  EXPECT_THAT(health.problems, IsEmpty());
  EXPECT_THAT(Words(health.warnings),
              ElementsAre(AllOf(HasSubstr("partition orders/0"), HasSubstr("offsets 3 to 3"))));
}

TEST_F(SkipCorruptTest, DecisionNeedsNobodyToHaveMetTheDamage) {
  Damage(3);
  EXPECT_EQ(*Skip(4), (CorruptRange{Offset(3), Offset(4)}));
  EXPECT_TRUE(Fetch(3).status.ok());
}

TEST_F(SkipCorruptTest, DecisionMayGoBeyondTheDamage) {
  Damage(3);
  Fetch(3);
  EXPECT_EQ(*Skip(6), (CorruptRange{Offset(3), Offset(6)}));
  for (const int64_t offset : {3, 4, 5}) {
    EXPECT_EQ(RecordsIn(Fetch(offset).chunks, Offset(0)).front().offset, Offset(6)) << offset;
  }
}

TEST_F(SkipCorruptTest, DecisionIsAboutTheNearestDamageOnly) {
  Damage(2);
  Damage(6);
  Fetch(2);
  Fetch(6);
  EXPECT_EQ(*Skip(7), (CorruptRange{Offset(6), Offset(7)}));
  EXPECT_FALSE(Fetch(2).status.ok());
  EXPECT_THAT(Words(harness_.CheckHealthNow().problems),
              ElementsAre(HasSubstr("offsets 2 to 2 cannot be read")));
}

TEST_F(SkipCorruptTest, DecisionTwiceIsTheSameDecision) {
  Damage(3);
  EXPECT_TRUE(Skip(4).ok());
  EXPECT_EQ(*Skip(4), (CorruptRange{Offset(3), Offset(4)}));
  EXPECT_EQ(harness_.CheckHealthNow().warnings.size(), 1U);
}

TEST_F(SkipCorruptTest, ReaderIsToldAtTheEndOfTheLogThatItWasMovedOn) {
  Damage(7);
  EXPECT_EQ(*Skip(8), (CorruptRange{Offset(7), Offset(8)}));
  const auto waiting = harness_.Fetch(source_, 7, absl::Seconds(30));
  harness_.Run();
  ASSERT_EQ(waiting->calls, 1) << "it does not wait for the next record";
  EXPECT_TRUE(waiting->value.status.ok()) << waiting->value.status;
  EXPECT_THAT(waiting->value.chunks, IsEmpty());
  EXPECT_EQ(waiting->value.next_offset, Offset(8));
  Append(1);
  EXPECT_EQ(Fetch(7).next_offset, Offset(9));
}

TEST_F(SkipCorruptTest, LeadingThePartitionLaterKeepsTheDecision) {
  Damage(3);
  ASSERT_TRUE(Skip(4).ok());
  Append(1);
  Restart();
  Append(1);
  EXPECT_TRUE(Fetch(3).status.ok());
}

TEST_F(SkipCorruptTest, OffsetsWithoutDamageBelowThemAreRefused) {
  for (const int64_t to : {0, 4, 8}) {
    const auto decided = Skip(to);
    EXPECT_EQ(ReasonOf(decided.status()), Reason::kInvalidArgument) << to;
    EXPECT_THAT(std::string(decided.status().message()), HasSubstr("nothing damaged is known"));
  }
  EXPECT_THAT(harness_.CheckHealthNow().warnings, IsEmpty());
}

TEST_F(SkipCorruptTest, OffsetInsideOfTheDamageIsRefusedAndTheRightOneNamed) {
  Damage(3);
  Damage(4);
  Fetch(3);
  const auto decided = Skip(4);
  EXPECT_EQ(ReasonOf(decided.status()), Reason::kInvalidArgument);
  EXPECT_THAT(std::string(decided.status().message()),
              AllOf(HasSubstr("expected an offset from 5 on"), HasSubstr("found 4")));
  EXPECT_FALSE(Fetch(3).status.ok());
}

TEST_F(SkipCorruptTest, OffsetOutsideOfTheLogIsRefused) {
  Damage(7);
  for (const int64_t to : {-1, 9}) {
    EXPECT_EQ(ReasonOf(Skip(to).status()), Reason::kOffsetOutOfRange) << to;
  }
}

TEST_F(SkipCorruptTest, WhatDoesNotExistIsRefused) {
  EXPECT_EQ(ReasonOf(Skip(4, "nothing").status()), Reason::kUnknownTopic);
  EXPECT_EQ(ReasonOf(Skip(4, "orders", 1).status()), Reason::kUnknownPartition);
  EXPECT_EQ(ReasonOf(Skip(4, "orders", -1).status()), Reason::kUnknownPartition);
}

}  // namespace
}  // namespace talosmq::broker
