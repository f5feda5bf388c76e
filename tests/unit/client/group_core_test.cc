#include "client/group_core.h"

#include "support/manual_clock.h"
#include "support/manual_executor.h"
#include "talosmq/error.h"

#include "unit/client/scripted_transport.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kHeartbeat[] = "/talosmq.v1.ConsumerService/Heartbeat";
constexpr char kFetchOffsets[] = "/talosmq.v1.ConsumerService/FetchOffsets";
constexpr char kCommit[] = "/talosmq.v1.ConsumerService/CommitOffsets";

class NoRandom final : public base::Random {
 public:
  uint64_t Next() override { return 0; }
};

TopicPartition P(int32_t number) {
  return {.topic_id = ScriptedTransport::IdOf(1), .partition = PartitionId(number)};
}

/// Writes down what it is told: "started 0@5" for partition 0 from offset 5.
class Reader final : public GroupCoreListener {
 public:
  void OnStarted(std::vector<GroupStart> started) override {
    for (const GroupStart& start : started) {
      told.push_back("started " + std::to_string(start.partition.partition.value()) + "@" +
                     std::to_string(start.offset.value()));
    }
  }
  void OnRevoked(const std::vector<TopicPartition>& partitions) override {
    Note("revoked", partitions);
  }
  void OnLost(const std::vector<TopicPartition>& partitions, const absl::Status& /*why*/) override {
    Note("lost", partitions);
  }
  void OnFailed(const absl::Status& /*why*/) override { told.emplace_back("failed"); }
  absl::Duration busy_since() const override { return is_busy_since; }
  std::vector<std::string> Take() { return std::exchange(told, {}); }

  std::vector<std::string> told;
  absl::Duration is_busy_since = absl::InfiniteDuration();

 private:
  void Note(const std::string& what, const std::vector<TopicPartition>& partitions) {
    for (const TopicPartition& partition : partitions) {
      told.push_back(what + " " + std::to_string(partition.partition.value()));
    }
  }
};

/// A member of which the test tells what it is assigned, on a log from 100 to 200.
class GroupCoreTest : public ::testing::Test {
 protected:
  GroupCoreTest() {
    auto transport = std::make_unique<ScriptedTransport>();
    net_ = transport.get();
    net_->topics["events"] = {ScriptedTransport::IdOf(1), {{0, 4}, {0, 4}}};
    net_->log_start = 100;
    net_->log_end = 200;
    net_->held_methods = {kHeartbeat, kFetchOffsets, kCommit};
    core_ = std::make_unique<ClientCore>(
        ClientOptions{.server = "seed:1"}, std::move(transport),
        ClientCore::Deps{.executor = executor_, .clock = clock_, .random = random_});
  }
  ~GroupCoreTest() override {
    if (group_ != nullptr) group_->Close();
    group_ = nullptr;
    executor_.DropAll();
  }

  void Start(StartOptions start) {
    group_ = GroupCore::Create(*core_,
                               {.group = "billing",
                                .subscription = {.topics = {"events"}, .patterns = {}},
                                .poll_interval_max = absl::Seconds(4),
                                .start = std::move(start)},
                               reader_);
    executor_.RunUntilIdle();
  }
  void Run() { executor_.RunUntilIdle(); }
  void Advance(absl::Duration by) {
    clock_.Advance(by);
    Run();
  }
  void Assign(const std::vector<int32_t>& numbers) {
    std::vector<TopicPartition> partitions;
    for (const int32_t number : numbers) partitions.push_back(P(number));
    group_->OnAssigned(partitions);
    Run();
  }
  /// The same, as the group tells it: what it is assigned can be committed.
  void Join(const std::vector<int32_t>& numbers) {
    group_->Start();
    Run();
    v1::HeartbeatResponse response;
    response.set_generation(1);
    response.set_lease_ms(10'000);
    for (const int32_t number : numbers) {
      v1::GroupPartition& partition = *response.add_assigned();
      partition.set_topic_id(std::string(P(number).topic_id.bytes()));
      partition.set_partition(number);
    }
    std::exchange(net_->held_calls.back().reply, nullptr)(response.SerializeAsString());
    Run();
  }
  /// The commit under way, as "0@5" of partition 0 and offset 5 when nothing is committed yet.
  std::vector<std::string> Committing() {
    v1::CommitOffsetsRequest request;
    EXPECT_EQ(net_->held_calls.back().method, kCommit);
    request.ParseFromString(net_->held_calls.back().body);
    std::vector<std::string> offsets;
    for (const v1::OffsetCommit& offset : request.offsets()) {
      EXPECT_EQ(offset.expected_offset(), kNothingCommitted.value());
      offsets.push_back(std::to_string(offset.partition()) + "@" + std::to_string(offset.offset()));
    }
    return offsets;
  }
  void AnswerCommit(v1::Reason reason) {
    v1::CommitOffsetsRequest request;
    request.ParseFromString(net_->held_calls.back().body);
    v1::CommitOffsetsResponse response;
    for (const v1::OffsetCommit& offset : request.offsets()) {
      v1::CommittedPartition& partition = *response.add_partitions();
      partition.set_topic_id(offset.topic_id());
      partition.set_partition(offset.partition());
      if (reason != v1::REASON_NONE) partition.mutable_error()->set_reason(reason);
    }
    std::exchange(net_->held_calls.back().reply, nullptr)(response.SerializeAsString());
    Run();
  }
  /// Answers the newest question about what is committed.
  void AnswerCommitted(const std::map<int32_t, int64_t>& offsets) {
    v1::FetchOffsetsResponse response;
    for (const auto& [number, committed] : offsets) {
      v1::CommittedOffset& offset = *response.add_offsets();
      offset.set_topic_id(std::string(P(number).topic_id.bytes()));
      offset.set_partition(number);
      offset.set_offset(committed);
    }
    std::exchange(net_->held_calls.back().reply, nullptr)(response.SerializeAsString());
    Run();
  }

  support::ManualClock clock_;
  support::ManualExecutor executor_{clock_};
  NoRandom random_;
  ScriptedTransport* net_ = nullptr;
  std::unique_ptr<ClientCore> core_;
  std::shared_ptr<Reader> reader_ = std::make_shared<Reader>();
  std::shared_ptr<GroupCore> group_;
};

TEST_F(GroupCoreTest, BeginsWhereTheGroupHasCommittedElseByDefault) {
  Start({});
  Assign({0, 1});
  EXPECT_THAT(reader_->Take(), IsEmpty());
  AnswerCommitted({{1, 150}});
  EXPECT_THAT(reader_->Take(), ElementsAre("started 0@100", "started 1@150"));
}

TEST_F(GroupCoreTest, AStartAtTheEndIsCommittedBeforeAnybodyHearsOfIt) {
  Start({.otherwise = AtEnd{}});
  Join({0, 1});
  AnswerCommitted({{1, 150}});
  EXPECT_THAT(reader_->Take(), IsEmpty()) << "if it died now, the next one would begin later";
  EXPECT_THAT(Committing(), ElementsAre("0@200"));
  AnswerCommit(v1::REASON_NONE);
  EXPECT_THAT(reader_->Take(), ElementsAre("started 0@200", "started 1@150"));
}

TEST_F(GroupCoreTest, AStartThatSomebodyHasCommittedMeanwhileIsTaken) {
  Start({.otherwise = absl::UnixEpoch()});
  Join({0});
  AnswerCommitted({});
  EXPECT_THAT(Committing(), ElementsAre("0@200"));
  AnswerCommit(v1::REASON_CONFLICT);
  EXPECT_THAT(reader_->Take(), IsEmpty());
  Advance(absl::Seconds(1));
  AnswerCommitted({{0, 170}});
  EXPECT_THAT(reader_->Take(), ElementsAre("started 0@170"));
}

TEST_F(GroupCoreTest, AGivenPositionIsUsedOnce) {
  Start({.given = {{{.topic = "events", .partition = PartitionId(0)}, Offset(120)}}});
  Assign({0});
  AnswerCommitted({{0, 150}});
  EXPECT_THAT(reader_->Take(), ElementsAre("started 0@120"));
  Assign({0});
  AnswerCommitted({{0, 150}});
  EXPECT_THAT(reader_->Take(), ElementsAre("started 0@150"));
}

TEST_F(GroupCoreTest, TheResetSwitchComesBeforeEverythingOnce) {
  Start({.reset = AtStart{},
         .given = {{{.topic = "events", .partition = PartitionId(0)}, Offset(120)}}});
  Assign({0});
  AnswerCommitted({{0, 150}});
  EXPECT_THAT(reader_->Take(), ElementsAre("started 0@100"));
  Assign({0});
  AnswerCommitted({{0, 160}});
  EXPECT_THAT(reader_->Take(), ElementsAre("started 0@160"));
}

TEST_F(GroupCoreTest, ADefaultThatWasUsedIsKeptWhenNothingWasCommittedSince) {
  Start({});
  Assign({0});
  AnswerCommitted({});
  EXPECT_THAT(reader_->Take(), ElementsAre("started 0@100"));
  net_->log_start = 150;
  Assign({0});
  AnswerCommitted({});
  EXPECT_THAT(reader_->Take(), ElementsAre("started 0@100")) << "what was trimmed is told";
}

TEST_F(GroupCoreTest, WhatIsRevokedWhileItsStartIsAskedForIsNeverHeardOf) {
  Start({});
  Assign({0, 1});
  group_->OnRevoked({P(0)});
  AnswerCommitted({});
  EXPECT_THAT(reader_->Take(), ElementsAre("started 1@100"));
  group_->OnRevoked({P(1)});
  EXPECT_THAT(reader_->Take(), ElementsAre("revoked 1"));
}

TEST_F(GroupCoreTest, WhatIsLostWhileItsStartIsAskedForIsNeverHeardOf) {
  Start({});
  Assign({0});
  group_->OnLost({P(0)}, MakeError(Reason::kUnknownMember, "scripted"));
  AnswerCommitted({});
  EXPECT_THAT(reader_->Take(), IsEmpty());
}

TEST_F(GroupCoreTest, AnAnswerForAnEarlierAssignmentIsNotTaken) {
  Start({});
  Assign({0});
  group_->OnRevoked({P(0)});
  Assign({0});
  ASSERT_EQ(net_->held_calls.size(), 2U);
  std::swap(net_->held_calls[0], net_->held_calls[1]);
  AnswerCommitted({{0, 110}});
  EXPECT_THAT(reader_->Take(), IsEmpty()) << "it was committed before the partition came back";
  std::swap(net_->held_calls[0], net_->held_calls[1]);
  AnswerCommitted({{0, 120}});
  EXPECT_THAT(reader_->Take(), ElementsAre("started 0@120"));
}

TEST_F(GroupCoreTest, TheStartIsAskedForUntilSomebodyAnswers) {
  Start({});
  net_->refusals["/talosmq.v1.TopicService/GetMetadata"] = {Reason::kInternal,
                                                            Reason::kUnknownTopicId};
  Assign({0});
  Advance(absl::Seconds(1));
  Advance(absl::Seconds(1));
  ASSERT_EQ(net_->held_calls.size(), 1U);
  std::exchange(net_->held_calls.back().reply,
                nullptr)(MakeError(Reason::kCoordinatorNotAvailable, "scripted"));
  Run();
  Advance(absl::Minutes(1));
  AnswerCommitted({});
  EXPECT_THAT(reader_->Take(), ElementsAre("started 0@100"));
}

TEST_F(GroupCoreTest, APartitionThatIsNewerThanWhatIsKnownOfItsTopicIsWaitedFor) {
  Start({});
  Assign({2});
  EXPECT_THAT(net_->held_calls, IsEmpty());
  net_->topics["events"].leaders.emplace_back(0, 4);
  Advance(absl::Seconds(1));
  AnswerCommitted({});
  EXPECT_THAT(reader_->Take(), ElementsAre("started 2@100"));
}

TEST_F(GroupCoreTest, AMemberWhoseApplicationHangsLeavesUntilItComesBack) {
  Start({});
  Join({0});
  AnswerCommitted({});
  EXPECT_THAT(reader_->Take(), ElementsAre("started 0@100"));
  reader_->is_busy_since = clock_.Monotonic();
  Advance(absl::Seconds(4));
  EXPECT_THAT(reader_->Take(), IsEmpty());
  Advance(absl::Seconds(1));
  EXPECT_THAT(reader_->Take(), ElementsAre("lost 0"));
  EXPECT_EQ(net_->CountCalls("/talosmq.v1.ConsumerService/LeaveGroup"), 1);
  Reason committed = Reason::kNone;
  group_->Commit(
      {{.partition = P(0), .offset = Offset(101)}},
      [&](const std::vector<absl::Status>& outcomes) { committed = ReasonOf(outcomes.at(0)); });
  Run();
  EXPECT_EQ(committed, Reason::kUnknownMember);
  const int64_t heartbeats = net_->CountCalls(kHeartbeat);
  Advance(absl::Seconds(60));
  EXPECT_EQ(net_->CountCalls(kHeartbeat), heartbeats) << "it does not hold what others should get";
  reader_->is_busy_since = absl::InfiniteDuration();
  group_->CheckPresence();
  Run();
  EXPECT_EQ(net_->CountCalls(kHeartbeat), heartbeats + 1);
}

TEST_F(GroupCoreTest, NothingIsToldAfterItIsClosed) {
  Start({});
  Assign({0});
  group_->Close();
  AnswerCommitted({});
  EXPECT_THAT(reader_->Take(), IsEmpty());
}

}  // namespace
}  // namespace talosmq::client
