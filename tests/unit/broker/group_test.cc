#include "group/group_records.h"
#include "group/native_group.h"
#include "metadata/codec.h"
#include "metadata/keys.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"
#include "unit/broker/broker_harness.h"

#include <string>
#include <utility>
#include <vector>

namespace talosmq::broker {
namespace {

using support::DiskCall;
using support::MemoryFileSystem;

/// Groups on a whole broker: what their coordinators make durable, and what a start finds again.
class GroupTest : public testing::Test {
 protected:
  using Beat = AnswerPtr<absl::StatusOr<group::HeartbeatReply>>;
  using Commits = AnswerPtr<std::vector<absl::Status>>;

  void SetUp() override {
    harness_.Start();
    orders_ = {.topic_id = harness_.CreateTopic("orders", 2), .partition = PartitionId(0)};
    EXPECT_EQ(Committed(), -1) << "the first call makes the topic of the offsets and waits for it";
  }

  GroupService& groups() { return harness_.broker().groups(); }

  Beat Heartbeat(const std::string& member, int32_t generation, uint64_t sequence,
                 std::vector<TopicPartition> owned = {}) {
    group::HeartbeatRequest request{.group = "g",
                                    .member_id = member,
                                    .sequence = sequence,
                                    .generation = generation,
                                    .owned = std::move(owned)};
    if (generation == 0) request.subscription = group::Subscription{.topics = {"orders"}};
    auto answer = std::make_shared<Answer<absl::StatusOr<group::HeartbeatReply>>>();
    groups().Heartbeat(std::move(request), WriteDown(answer));
    return answer;
  }

  Commits Commit(int64_t offset, const std::string& member = "", int32_t generation = 0,
                 PartitionId partition = PartitionId(0)) {
    group::CommitRequest request{.group = "g"};
    if (!member.empty()) request.committer = {.member_id = member, .generation = generation};
    request.offsets.push_back(
        {.partition = {orders_.topic_id, partition}, .value = {.offset = Offset(offset)}});
    auto answer = std::make_shared<Answer<std::vector<absl::Status>>>();
    groups().Commit(std::move(request), WriteDown(answer));
    return answer;
  }

  AnswerPtr<absl::StatusOr<group::Offsets>> Fetch() {
    auto answer = std::make_shared<Answer<absl::StatusOr<group::Offsets>>>();
    groups().FetchOffsets({.group = "g"}, WriteDown(answer));
    return answer;
  }

  /// -1: nothing is committed.
  int64_t Committed() {
    const auto fetch = Fetch();
    harness_.Run();
    EXPECT_EQ(fetch->calls, 1);
    EXPECT_TRUE(fetch->value.ok()) << fetch->value.status();
    if (!fetch->value.ok() || !fetch->value->contains(orders_)) return -1;
    return fetch->value->at(orders_).offset.value();
  }

  void CommitNow(int64_t offset) {
    const auto commit = Commit(offset);
    harness_.Run();
    ASSERT_EQ(commit->calls, 1);
    ASSERT_TRUE(commit->value.front().ok()) << commit->value.front();
  }

  TopicPartition OffsetsLog() {
    const auto topic = harness_.broker().topics().image()->FindTopic(group::kOffsetsTopic);
    return {.topic_id = topic->id, .partition = group::PartitionOfGroup("g")};
  }

  /// Another broker leads the group's partition from now on; nobody has told this one.
  void ReplaceCoordinator() {
    std::optional<metadata::KeyValue> entry;
    harness_.metadata_store().Get(metadata::PartitionStateKey(OffsetsLog()), harness_.shard(),
                                  [&](const auto& found) { entry = *found; });
    harness_.Run();
    ASSERT_TRUE(entry);
    auto state = metadata::Decode<metadata::PartitionStateRecord>(*entry);
    ASSERT_TRUE(state.ok());
    state->leader = BrokerId(7);
    state->epoch = LeaderEpoch(state->epoch.value() + 1);
    metadata::Transaction transaction;
    transaction.operations = {{.key = entry->key, .value = metadata::Encode(*state)}};
    harness_.metadata_store().Commit(transaction, harness_.shard(), [](const auto&) {});
    harness_.Run();
  }

  BrokerHarness harness_;
  TopicPartition orders_;
};

TEST_F(GroupTest, CommitIsAnsweredOnceItIsDurable) {
  Committed();
  const auto commit = Commit(5);
  harness_.RunWithoutFlush();
  EXPECT_EQ(commit->calls, 0);
  harness_.CutPower(support::PowerCut::DropUnsynced());
  harness_.Start();
  EXPECT_EQ(Committed(), -1);

  CommitNow(7);
  harness_.CutPower(support::PowerCut::DropUnsynced());
  harness_.Start();
  EXPECT_EQ(Committed(), 7);
}

TEST_F(GroupTest, ReadsWaitForWhatTheyWouldTell) {
  CommitNow(1);
  const auto commit = Commit(2);
  const auto fetch = Fetch();
  harness_.RunWithoutFlush();
  EXPECT_EQ(fetch->calls, 0) << "it would tell of a commit that a power cut may take";
  harness_.Run();
  EXPECT_EQ(commit->calls, 1);
  EXPECT_EQ(fetch->value->at(orders_).offset, Offset(2));
}

TEST_F(GroupTest, FailedAppendBeginsAnewFromTheLog) {
  CommitNow(1);
  harness_.disk().FailNth(DiskCall::kSync, 1, MemoryFileSystem::IoError("data"));
  const auto commit = Commit(2);
  const auto behind = Commit(3);
  harness_.Run();
  EXPECT_EQ(commit->calls, 1);
  EXPECT_EQ(behind->calls, 1);
  EXPECT_FALSE(commit->value.front().ok());
  harness_.Advance(absl::Minutes(1));
  const int64_t committed = Committed();
  EXPECT_TRUE(committed == 1 || committed == 2 || committed == 3) << committed;
  CommitNow(4);
  EXPECT_EQ(Committed(), 4);
}

TEST_F(GroupTest, PartitionIsHandedOverOnlyWhenItsOwnerLetsGo) {
  const auto a = Heartbeat("a", 0, 1);
  harness_.Run();
  ASSERT_EQ(a->calls, 1);
  ASSERT_TRUE(a->value.ok()) << a->value.status();
  ASSERT_EQ(a->value->assigned.size(), 2u);
  const auto waiting = Heartbeat("a", a->value->generation, 2, a->value->assigned);
  harness_.Run();
  EXPECT_EQ(waiting->calls, 0) << "there is nothing to tell";

  const auto b = Heartbeat("b", 0, 1);
  harness_.Advance(group::kDealWindow);
  ASSERT_EQ(waiting->calls, 1);
  ASSERT_EQ(waiting->value->assigned.size(), 1u);
  ASSERT_EQ(b->calls, 1);
  EXPECT_TRUE(b->value->assigned.empty());
  const auto b_waits = Heartbeat("b", b->value->generation, 2);
  harness_.Run();
  EXPECT_EQ(b_waits->calls, 0);

  const auto let_go = Heartbeat("a", waiting->value->generation, 3, waiting->value->assigned);
  harness_.Run();
  ASSERT_EQ(b_waits->calls, 1);
  EXPECT_EQ(b_waits->value->assigned.size(), 1u);
  EXPECT_NE(b_waits->value->assigned, waiting->value->assigned);
}

TEST_F(GroupTest, MembersOutliveTheirCoordinator) {
  const auto joined = Heartbeat("a", 0, 1);
  harness_.Run();
  harness_.CutPower(support::PowerCut::DropUnsynced());
  harness_.Start();
  const auto next = Heartbeat("a", joined->value->generation, 2, joined->value->assigned);
  harness_.Run();
  EXPECT_EQ(next->calls, 0) << next->value.status();
  const auto commit = Commit(9, "a", joined->value->generation);
  harness_.Run();
  EXPECT_TRUE(commit->value.front().ok()) << commit->value.front();
}

TEST_F(GroupTest, CoordinatorThatWasReplacedSaysNothing) {
  CommitNow(1);
  ReplaceCoordinator();
  harness_.Advance(absl::Seconds(1));
  const auto fetch = Fetch();
  const auto commit = Commit(2);
  harness_.Run();
  ASSERT_EQ(fetch->calls, 1);
  EXPECT_FALSE(fetch->value.ok());
  EXPECT_EQ(ReasonOf(commit->value.front()), Reason::kCoordinatorNotAvailable)
      << commit->value.front();
}

TEST_F(GroupTest, CoordinatorThatWasReplacedRenewsNoLease) {
  const auto joined = Heartbeat("a", 0, 1);
  harness_.Run();
  const auto waiting = Heartbeat("a", joined->value->generation, 2, joined->value->assigned);
  harness_.Run();
  ReplaceCoordinator();
  harness_.Advance(absl::Seconds(4));
  ASSERT_EQ(waiting->calls, 1);
  EXPECT_EQ(ReasonOf(waiting->value.status()), Reason::kCoordinatorNotAvailable)
      << waiting->value.status();
}

// More than a batch may hold: it takes several.
TEST_F(GroupTest, ChangesOfOneEventTakeSeveralBatches) {
  constexpr int32_t kPartitions = 6000;
  const TopicId wide = harness_.CreateTopic("wide", kPartitions);
  CommitNow(1);
  group::CommitRequest request{.group = "g"};
  for (int32_t partition = 0; partition < kPartitions; ++partition) {
    request.offsets.push_back(
        {.partition = {wide, PartitionId(partition)},
         .value = {.offset = Offset(7), .metadata = std::string(size_t{4} << 10, 'm')}});
  }
  auto commit = std::make_shared<Answer<std::vector<absl::Status>>>();
  groups().Commit(std::move(request), WriteDown(commit));
  harness_.Run();
  ASSERT_EQ(commit->calls, 1);
  EXPECT_TRUE(commit->value.back().ok()) << commit->value.back();
  harness_.CutPower(support::PowerCut::DropUnsynced());
  harness_.Start();
  const auto fetch = Fetch();
  harness_.Run();
  ASSERT_TRUE(fetch->value.ok()) << fetch->value.status();
  EXPECT_EQ(fetch->value->size(), size_t{kPartitions} + 1);
}

TEST_F(GroupTest, ClientsCannotWriteToTheTopicOfTheOffsets) {
  CommitNow(1);
  const auto append = harness_.Append(OffsetsLog(), {.values = {"x"}, .key = "k"});
  auto trim = std::make_shared<Answer<DeletionOutcome>>();
  harness_.broker().messages().DeleteRecords({.target = OffsetsLog(), .before = std::nullopt},
                                             WriteDown(trim));
  harness_.Run();
  EXPECT_EQ(ReasonOf(append->value.status), Reason::kInvalidArgument) << append->value.status;
  EXPECT_EQ(ReasonOf(trim->value.status), Reason::kInvalidArgument) << trim->value.status;
}

// Whatever becomes of the copy, the log is the truth.
TEST_F(GroupTest, WorksWithoutItsView) {
  CommitNow(1);
  const auto joined = Heartbeat("a", 0, 1);
  harness_.Run();
  const auto waiting = Heartbeat("a", joined->value->generation, 2, joined->value->assigned);
  harness_.Run();
  harness_.views().FailNextWrites(1);
  const auto lost = Commit(2, "a", joined->value->generation);
  harness_.Run();
  const auto later = Commit(3, "a", joined->value->generation, PartitionId(1));
  harness_.Run();
  EXPECT_TRUE(lost->value.front().ok()) << lost->value.front();
  EXPECT_TRUE(later->value.front().ok()) << later->value.front();
  EXPECT_EQ(waiting->calls, 0) << "nothing has happened to the group";
  harness_.Kill();
  harness_.Start();
  EXPECT_EQ(Committed(), 2) << "a view with a hole was believed";
}

TEST_F(GroupTest, LoadsThatFailArePaused) {
  CommitNow(1);
  harness_.Kill();
  harness_.Start();
  ReplaceCoordinator();
  harness_.Advance(absl::Seconds(1));
  const int64_t reads = harness_.views().reads();
  for (int i = 0; i < 100; ++i) {
    const auto refused = Fetch();
    harness_.Advance(absl::Milliseconds(10));
    EXPECT_FALSE(refused->value.ok());
  }
  EXPECT_LE(harness_.views().reads() - reads, 5);
}

TEST_F(GroupTest, DrainingAnswersWhatWaits) {
  const auto joined = Heartbeat("a", 0, 1);
  harness_.Run();
  const auto waiting = Heartbeat("a", joined->value->generation, 2, joined->value->assigned);
  harness_.Run();
  groups().Drain();
  const auto late = Fetch();
  harness_.Run();
  ASSERT_EQ(waiting->calls, 1);
  EXPECT_EQ(ReasonOf(waiting->value.status()), Reason::kShuttingDown);
  EXPECT_EQ(ReasonOf(late->value.status()), Reason::kShuttingDown);
}

TEST(FirstGroupTest, CallsWaitForTheTopicAndAreRefusedWhenTheBrokerStopsMeanwhile) {
  BrokerHarness harness;
  harness.Start();
  const auto fetch = [&] {
    auto answer = std::make_shared<Answer<absl::StatusOr<group::Offsets>>>();
    harness.broker().groups().FetchOffsets({.group = "g"}, WriteDown(answer));
    return answer;
  };
  const auto first = fetch();
  const auto second = fetch();
  EXPECT_EQ(first->calls + second->calls, 0);
  harness.broker().groups().Drain();
  const auto late = fetch();
  harness.Run();
  for (const auto& answer : {first, second, late}) {
    EXPECT_EQ(answer->calls, 1);
    EXPECT_EQ(ReasonOf(answer->value.status()), Reason::kShuttingDown);
  }
}

TEST_F(GroupTest, DeletedTopicTakesItsOffsetsAlong) {
  CommitNow(1);
  bool is_deleted = false;
  harness_.broker().topics().Delete("orders", absl::InfiniteDuration(),
                                    [&](const absl::Status& status) { is_deleted = status.ok(); });
  harness_.Run();
  ASSERT_TRUE(is_deleted);
  EXPECT_EQ(Committed(), -1);
}

}  // namespace
}  // namespace talosmq::broker
