// Records that go before their topic does: by DeleteRecords and by retention.

#include "base/text.h"
#include "broker/cleanup_sweep.h"
#include "broker/sweep_clock.h"
#include "storage/segment.h"
#include "talosmq/error.h"

#include "broker_harness.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <string>
#include <vector>

namespace talosmq::broker {
namespace {

constexpr absl::Duration kYear = absl::Hours(24 * 365);

class DeletionTest : public testing::Test {
 protected:
  void SetUp() override { harness_.Start(); }

  TopicPartition Create(const std::string& name, std::map<std::string, std::string> configs = {}) {
    configs.emplace("segment.bytes", "1048576");
    configs.emplace("max.message.bytes", "1048576");
    return {.topic_id = harness_.CreateTopic(name, 1, std::move(configs)),
            .partition = PartitionId(0)};
  }

  /// Each in a segment of its own.
  void AppendLarge(const TopicPartition& target, int count) {
    for (int i = 0; i < count; ++i) {
      harness_.AppendNow(target, {.values = {std::string(600'000, 'v')}});
    }
  }

  DeletionOutcome Delete(const TopicPartition& target, std::optional<Offset> before) {
    const auto answer = std::make_shared<Answer<DeletionOutcome>>();
    harness_.broker().messages().DeleteRecords({.target = target, .before = before},
                                               WriteDown<DeletionOutcome>(answer));
    harness_.Run();
    EXPECT_EQ(answer->calls, 1);
    return answer->value;
  }

  Offset StartOf(const TopicPartition& source) {
    const auto start = harness_.FindOffset(source, FromStart{});
    harness_.Run();
    return start->value.offset;
  }

  /// One sweep.
  void Sweep() {
    harness_.Advance(harness_.options().cleanup_interval);
    harness_.Run();
  }

  void SweepFor(absl::Duration time) {
    for (absl::Duration swept; swept < time; swept += harness_.options().cleanup_interval) Sweep();
  }

  BrokerHarness harness_;
};

TEST_F(DeletionTest, RecordsBelowAnOffsetGoAndTheRestIsServed) {
  const TopicPartition log = Create("orders");
  harness_.AppendNow(log, {.values = {"a"}});
  harness_.AppendNow(log, {.values = {"b", "c"}});
  const DeletionOutcome deleted = Delete(log, Offset(2));
  ASSERT_TRUE(deleted.status.ok()) << deleted.status;
  EXPECT_EQ(deleted.log_start, Offset(2));
  const auto below = harness_.Fetch(log, 1);
  harness_.Run();
  EXPECT_EQ(ReasonOf(below->value.status), Reason::kOffsetOutOfRange);
  EXPECT_EQ(below->value.log_start, Offset(2));
  const FetchOutcome fetched = harness_.FetchNow(log, 2);
  EXPECT_EQ(RecordsIn(fetched.chunks, Offset(2)).front().value, "c");
  harness_.CutPower(support::PowerCut::DropUnsynced());
  harness_.Start();
  EXPECT_EQ(StartOf(log), Offset(2));
}

TEST_F(DeletionTest, WithoutAnOffsetEverythingCommittedGoes) {
  const TopicPartition log = Create("orders");
  harness_.AppendNow(log, {.values = {"a", "b"}});
  EXPECT_EQ(Delete(log, std::nullopt).log_start, Offset(2));
  EXPECT_EQ(StartOf(log), Offset(2));
  EXPECT_EQ(harness_.AppendNow(log, {.values = {"c"}}).base_offset, Offset(2));
}

TEST_F(DeletionTest, BeyondTheHighWatermarkIsRefusedAndChangesNothing) {
  const TopicPartition log = Create("orders");
  harness_.AppendNow(log, {.values = {"a"}});
  for (const int64_t before : {2, -1}) {
    const DeletionOutcome refused = Delete(log, Offset(before));
    EXPECT_EQ(ReasonOf(refused.status), Reason::kOffsetOutOfRange);
  }
  EXPECT_EQ(StartOf(log), Offset(0));
}

TEST_F(DeletionTest, UnknownPartitionIsRefused) {
  EXPECT_EQ(
      ReasonOf(Delete({.topic_id = TopicId({1, 2, 3}), .partition = PartitionId(0)}, std::nullopt)
                   .status),
      Reason::kUnknownTopicId);
}

TEST_F(DeletionTest, BelowTheStartAnswersWithTheStart) {
  const TopicPartition log = Create("orders");
  harness_.AppendNow(log, {.values = {"a", "b"}});
  ASSERT_TRUE(Delete(log, Offset(1)).status.ok());
  const DeletionOutcome again = Delete(log, Offset(0));
  EXPECT_TRUE(again.status.ok()) << again.status;
  EXPECT_EQ(again.log_start, Offset(1));
}

TEST_F(DeletionTest, SweepLetsGoBySize) {
  const TopicPartition log = Create("orders", {{"retention.bytes", "1500000"}});
  AppendLarge(log, 5);
  EXPECT_EQ(StartOf(log), Offset(0));
  Sweep();
  EXPECT_EQ(StartOf(log), Offset(2));
  AppendLarge(log, 1);
  Sweep();
  EXPECT_EQ(StartOf(log), Offset(3));
}

TEST_F(DeletionTest, SweepObeysASettingThatHasChanged) {
  const TopicPartition log = Create("orders");
  AppendLarge(log, 3);
  Sweep();
  EXPECT_EQ(StartOf(log), Offset(0));
  const auto altered = std::make_shared<Answer<absl::Status>>();
  harness_.broker().topics().Alter(
      {.name = "orders", .set = {{"retention.bytes", "0"}}, .unset = {}}, absl::InfiniteDuration(),
      WriteDown<absl::Status>(altered));
  harness_.Run();
  ASSERT_TRUE(altered->value.ok()) << altered->value;
  Sweep();
  EXPECT_EQ(StartOf(log), Offset(2));
}

TEST_F(DeletionTest, SweepEmptiesAnIdleTopicByAge) {
  const TopicPartition log = Create("orders", {{"retention.ms", "3600000"}});
  harness_.AppendNow(log, {.values = {"a", "b"}});
  harness_.Advance(absl::Minutes(50));
  harness_.Run();
  EXPECT_EQ(StartOf(log), Offset(0));
  for (int hour = 0; hour < 3; ++hour) {
    harness_.Advance(absl::Minutes(61));
    harness_.Run();
  }
  EXPECT_EQ(StartOf(log), Offset(2));
}

// Without a recorded point such a log was taken for one without records.
TEST_F(DeletionTest, SweepEmptiesIdleLogsThatAreInTheJournalOnly) {
  constexpr int32_t kLogs = 6;  // More than go straight to their segments.
  const TopicId topic = harness_.CreateTopic("orders", kLogs, {{"retention.ms", "3600000"}});
  const auto log = [&](int32_t partition) {
    return TopicPartition{.topic_id = topic, .partition = PartitionId(partition)};
  };
  std::vector<AnswerPtr<AppendOutcome>> appends;
  for (int32_t i = 0; i < kLogs; ++i) appends.push_back(harness_.Append(log(i), {.values = {"a"}}));
  harness_.Run();
  for (const auto& append : appends) ASSERT_TRUE(append->value.status.ok());
  const std::string segment = base::StrCat(storage::LogDirectory("data", log(0)), "/",
                                           storage::OffsetFileName(Offset(0), ".log"));
  ASSERT_FALSE(*harness_.disk().Exists(segment));
  for (int hour = 0; hour < 4; ++hour) {
    harness_.Advance(absl::Minutes(61));
    harness_.Run();
  }
  for (int32_t i = 0; i < kLogs; ++i) EXPECT_EQ(StartOf(log(i)), Offset(1)) << i;
}

TEST_F(DeletionTest, ClockThatJumpsForwardDeletesNothing) {
  const TopicPartition log = Create("orders", {{"retention.ms", "36000000"}});
  AppendLarge(log, 3);
  harness_.Advance(SweepClock::kStartDoubt);
  harness_.Run();
  harness_.clock().SetNow(harness_.clock().Now() + kYear);
  Sweep();
  Sweep();
  EXPECT_EQ(StartOf(log), Offset(0));
}

TEST_F(DeletionTest, ServerThatStartsWithAClockAheadDeletesNothingBeforeItIsPutRight) {
  const TopicPartition log = Create("orders", {{"retention.ms", "3600000"}});
  AppendLarge(log, 3);
  harness_.Stop();
  harness_.clock().SetNow(harness_.clock().Now() + kYear);
  harness_.Start();
  Sweep();
  Sweep();
  harness_.clock().SetNow(harness_.clock().Now() - kYear);
  SweepFor(absl::Minutes(50));
  EXPECT_EQ(StartOf(log), Offset(0));
  SweepFor(absl::Minutes(20));
  EXPECT_EQ(StartOf(log), Offset(2));
}

// The sweeps stayed in 1970 for as long as the server ran. By the time of the segment from then,
// all older ones would have gone at once.
TEST_F(DeletionTest, ServerThatStartsIn1970DeletesNothingEarlyAndEverythingInTime) {
  const TopicPartition log = Create("orders", {{"retention.ms", "7200000"}});
  AppendLarge(log, 3);
  harness_.Stop();
  const absl::Time right = harness_.clock().Now();
  harness_.clock().SetNow(absl::UnixEpoch() + absl::Seconds(10));
  harness_.Start();
  harness_.AppendNow(log, {.values = {std::string(600'000, 'v')}, .timestamp_ms = 10'000});
  Sweep();
  harness_.clock().SetNow(right);
  SweepFor(absl::Minutes(110));
  EXPECT_EQ(StartOf(log), Offset(0));
  SweepFor(absl::Minutes(20));
  EXPECT_EQ(StartOf(log), Offset(2)) << "of the third nothing tells when it was completed";
  SweepFor(absl::Hours(6));
  EXPECT_EQ(StartOf(log), Offset(4));
}

TEST_F(DeletionTest, NoTombstoneIsToldToGoBy1970) {
  const TopicPartition log = Create("orders", {{"cleanup.policy", "compact"}});
  harness_.Stop();
  const absl::Time right = harness_.clock().Now();
  harness_.clock().SetNow(absl::UnixEpoch() + absl::Hours(1));
  harness_.Start();
  for (int i = 0; i < 3; ++i) {
    harness_.AppendNow(log,
                       {.values = {std::string(600'000, 'v')}, .timestamp_ms = 10'000, .key = "a"});
  }
  harness_.Advance(absl::Seconds(2));
  harness_.Run();
  const auto files = [&] { return *harness_.disk().List(storage::LogDirectory("data", log)); };
  const auto before = files();
  SweepFor(absl::Minutes(5));
  EXPECT_EQ(files(), before) << "nothing is compacted";
  harness_.clock().SetNow(right);
  SweepFor(absl::Minutes(5));
  EXPECT_NE(files(), before);
}

TEST_F(DeletionTest, LogsThatNothingHasUsedSinceTheStartAreReachedInTime) {
  const auto count = static_cast<int32_t>(CleanupSweep::kColdLogsMax) + 10;
  const TopicId topic = harness_.CreateTopic(
      "orders", count,
      {{"segment.bytes", "1048576"}, {"max.message.bytes", "1048576"}, {"retention.bytes", "0"}});
  for (int32_t i = 0; i < count; ++i) {
    const TopicPartition log{.topic_id = topic, .partition = PartitionId(i)};
    harness_.AppendNow(log, {.values = {std::string(600'000, 'v')}});
    harness_.AppendNow(log, {.values = {std::string(600'000, 'v')}});
  }
  harness_.Stop();
  harness_.Start();
  const auto segments = [&] {
    int found = 0;
    for (int32_t i = 0; i < count; ++i) {
      const TopicPartition log{.topic_id = topic, .partition = PartitionId(i)};
      found += static_cast<int>(harness_.disk().List(storage::LogDirectory("data", log))->size());
    }
    return found;
  };
  const int before = segments();
  Sweep();
  const int after_one = segments();
  EXPECT_LT(after_one, before);
  Sweep();
  EXPECT_LT(segments(), after_one);
  for (int32_t i = 0; i < count; ++i) {
    EXPECT_EQ(StartOf({.topic_id = topic, .partition = PartitionId(i)}), Offset(1));
  }
}

TEST_F(DeletionTest, SweepCompactsByKey) {
  const TopicPartition log =
      Create("orders", {{"cleanup.policy", "compact"}, {"retention.bytes", "0"}});
  for (int i = 0; i < 5; ++i) {
    harness_.AppendNow(log, {.values = {std::string(600'000, 'v')}, .key = i == 1 ? "b" : "a"});
  }
  harness_.Advance(absl::Seconds(2));
  harness_.Run();
  Sweep();
  EXPECT_EQ(StartOf(log), Offset(0)) << "retention plays no part";
  // Else the answers come from the tail cache.
  harness_.Stop();
  harness_.Start();
  std::vector<int64_t> offsets;
  for (const auto& record : harness_.ReadAll(log)) offsets.push_back(record.offset.value());
  EXPECT_THAT(offsets, testing::ElementsAre(1, 3, 4));
}

TEST_F(DeletionTest, CompactedTopicTakesNoRecordWithoutAKey) {
  const TopicPartition log = Create("orders", {{"cleanup.policy", "compact"}});
  const auto refused = harness_.Append(log, {.values = {"a"}});
  harness_.Run();
  EXPECT_EQ(ReasonOf(refused->value.status), Reason::kInvalidRecord) << refused->value.status;
}

TEST_F(DeletionTest, BrokerStopsInTheMiddleOfASweep) {
  const TopicPartition log = Create("orders", {{"retention.bytes", "0"}});
  AppendLarge(log, 3);
  harness_.Advance(harness_.options().cleanup_interval);
  harness_.Stop();
  harness_.Start();
  Sweep();
  EXPECT_EQ(StartOf(log), Offset(2));
}

}  // namespace
}  // namespace talosmq::broker
