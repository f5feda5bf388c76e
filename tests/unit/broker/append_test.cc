#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/broker/broker_harness.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::broker {
namespace {

class AppendTest : public ::testing::Test {
 protected:
  void SetUp() override {
    harness_.Start();
    target_ = {.topic_id = harness_.CreateTopic("orders", 2), .partition = PartitionId(0)};
  }

  AppendRequest Request(std::vector<std::string> values) {
    AppendRequest request;
    request.target = target_;
    request.batch = MakeBatch({.values = std::move(values)});
    return request;
  }

  /// Runs all, and expects a refusal that has changed nothing.
  void ExpectRefused(AppendRequest request, Reason reason) {
    const Offset before = LogEnd();
    const auto answer = harness_.Append(std::move(request));
    harness_.Run();
    EXPECT_EQ(answer->calls, 1);
    EXPECT_EQ(ReasonOf(answer->value.status), reason) << answer->value.status;
    EXPECT_EQ(LogEnd(), before);
  }

  Offset LogEnd() {
    const auto answer = harness_.FindOffset(target_, FromEnd{});
    harness_.Run();
    EXPECT_TRUE(answer->value.status.ok()) << answer->value.status;
    return answer->value.log_end;
  }

  BrokerHarness harness_;
  TopicPartition target_;
};

TEST_F(AppendTest, NothingIsAcknowledgedBeforeItIsDurable) {
  harness_.AppendNow(target_, {.values = {"a"}});
  const auto all = harness_.Append(target_, {.values = {"b"}}, Acks::kAll);
  const auto leader = harness_.Append(target_, {.values = {"c"}}, Acks::kLeader);
  harness_.RunWithoutFlush();
  EXPECT_EQ(all->calls, 0);
  EXPECT_EQ(leader->calls, 0);
  harness_.Run();
  ASSERT_EQ(all->calls, 1);
  EXPECT_TRUE(all->value.status.ok()) << all->value.status;
  EXPECT_EQ(all->value.base_offset, Offset(1));
  EXPECT_EQ(leader->value.base_offset, Offset(2));
}

TEST_F(AppendTest, BatchThatWantsNoAnswerIsHeldUntilItIsDurable) {
  harness_.AppendNow(target_, {.values = {"a"}});
  const auto answer = harness_.Append(target_, {.values = {"b"}}, Acks::kNone);
  harness_.RunWithoutFlush();
  EXPECT_EQ(answer->calls, 0);
  harness_.Run();
  EXPECT_EQ(answer->calls, 1);
  EXPECT_EQ(harness_.ReadAll(target_).size(), 2u);
}

TEST_F(AppendTest, CallsOfOneCallerAreAppendedInTheirOrder) {
  std::vector<AnswerPtr<AppendOutcome>> answers;
  for (int i = 0; i < 5; ++i) {
    answers.push_back(harness_.Append(target_, {.values = {std::to_string(i), "x"}}));
  }
  harness_.Run();
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(answers[static_cast<size_t>(i)]->value.base_offset, Offset(2 * i));
    EXPECT_EQ(answers[static_cast<size_t>(i)]->value.last_offset, Offset(2 * i + 1));
  }
}

TEST_F(AppendTest, DeadlineThatPassedBeforeTheAppendBeganMeansItNeverRuns) {
  AppendRequest request = Request({"late"});
  request.deadline = harness_.clock().Monotonic() + absl::Milliseconds(10);
  const auto late = harness_.Append(std::move(request));
  harness_.clock().Advance(absl::Milliseconds(10));  // While its log is not even open.
  harness_.Run();
  ASSERT_EQ(late->calls, 1);
  EXPECT_EQ(ReasonOf(late->value.status), Reason::kDeadlineExceeded);
  EXPECT_EQ(LogEnd(), Offset(0));
}

TEST_F(AppendTest, DeadlineOfAWaitingAppendIsAnsweredAtThatMoment) {
  AppendRequest soon = Request({"soon"});
  soon.deadline = harness_.clock().Monotonic() + absl::Milliseconds(20);
  AppendRequest sooner = Request({"sooner"});
  sooner.deadline = harness_.clock().Monotonic() + absl::Milliseconds(10);
  const auto patient = harness_.Append(Request({"patient"}));
  const auto late = harness_.Append(std::move(soon));
  const auto later = harness_.Append(std::move(sooner));
  harness_.shard().RunUntilIdle();  // The log does not open: nothing else runs.
  harness_.clock().Advance(absl::Milliseconds(10));
  harness_.shard().RunUntilIdle();
  EXPECT_EQ(later->calls, 1);
  EXPECT_EQ(late->calls, 0);
  harness_.clock().Advance(absl::Milliseconds(10));
  harness_.shard().RunUntilIdle();
  ASSERT_EQ(late->calls, 1);
  EXPECT_EQ(ReasonOf(late->value.status), Reason::kDeadlineExceeded);
  EXPECT_EQ(patient->calls, 0);
  harness_.Run();
  EXPECT_TRUE(patient->value.status.ok()) << patient->value.status;
  EXPECT_EQ(LogEnd(), Offset(1));
}

TEST_F(AppendTest, UnknownTopicIdAndPartitionAreNamed) {
  AppendRequest unknown = Request({"a"});
  unknown.target.topic_id = TopicId({1, 2, 3});
  ExpectRefused(std::move(unknown), Reason::kUnknownTopicId);
  AppendRequest beyond = Request({"a"});
  beyond.target.partition = PartitionId(2);
  ExpectRefused(std::move(beyond), Reason::kUnknownPartition);
  AppendRequest negative = Request({"a"});
  negative.target.partition = PartitionId(-1);
  ExpectRefused(std::move(negative), Reason::kUnknownPartition);
}

TEST_F(AppendTest, ADamagedBatchIsRefusedAndTheLogStays) {
  harness_.AppendNow(target_, {.values = {"a"}});
  AppendRequest damaged = Request({"b"});
  damaged.batch.mutable_bytes().back() ^= std::byte{1};
  ExpectRefused(std::move(damaged), Reason::kCorruptBatch);
  AppendRequest nothing = Request({"b"});
  nothing.batch = base::Buffer();
  ExpectRefused(std::move(nothing), Reason::kCorruptBatch);
}

TEST_F(AppendTest, EpochsOtherThanTheLeadersAreRefused) {
  const AppendOutcome first = harness_.AppendNow(target_, {.values = {"a"}});
  EXPECT_EQ(first.epoch, LeaderEpoch(1));
  AppendRequest older = Request({"b"});
  older.known_epoch = LeaderEpoch(0);
  ExpectRefused(std::move(older), Reason::kFencedEpoch);
  AppendRequest newer = Request({"b"});
  newer.known_epoch = LeaderEpoch(2);
  ExpectRefused(std::move(newer), Reason::kUnknownEpoch);
  AppendRequest same = Request({"b"});
  same.known_epoch = LeaderEpoch(1);
  const auto answer = harness_.Append(std::move(same));
  harness_.Run();
  EXPECT_TRUE(answer->value.status.ok()) << answer->value.status;
}

TEST_F(AppendTest, AFirstAppendThatKnowsTheFreshEpochIsNotFencedByItsOwnClaim) {
  std::vector<AnswerPtr<AppendOutcome>> answers;
  for (int i = 0; i < 3; ++i) {
    AppendRequest request = Request({"a"});
    request.known_epoch = LeaderEpoch(0);
    answers.push_back(harness_.Append(std::move(request)));
  }
  harness_.Run();
  for (const auto& answer : answers) EXPECT_TRUE(answer->value.status.ok()) << answer->value.status;
}

TEST_F(AppendTest, ARestartBeginsANewEpoch) {
  EXPECT_EQ(harness_.AppendNow(target_, {.values = {"a"}}).epoch, LeaderEpoch(1));
  harness_.Stop();
  harness_.Start();
  // Reading needs no epoch of its own.
  EXPECT_EQ(harness_.FetchNow(target_, 0).epoch, LeaderEpoch(1));
  EXPECT_EQ(harness_.AppendNow(target_, {.values = {"b"}}).epoch, LeaderEpoch(2));
  EXPECT_EQ(harness_.EpochInStore(target_), LeaderEpoch(2));
  harness_.Kill();
  harness_.Start();
  EXPECT_EQ(harness_.AppendNow(target_, {.values = {"c"}}).epoch, LeaderEpoch(3));
  EXPECT_EQ(harness_.ReadAll(target_).size(), 3u);
}

TEST_F(AppendTest, ADuplicateWaitsForTheCommitOfItsOriginal) {
  const record::ProducerStamp first{
      .producer_id = ProducerId(7), .producer_epoch = 0, .base_sequence = 0};
  harness_.AppendNow(target_, {.values = {"other"}});
  const auto original = harness_.Append(target_, {.values = {"a", "b"}, .producer = first});
  const auto duplicate = harness_.Append(target_, {.values = {"a", "b"}, .producer = first});
  harness_.RunWithoutFlush();
  EXPECT_EQ(original->calls, 0);
  EXPECT_EQ(duplicate->calls, 0);
  harness_.Run();
  EXPECT_FALSE(original->value.is_duplicate);
  EXPECT_TRUE(duplicate->value.is_duplicate);
  EXPECT_EQ(duplicate->value.base_offset, original->value.base_offset);
  EXPECT_EQ(harness_.ReadAll(target_).size(), 3u);
}

TEST_F(AppendTest, ADuplicateIsKnownAfterAKillToo) {
  const record::ProducerStamp first{
      .producer_id = ProducerId(7), .producer_epoch = 0, .base_sequence = 0};
  harness_.AppendNow(target_, {.values = {"a"}, .producer = first});
  harness_.CutPower(support::PowerCut::DropUnsynced());
  harness_.Start();
  const AppendOutcome again = harness_.AppendNow(target_, {.values = {"a"}, .producer = first});
  EXPECT_TRUE(again.is_duplicate);
  EXPECT_EQ(again.base_offset, Offset(0));
  EXPECT_EQ(harness_.ReadAll(target_).size(), 1u);
}

TEST_F(AppendTest, ProducerIsForgottenAfterADayOfSilence) {
  record::ProducerStamp producer{
      .producer_id = ProducerId(7), .producer_epoch = 0, .base_sequence = 0};
  harness_.AppendNow(target_, {.values = {"a"}, .producer = producer});
  harness_.clock().SetNow(harness_.clock().Now() + absl::Hours(24 * 365));
  EXPECT_TRUE(harness_.AppendNow(target_, {.values = {"a"}, .producer = producer}).is_duplicate)
      << "somebody has set the clock";
  harness_.Advance(absl::Hours(24) + absl::Milliseconds(1));
  producer.base_sequence = 77;
  EXPECT_FALSE(harness_.AppendNow(target_, {.values = {"b"}, .producer = producer}).is_duplicate);
}

TEST_F(AppendTest, LogAppendTimeIsTheBrokersClock) {
  const TopicPartition stamped{
      .topic_id = harness_.CreateTopic("stamped", 1, {{"message.timestamp.type", "LogAppendTime"}}),
      .partition = PartitionId(0)};
  const AppendOutcome outcome = harness_.AppendNow(stamped, {.values = {"a"}, .timestamp_ms = 5});
  ASSERT_TRUE(outcome.log_append_time.has_value());
  EXPECT_EQ(*outcome.log_append_time, harness_.clock().Now());
  const FetchOutcome fetched = harness_.FetchNow(stamped, 0);
  ASSERT_EQ(fetched.chunks.size(), 1u);
  const auto header = record::ParseHeader(fetched.chunks.front().bytes());
  EXPECT_EQ(header->max_timestamp_ms, absl::ToUnixMillis(harness_.clock().Now()));
  EXPECT_TRUE(record::VerifyCrc(fetched.chunks.front().bytes()).ok());
}

TEST_F(AppendTest, MoreThanThePartitionMayHoldIsRefusedBeforeAnyOffset) {
  harness_.Stop();
  harness_.options().partition.pending_appends_max = 2;
  harness_.Start();
  std::vector<AnswerPtr<AppendOutcome>> answers;
  for (int i = 0; i < 3; ++i) answers.push_back(harness_.Append(target_, {.values = {"a"}}));
  harness_.Run();
  EXPECT_TRUE(answers[0]->value.status.ok());
  EXPECT_TRUE(answers[1]->value.status.ok());
  EXPECT_EQ(ReasonOf(answers[2]->value.status), Reason::kOverloaded);
  EXPECT_EQ(LogEnd(), Offset(2));
}

TEST_F(AppendTest, MoreThanMayWaitForTheFlushIsRefused) {
  harness_.Stop();
  harness_.options().partition.parked_acks_max = 1;
  harness_.Start();
  harness_.AppendNow(target_, {.values = {"a"}});
  const auto parked = harness_.Append(target_, {.values = {"b"}});
  const auto refused = harness_.Append(target_, {.values = {"c"}});
  harness_.RunWithoutFlush();
  EXPECT_EQ(parked->calls, 0);
  EXPECT_EQ(ReasonOf(refused->value.status), Reason::kOverloaded);
  harness_.Run();
  EXPECT_TRUE(parked->value.status.ok());
}

TEST_F(AppendTest, AFullShardRefusesOnTheCallingThread) {
  harness_.shard().set_queue_tasks_max(1);
  const auto taken = harness_.Append(target_, {.values = {"a"}});
  const auto refused = harness_.Append(target_, {.values = {"b"}});
  const auto fetch = harness_.Fetch(target_, 0);
  const auto query = harness_.FindOffset(target_, FromEnd{});
  EXPECT_EQ(refused->calls, 1);
  EXPECT_EQ(ReasonOf(refused->value.status), Reason::kOverloaded);
  EXPECT_EQ(ReasonOf(fetch->value.status), Reason::kOverloaded);
  EXPECT_EQ(ReasonOf(query->value.status), Reason::kOverloaded);
  harness_.Run();
  EXPECT_TRUE(taken->value.status.ok()) << taken->value.status;
}

TEST_F(AppendTest, BytesThatWaitForTheirPartitionAreBounded) {
  harness_.Stop();
  harness_.options().shard_append_bytes_max = int64_t{1} << 20;
  harness_.Start();
  const std::string large(700'000, 'x');
  const auto first = harness_.Append(target_, {.values = {large}});
  const auto second = harness_.Append(target_, {.values = {large}});
  EXPECT_EQ(second->calls, 1);
  EXPECT_EQ(ReasonOf(second->value.status), Reason::kOverloaded);
  harness_.Run();
  EXPECT_TRUE(first->value.status.ok());
  harness_.AppendNow(target_, {.values = {large}});
}

TEST_F(AppendTest, ProducerIdsAreNeverGivenTwice) {
  std::set<int64_t> seen;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 1001; ++i) {
      harness_.broker().messages().InitProducer(
          [&seen](const absl::StatusOr<ProducerIdentity>& identity) {
            ASSERT_TRUE(identity.ok()) << identity.status();
            EXPECT_TRUE(seen.insert(identity->id.value()).second) << identity->id.value();
          });
    }
    harness_.Run();
    harness_.Kill();
    harness_.Start();
  }
  EXPECT_EQ(seen.size(), 3003u);
}

TEST_F(AppendTest, ProducersAreDescribedByTheirLastBatch) {
  harness_.AppendNow(target_, {.values = {"nobody's"}});
  harness_.AppendNow(target_, {.values = {"a", "b"}, .producer = {ProducerId(7), 1, 0}});
  harness_.AppendNow(target_, {.values = {"c"}, .producer = {ProducerId(8), 0, 0}});
  harness_.AppendNow(
      target_,
      {.values = {"d"}, .producer = {ProducerId(7), 1, 2}, .timestamp_ms = 1'767'225'601'000});
  const auto answer = std::make_shared<Answer<absl::StatusOr<std::vector<ProducerDescription>>>>();
  harness_.broker().messages().DescribeProducers(target_, WriteDown(answer));
  harness_.Run();
  ASSERT_EQ(answer->calls, 1);
  ASSERT_TRUE(answer->value.ok()) << answer->value.status();
  ASSERT_EQ(answer->value->size(), 2u);
  const ProducerDescription& other = answer->value->front();
  EXPECT_EQ(other.id, ProducerId(8));
  const ProducerDescription& last = answer->value->back();
  EXPECT_EQ(last.id, ProducerId(7));
  EXPECT_EQ(last.epoch, 1);
  EXPECT_EQ(last.last_sequence, 2);
  EXPECT_EQ(last.last_timestamp_ms, 1'767'225'601'000);
}

TEST_F(AppendTest, ProducersOfAPartitionThatIsNotThereAreAnError) {
  const auto answer = std::make_shared<Answer<absl::StatusOr<std::vector<ProducerDescription>>>>();
  harness_.broker().messages().DescribeProducers({.topic_id = TopicId({9}), .partition = {}},
                                                 WriteDown(answer));
  EXPECT_EQ(ReasonOf(answer->value.status()), Reason::kUnknownTopicId);
}

}  // namespace
}  // namespace talosmq::broker
