#include "client/group_member.h"

#include "support/manual_clock.h"
#include "support/manual_executor.h"
#include "talosmq/error.h"

#include "unit/client/scripted_transport.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace talosmq::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kHeartbeat[] = "/talosmq.v1.ConsumerService/Heartbeat";
constexpr char kCommit[] = "/talosmq.v1.ConsumerService/CommitOffsets";
constexpr char kLeave[] = "/talosmq.v1.ConsumerService/LeaveGroup";

/// The same number again and again.
class FixedRandom final : public base::Random {
 public:
  uint64_t Next() override { return number; }
  uint64_t number = 0;
};

TopicPartition P(int32_t number) {
  return {.topic_id = ScriptedTransport::IdOf(1), .partition = PartitionId(number)};
}

/// A clock during which other threads run: `after_read` is called whenever it was read.
class BusyClock final : public base::Clock {
 public:
  explicit BusyClock(const support::ManualClock& clock) : clock_(clock) {}
  absl::Time Now() const override { return clock_.Now(); }
  absl::Duration Monotonic() const override {
    const absl::Duration now = clock_.Monotonic();
    if (after_read) after_read();
    return now;
  }
  std::function<void()> after_read;

 private:
  const support::ManualClock& clock_;
};

/// Writes down what the member tells; lets go when the test says so.
class Worker final : public GroupMemberListener {
 public:
  void OnAssigned(const Partitions& partitions) override { Note("assigned", partitions); }
  void OnRevoked(const Partitions& partitions) override { Note("revoked", partitions); }
  void OnLost(const Partitions& partitions, const absl::Status& why) override {
    Note("lost", partitions);
    lost_why = why;
  }
  void OnFailed(const absl::Status& why) override {
    told.push_back("failed " + std::string(ReasonName(ReasonOf(why))));
  }

  std::vector<std::string> Take() { return std::exchange(told, {}); }

  std::vector<std::string> told;
  absl::Status lost_why;

 private:
  void Note(std::string what, const Partitions& partitions) {
    for (const TopicPartition& partition : partitions) {
      what += " " + std::to_string(partition.partition.value());
    }
    told.push_back(std::move(what));
  }
};

/// One member; its clock, its executor and the coordinator are the test's.
class GroupMemberTest : public ::testing::Test {
 protected:
  GroupMemberTest() {
    auto transport = std::make_unique<ScriptedTransport>();
    net_ = transport.get();
    net_->held_methods = {kHeartbeat, kLeave};
    core_ = std::make_unique<ClientCore>(
        ClientOptions{.server = "seed:1"}, std::move(transport),
        ClientCore::Deps{.executor = executor_, .clock = busy_clock_, .random = random_});
  }
  ~GroupMemberTest() override {
    if (member_ != nullptr) member_->Close();
    member_ = nullptr;
    executor_.DropAll();
  }

  GroupMember& Start(std::string instance_id = {}) {
    member_ = std::make_shared<GroupMember>(
        *core_,
        GroupOptions{.group = "billing",
                     .subscription = {.topics = {"events"}, .patterns = {}},
                     .instance_id = std::move(instance_id)},
        worker_);
    member_->Start();
    Run();
    return *member_;
  }
  void Run() { executor_.RunUntilIdle(); }
  void Advance(absl::Duration by) {
    clock_.Advance(by);
    Run();
  }
  /// A process that stands still: what came meanwhile is seen after the timers.
  void Pause(absl::Duration by) { clock_.Advance(by); }

  size_t asked() const { return net_->held_calls.size(); }
  v1::HeartbeatRequest Request(size_t index) const {
    v1::HeartbeatRequest request;
    EXPECT_EQ(net_->held_calls.at(index).method, kHeartbeat);
    request.ParseFromString(net_->held_calls.at(index).body);
    return request;
  }
  v1::HeartbeatRequest LastRequest() const { return Request(asked() - 1); }
  static std::vector<int32_t> Owned(const v1::HeartbeatRequest& request) {
    std::vector<int32_t> owned;
    for (const v1::GroupPartition& partition : request.owned()) {
      owned.push_back(partition.partition());
    }
    return owned;
  }

  void Answer(size_t index, int32_t generation, const std::vector<int32_t>& assigned) {
    v1::HeartbeatResponse response;
    response.set_member_id(member_->id());
    response.set_generation(generation);
    response.set_lease_ms(10'000);
    for (const int32_t number : assigned) {
      v1::GroupPartition& partition = *response.add_assigned();
      partition.set_topic_id(std::string(P(number).topic_id.bytes()));
      partition.set_partition(number);
    }
    std::exchange(net_->held_calls.at(index).reply, nullptr)(response.SerializeAsString());
    Run();
  }
  void AnswerLast(int32_t generation, const std::vector<int32_t>& assigned) {
    Answer(asked() - 1, generation, assigned);
  }
  void Refuse(size_t index, Reason reason) {
    std::exchange(net_->held_calls.at(index).reply, nullptr)(MakeError(reason, "scripted"));
    Run();
  }
  void RefuseLast(Reason reason) { Refuse(asked() - 1, reason); }
  size_t CallsOf(std::string_view method) const {
    return static_cast<size_t>(std::ranges::count(
        net_->held_calls, method, [](const auto& call) { return std::string_view(call.method); }));
  }
  v1::HeartbeatRequest LastHeartbeat() const {
    size_t index = asked() - 1;
    while (net_->held_calls.at(index).method != kHeartbeat) --index;
    return Request(index);
  }
  /// Answers the newest heartbeat that waits, without news.
  void KeepAlive() {
    size_t index = asked() - 1;
    while (net_->held_calls.at(index).method != kHeartbeat) --index;
    if (net_->held_calls.at(index).reply != nullptr) Answer(index, 1, {0});
  }
  /// commits_ gets "OFFSET REASON".
  void Commit(int32_t number, int64_t offset) {
    member_->Commit({{.partition = P(number), .offset = Offset(offset)}},
                    [this, offset](const std::vector<absl::Status>& outcomes) {
                      commits_.push_back(std::to_string(offset) + " " +
                                         std::string(ReasonName(ReasonOf(outcomes.at(0)))));
                    });
    Run();
  }
  /// Answers the oldest commit that waits.
  void AnswerCommit() {
    const auto call = std::ranges::find_if(net_->held_calls, [](const auto& held) {
      return held.method == kCommit && held.reply != nullptr;
    });
    ASSERT_NE(call, net_->held_calls.end());
    v1::CommitOffsetsRequest request;
    request.ParseFromString(call->body);
    v1::CommitOffsetsResponse response;
    for (const v1::OffsetCommit& offset : request.offsets()) {
      v1::CommittedPartition& partition = *response.add_partitions();
      partition.set_topic_id(offset.topic_id());
      partition.set_partition(offset.partition());
    }
    std::exchange(call->reply, nullptr)(response.SerializeAsString());
    Run();
  }
  /// Joined in generation 1 with these, and told so.
  void Join(const std::vector<int32_t>& assigned) {
    Start();
    AnswerLast(1, assigned);
    worker_->Take();
  }

  support::ManualClock clock_;
  BusyClock busy_clock_{clock_};
  support::ManualExecutor executor_{clock_};
  FixedRandom random_;
  ScriptedTransport* net_ = nullptr;
  std::unique_ptr<ClientCore> core_;
  std::shared_ptr<Worker> worker_ = std::make_shared<Worker>();
  std::shared_ptr<GroupMember> member_;
  std::vector<std::string> commits_;
};

TEST_F(GroupMemberTest, JoinsWithAnIdOfItsOwnAndItsSubscription) {
  const GroupMember& member = Start();
  const v1::HeartbeatRequest request = LastRequest();
  EXPECT_EQ(request.member_id(), member.id());
  EXPECT_EQ(request.member_id().size(), 36U);
  EXPECT_EQ(request.generation(), 0);
  EXPECT_THAT(request.subscription().topics(), ElementsAre("events"));
  EXPECT_EQ(request.lease_ms(), 10'000U);
  EXPECT_FALSE(member.IsLive());
}

TEST_F(GroupMemberTest, WhatIsAssignedIsToldAndReportedAtOnceAsItsOwn) {
  Start();
  AnswerLast(3, {0, 2});
  EXPECT_THAT(worker_->Take(), ElementsAre("assigned 0 2"));
  ASSERT_EQ(asked(), 2U);
  EXPECT_THAT(Owned(LastRequest()), ElementsAre(0, 2));
  EXPECT_EQ(LastRequest().generation(), 3);
  EXPECT_GT(LastRequest().sequence(), Request(0).sequence());
  EXPECT_FALSE(LastRequest().has_subscription());
  EXPECT_EQ(LastRequest().wait_ms(), 3'000U);
  EXPECT_TRUE(member_->IsLive());
}

TEST_F(GroupMemberTest, WhatIsRevokedIsItsOwnUntilTheWorkerHasLetGo) {
  Join({0, 1});
  AnswerLast(2, {0});
  EXPECT_THAT(worker_->Take(), ElementsAre("revoked 1"));
  EXPECT_THAT(Owned(LastRequest()), ElementsAre(0, 1));
  const size_t before = asked();
  member_->Release({P(1)});
  Run();
  ASSERT_EQ(asked(), before + 1);
  EXPECT_THAT(Owned(LastRequest()), ElementsAre(0));
}

TEST_F(GroupMemberTest, TheAnswerOfAnOvertakenHeartbeatIsNotApplied) {
  Join({0, 1});
  AnswerLast(2, {0});
  worker_->Take();
  const size_t overtaken = asked() - 1;
  member_->Release({P(1)});
  Run();
  Answer(overtaken, 2, {0, 1});
  EXPECT_THAT(worker_->Take(), IsEmpty());
  EXPECT_EQ(asked(), overtaken + 2) << "an overtaken answer asks nothing anew";
  AnswerLast(3, {0});
  EXPECT_THAT(worker_->Take(), IsEmpty());
}

TEST_F(GroupMemberTest, TheRefusalOfAnOvertakenHeartbeatIsNotApplied) {
  Join({0, 1});
  AnswerLast(2, {0});
  worker_->Take();
  const size_t overtaken = asked() - 1;
  member_->Release({P(1)});
  Run();
  Refuse(overtaken, Reason::kUnknownMember);
  EXPECT_THAT(worker_->Take(), IsEmpty());
  EXPECT_EQ(member_->generation(), 2);
}

TEST_F(GroupMemberTest, WhatComesBackBeforeItWasLetGoIsAssignedOnceItWas) {
  Join({0});
  AnswerLast(2, {});
  AnswerLast(3, {0});
  EXPECT_THAT(worker_->Take(), ElementsAre("revoked 0"));
  member_->Release({P(0)});
  Run();
  EXPECT_THAT(worker_->Take(), ElementsAre("assigned 0"));
  EXPECT_THAT(Owned(LastRequest()), ElementsAre(0));
}

TEST_F(GroupMemberTest, TheLeaseCountsFromWhenTheRenewedHeartbeatWasSent) {
  Join({0});
  Advance(absl::Seconds(3));
  AnswerLast(1, {0});
  // Renewed by what was sent at 0 s.
  Advance(absl::Seconds(6.9));
  EXPECT_TRUE(member_->IsLive());
  EXPECT_THAT(worker_->Take(), IsEmpty());
  Advance(absl::Seconds(0.1));
  EXPECT_FALSE(member_->IsLive());
  EXPECT_THAT(worker_->Take(), ElementsAre("lost 0"));
  EXPECT_EQ(ReasonOf(worker_->lost_why), Reason::kUnknownMember);
}

TEST_F(GroupMemberTest, AJumpOfTheWallClockEndsNoLease) {
  Join({0});
  clock_.SetNow(clock_.Now() + absl::Hours(24));
  Advance(absl::Seconds(1));
  EXPECT_TRUE(member_->IsLive());
  clock_.SetNow(clock_.Now() - absl::Hours(48));
  Advance(absl::Seconds(8.9));
  EXPECT_TRUE(member_->IsLive());
  Advance(absl::Seconds(0.1));
  EXPECT_FALSE(member_->IsLive());
  EXPECT_THAT(worker_->Take(), ElementsAre("lost 0"));
}

TEST_F(GroupMemberTest, ALostAnswerIsAskedForAgainBeforeTheLeaseEnds) {
  Join({0});
  // Sent at 0 s, and never answered.
  const size_t before = asked();
  while (asked() == before) Advance(absl::Milliseconds(100));
  const absl::Duration left = absl::Milliseconds(LastRequest().wait_ms());
  EXPECT_TRUE(member_->IsLive());
  EXPECT_THAT(Owned(LastRequest()), ElementsAre(0));
  Advance(left);
  EXPECT_TRUE(member_->IsLive()) << "the wait of the second one is short enough";
  AnswerLast(1, {0});
  Advance(absl::Seconds(7));
  EXPECT_TRUE(member_->IsLive());
  EXPECT_THAT(worker_->Take(), IsEmpty());
}

TEST_F(GroupMemberTest, AfterALossItJoinsAnewAndGetsBackOnlyWhatWasLetGo) {
  Join({0, 1});
  Advance(absl::Seconds(10));
  EXPECT_THAT(worker_->Take(), ElementsAre("lost 0 1"));
  Advance(absl::Seconds(1));
  const v1::HeartbeatRequest join = LastRequest();
  EXPECT_EQ(join.generation(), 0);
  EXPECT_TRUE(join.has_subscription());
  EXPECT_THAT(Owned(join), ElementsAre(0, 1)) << "the worker still has them";
  member_->Release({P(0)});
  Run();
  AnswerLast(5, {0, 1});
  EXPECT_THAT(worker_->Take(), ElementsAre("assigned 0"));
  member_->Release({P(1)});
  Run();
  EXPECT_THAT(worker_->Take(), ElementsAre("assigned 1"));
}

TEST_F(GroupMemberTest, WhatIsBeingLetGoIsLostToo) {
  Join({0, 1});
  AnswerLast(2, {0});
  worker_->Take();
  RefuseLast(Reason::kUnknownMember);
  EXPECT_THAT(worker_->Take(), ElementsAre("lost 0 1"));
}

TEST_F(GroupMemberTest, APausedMemberThatWakesUpAfterItsLeaseHasLostEverything) {
  Join({0});
  Pause(absl::Seconds(11));
  EXPECT_FALSE(member_->IsLive()) << "known before anything else runs";
  Run();
  EXPECT_THAT(worker_->Take(), ElementsAre("lost 0"));
}

TEST_F(GroupMemberTest, AnAnswerThatCameLaterThanItsLeaseAssignsNothing) {
  Start();
  Pause(absl::Seconds(10));
  AnswerLast(1, {0});
  EXPECT_FALSE(member_->IsLive());
  EXPECT_THAT(worker_->Take(), IsEmpty());
  EXPECT_EQ(member_->generation(), 0);
}

TEST_F(GroupMemberTest, ALeaseThatWasSeenToBeOverIsNotRenewed) {
  Join({0});
  // Sent again, unanswered, at 4.7 s; that answer comes at 11 s, when its own lease still runs.
  const size_t before = asked();
  while (asked() == before) Advance(absl::Milliseconds(100));
  Pause(absl::Seconds(6.5));
  EXPECT_FALSE(member_->IsLive());
  AnswerLast(1, {0});
  EXPECT_FALSE(member_->IsLive()) << "whoever has stopped for it would stand still for ever";
  EXPECT_THAT(worker_->Take(), ElementsAre("lost 0"));
}

TEST_F(GroupMemberTest, WhoeverSawTheLeaseEndDuringItsRenewalIsToldOfTheLoss) {
  // A lane looks at the lease just when it ends, between any two looks of the executor.
  for (int read = 1; read <= 6; ++read) {
    member_ = nullptr;
    Join({0});
    const size_t before = asked();
    while (asked() == before) Advance(absl::Milliseconds(100));
    clock_.Advance(absl::Seconds(10) - absl::Milliseconds(4701));
    int reads = 0;
    bool saw_the_end = false;
    busy_clock_.after_read = [&] {
      if (++reads != read) return;
      clock_.Advance(absl::Milliseconds(200));
      saw_the_end = !member_->IsLive();
    };
    AnswerLast(1, {0});
    busy_clock_.after_read = nullptr;
    EXPECT_EQ(saw_the_end, !worker_->Take().empty()) << "at read " << read;
  }
}

TEST_F(GroupMemberTest, AnotherWithTheSameInstanceIdIsEndedByTwoLeases) {
  Start("rack-7");
  testing::internal::CaptureStderr();
  const absl::Duration begin = clock_.Monotonic();
  while (worker_->told.empty() && clock_.Monotonic() < begin + absl::Minutes(1)) {
    if (net_->held_calls.back().reply != nullptr) RefuseLast(Reason::kInstanceInUse);
    Advance(absl::Milliseconds(500));
  }
  EXPECT_THAT(worker_->Take(), ElementsAre("failed InstanceInUse"));
  EXPECT_GT(clock_.Monotonic(), begin + absl::Seconds(20));
  EXPECT_LT(clock_.Monotonic(), begin + absl::Seconds(22));
  const std::string logged = testing::internal::GetCapturedStderr();
  const size_t first = logged.find("cannot join yet");
  EXPECT_NE(first, std::string::npos);
  EXPECT_EQ(logged.find("cannot join yet", first + 1), std::string::npos) << "one in 30 s";
}

TEST_F(GroupMemberTest, AnUnknownMemberLosesEverythingAndJoinsAnew) {
  for (const Reason reason : {Reason::kUnknownMember, Reason::kMemberFenced}) {
    member_ = nullptr;
    Join({0});
    RefuseLast(reason);
    EXPECT_THAT(worker_->Take(), ElementsAre("lost 0"));
    EXPECT_FALSE(member_->IsLive());
    Advance(absl::Seconds(1));
    EXPECT_EQ(LastRequest().generation(), 0);
  }
}

TEST_F(GroupMemberTest, WhatPassesIsTriedAgainWithBackOff) {
  Join({0});
  for (const Reason reason :
       {Reason::kCoordinatorNotAvailable, Reason::kUnavailable, Reason::kMaybeStored,
        Reason::kOverloaded, Reason::kInstanceInUse, Reason::kConflict, Reason::kInternal}) {
    const size_t before = asked();
    RefuseLast(reason);
    EXPECT_EQ(asked(), before) << ReasonName(reason) << ": not at once";
    Advance(absl::Milliseconds(700));
    EXPECT_EQ(asked(), before + 1) << ReasonName(reason);
    EXPECT_EQ(LastRequest().generation(), 1);
  }
  EXPECT_THAT(worker_->Take(), IsEmpty());
}

TEST_F(GroupMemberTest, TheFirstWaitAfterJoiningOrAFailureIsARandomPartShorter) {
  random_.number = uint64_t{1} << 63;
  Join({0});
  EXPECT_EQ(LastRequest().generation(), 1);
  EXPECT_EQ(LastRequest().wait_ms(), 2250U) << "3 s less a half of the half";
  Advance(absl::Milliseconds(2250));
  AnswerLast(1, {0});
  EXPECT_EQ(LastRequest().wait_ms(), 3000U) << "and no other one";
  RefuseLast(Reason::kUnavailable);
  Advance(absl::Milliseconds(20));
  EXPECT_EQ(LastRequest().wait_ms(), 2250U);
}

TEST_F(GroupMemberTest, ARefusalForGoodLosesEverythingAndAsksNoMore) {
  Join({0});
  RefuseLast(Reason::kGroupKindMismatch);
  EXPECT_THAT(worker_->Take(), ElementsAre("lost 0", "failed GroupKindMismatch"));
  const size_t before = asked();
  Advance(absl::Minutes(1));
  EXPECT_EQ(asked(), before);
}

TEST_F(GroupMemberTest, AServerThatAnswersAtOnceWithoutNewsIsNotAskedAtOnce) {
  Join({0});
  AnswerLast(1, {0});
  const size_t before = asked();
  Run();
  EXPECT_EQ(asked(), before);
  Advance(absl::Seconds(3));
  EXPECT_EQ(asked(), before + 1);
}

TEST_F(GroupMemberTest, ANewSubscriptionIsSentUntilItIsTaken) {
  Join({});
  member_->Subscribe({.topics = {"orders"}, .patterns = {"log-.*"}});
  Run();
  EXPECT_THAT(LastRequest().subscription().topics(), ElementsAre("orders"));
  EXPECT_THAT(LastRequest().subscription().patterns(), ElementsAre("log-.*"));
  RefuseLast(Reason::kCoordinatorNotAvailable);
  Advance(absl::Seconds(1));
  EXPECT_TRUE(LastRequest().has_subscription());
  AnswerLast(2, {});
  EXPECT_FALSE(LastRequest().has_subscription());
}

TEST_F(GroupMemberTest, OnlyWhatItHasCanBeCommitted) {
  net_->held_methods.insert(kCommit);
  Join({0, 1});
  AnswerLast(2, {0});
  // Told once more when the member goes.
  const auto reasons = std::make_shared<std::vector<Reason>>();
  const auto commit = [&](std::vector<int32_t> numbers) {
    std::vector<OffsetCommit> commits;
    for (const int32_t number : numbers) {
      commits.push_back({.partition = P(number), .offset = Offset(9)});
    }
    member_->Commit(std::move(commits), [reasons](const std::vector<absl::Status>& outcomes) {
      reasons->clear();
      for (const absl::Status& outcome : outcomes) reasons->push_back(ReasonOf(outcome));
    });
    Run();
  };
  commit({2, 0, 1});
  ASSERT_EQ(net_->held_calls.back().method, kCommit);
  v1::CommitOffsetsRequest request;
  request.ParseFromString(net_->held_calls.back().body);
  EXPECT_EQ(request.generation(), 2);
  ASSERT_EQ(request.offsets_size(), 2) << "what is revoked is still its own";
  v1::CommitOffsetsResponse response;
  for (const v1::OffsetCommit& offset : request.offsets()) {
    v1::CommittedPartition& partition = *response.add_partitions();
    partition.set_topic_id(offset.topic_id());
    partition.set_partition(offset.partition());
  }
  std::exchange(net_->held_calls.back().reply, nullptr)(response.SerializeAsString());
  Run();
  EXPECT_THAT(*reasons, ElementsAre(Reason::kNotOwner, Reason::kNone, Reason::kNone));

  // Lost, joined anew, and given again: but not before the worker has let go.
  Advance(absl::Seconds(10));
  Advance(absl::Seconds(1));
  AnswerLast(5, {0});
  commit({0});
  EXPECT_THAT(*reasons, ElementsAre(Reason::kUnknownMember));
  member_->Release({P(0), P(1)});
  Run();
  commit({0});
  EXPECT_EQ(net_->held_calls.back().method, kCommit);
}

TEST_F(GroupMemberTest, CommitsAreMadeOneAfterTheOther) {
  net_->held_methods.insert(kCommit);
  Join({0});
  const size_t before = asked();
  for (const int64_t offset : {5, 6}) {
    member_->Commit({{.partition = P(0), .offset = Offset(offset)}},
                    [](const std::vector<absl::Status>& /*outcomes*/) {});
  }
  Run();
  ASSERT_EQ(asked(), before + 1);
  RefuseLast(Reason::kCoordinatorNotAvailable);
  EXPECT_EQ(asked(), before + 1) << "the second one waits for the first";
  Advance(absl::Seconds(1));
  v1::CommitOffsetsRequest request;
  request.ParseFromString(net_->held_calls.back().body);
  EXPECT_EQ(request.offsets(0).offset(), 5);
  RefuseLast(Reason::kNotOwner);
  request.ParseFromString(net_->held_calls.back().body);
  EXPECT_EQ(request.offsets(0).offset(), 6);
}

TEST_F(GroupMemberTest, ACommitEndsWithinItsTimeFromTheCallHoweverManyWait) {
  net_->held_methods.insert(kCommit);
  Join({0});
  for (const int64_t offset : {5, 6, 7}) {
    Commit(0, offset);
    Advance(absl::Seconds(1));
    KeepAlive();
  }
  for (int second = 3; second < 30; ++second) {
    EXPECT_THAT(commits_, IsEmpty()) << second;
    Advance(absl::Seconds(1));
    KeepAlive();
  }
  EXPECT_THAT(commits_, ElementsAre("5 DeadlineExceeded"));
  Advance(absl::Seconds(1));
  EXPECT_THAT(commits_, ElementsAre("5 DeadlineExceeded", "6 DeadlineExceeded"));
  Advance(absl::Seconds(1));
  EXPECT_EQ(commits_.back(), "7 DeadlineExceeded");
}

TEST_F(GroupMemberTest, WithTheLeaseEndsEveryCommitThatWaits) {
  net_->held_methods.insert(kCommit);
  Join({0});
  for (const int64_t offset : {5, 6, 7}) Commit(0, offset);
  Advance(absl::Seconds(9.9));
  EXPECT_THAT(commits_, IsEmpty());
  Advance(absl::Seconds(0.1));
  EXPECT_THAT(commits_, ElementsAre("5 UnknownMember", "6 UnknownMember", "7 UnknownMember"));
  EXPECT_EQ(CallsOf(kCommit), 1U);
}

TEST_F(GroupMemberTest, APartitionIsSetFreeAfterTheCommitsBeforeIt) {
  net_->held_methods.insert(kCommit);
  Join({0, 1});
  AnswerLast(2, {0});
  Commit(1, 5);
  Commit(1, 6);
  member_->Release({P(1)});
  Run();
  EXPECT_THAT(Owned(LastHeartbeat()), ElementsAre(0, 1));
  AnswerCommit();
  EXPECT_THAT(Owned(LastHeartbeat()), ElementsAre(0, 1));
  AnswerCommit();
  EXPECT_THAT(commits_, ElementsAre("5 None", "6 None"));
  EXPECT_THAT(Owned(LastHeartbeat()), ElementsAre(0));
}

TEST_F(GroupMemberTest, TheMemberLeavesAfterTheCommitsBeforeIt) {
  net_->held_methods.insert(kCommit);
  Join({0});
  Commit(0, 5);
  Commit(0, 6);
  member_->Leave([](const absl::Status& /*left*/) {});
  Run();
  EXPECT_EQ(CallsOf(kLeave), 0U);
  AnswerCommit();
  EXPECT_EQ(CallsOf(kLeave), 0U);
  AnswerCommit();
  EXPECT_EQ(CallsOf(kLeave), 1U);
  EXPECT_THAT(commits_, ElementsAre("5 None", "6 None"));
}

TEST_F(GroupMemberTest, LeavingASilentGroupEndsInTime) {
  net_->held_methods.insert(kCommit);
  Join({0});
  Commit(0, 5);
  member_->SetTimeout(absl::Seconds(4));
  Advance(absl::Seconds(1));
  std::optional<Reason> left;
  member_->Leave([&](const absl::Status& status) { left = ReasonOf(status); });
  Advance(absl::Seconds(3));
  EXPECT_THAT(commits_, ElementsAre("5 DeadlineExceeded"));
  EXPECT_EQ(CallsOf(kLeave), 1U) << "it may come through";
  Advance(absl::Seconds(1));
  EXPECT_EQ(left, Reason::kDeadlineExceeded);
}

TEST_F(GroupMemberTest, WhoeverWaitsForACommitIsToldWhenItCloses) {
  net_->held_methods.insert(kCommit);
  Join({0});
  Commit(0, 5);
  Commit(0, 6);
  member_->Close();
  EXPECT_THAT(commits_, ElementsAre("5 Closed", "6 Closed"));
}

TEST_F(GroupMemberTest, LeavingIsSaidOnceAndEndsTheHeartbeats) {
  Join({});
  absl::Status left = MakeError(Reason::kInternal, "nobody said it");
  member_->Leave([&](const absl::Status& status) { left = status; });
  Run();
  v1::LeaveGroupRequest request;
  ASSERT_EQ(net_->held_calls.back().method, kLeave);
  request.ParseFromString(net_->held_calls.back().body);
  EXPECT_EQ(request.member_id(), member_->id());
  EXPECT_FALSE(request.keeps_partitions());
  RefuseLast(Reason::kCoordinatorNotAvailable);
  Advance(absl::Seconds(1));
  EXPECT_EQ(net_->held_calls.back().method, kLeave) << "tried again";
  RefuseLast(Reason::kUnknownMember);
  EXPECT_TRUE(left.ok()) << left;
  const size_t before = asked();
  Advance(absl::Minutes(1));
  EXPECT_EQ(asked(), before);
}

TEST_F(GroupMemberTest, AStaticMemberKeepsItsPartitionsWhenItLeaves) {
  Start("rack-7");
  EXPECT_EQ(LastRequest().instance_id(), "rack-7");
  AnswerLast(1, {0});
  member_->Leave([](const absl::Status& /*left*/) {});
  Run();
  v1::LeaveGroupRequest request;
  request.ParseFromString(net_->held_calls.back().body);
  EXPECT_TRUE(request.keeps_partitions());
}

}  // namespace
}  // namespace talosmq::client
