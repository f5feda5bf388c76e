#include "group/coordinator.h"

#include "group/consumer_subscription.h"
#include "group/native_group.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::group {
namespace {

class Counter final : public base::Random {
 public:
  uint64_t Next() override { return ++value_; }

 private:
  uint64_t value_ = 0;
};

/// One coordinator whose changes are committed at once.
class CoordinatorTest : public testing::Test {
 protected:
  using Beat = std::optional<absl::StatusOr<HeartbeatReply>>;

  CoordinatorTest() {
    topics_.by_name["orders"] = {.id = kOrders, .partitions = 2};
    topics_.name_of[kOrders] = "orders";
    Restart();
  }

  void Restart() {
    coordinator_ = std::make_unique<Coordinator>(options_, random_);
    for (const Change& change : log_) coordinator_->Replay(change);
    Do(coordinator_->Start(now_, Topics()));
  }
  std::shared_ptr<const TopicCatalogue> Topics() {
    return std::make_shared<const TopicCatalogue>(topics_);
  }

  void Do(Output output) {
    for (Change& change : output.changes) log_.push_back(std::move(change));
    for (PendingReply& reply : output.replies) reply(absl::OkStatus());
    const absl::Status sound = coordinator_->Check();
    EXPECT_TRUE(sound.ok()) << sound;
  }
  void Pass(absl::Duration by) {
    now_.monotonic += by;
    now_.wall += by;
    Do(coordinator_->Tick(now_));
  }

  /// Until so long after the beginning of the test.
  void PassTo(absl::Duration time) { Pass(begin_ + time - now_.monotonic); }

  HeartbeatRequest Joining(const std::string& member) {
    HeartbeatRequest request{.group = "g", .member_id = member, .sequence = 1};
    request.subscription = Subscription{.topics = {"orders"}};
    return request;
  }
  std::shared_ptr<Beat> Send(HeartbeatRequest request) {
    auto answer = std::make_shared<Beat>();
    Do(coordinator_->Heartbeat(
        std::move(request), now_,
        [answer](absl::StatusOr<HeartbeatReply> reply) { *answer = std::move(reply); }));
    return answer;
  }
  HeartbeatReply Join(const std::string& member) {
    Pass(kDealWindow);
    const auto answer = Send(Joining(member));
    EXPECT_TRUE(answer->has_value() && (**answer).ok());
    return *answer->value_or(absl::UnknownError("nothing came"));
  }
  std::shared_ptr<Beat> Next(const HeartbeatReply& last, uint64_t sequence,
                             std::vector<TopicPartition> owned) {
    return Send({.group = "g",
                 .member_id = last.member_id,
                 .sequence = sequence,
                 .generation = last.generation,
                 .owned = std::move(owned)});
  }
  Reason RefusalOf(HeartbeatRequest request) {
    const auto answer = Send(std::move(request));
    return answer->has_value() ? ReasonOf((**answer).status()) : Reason::kNone;
  }

  absl::Status Commit(const std::string& member, int32_t generation, int64_t offset,
                      std::optional<Offset> expected = std::nullopt,
                      TopicPartition partition = kFirst) {
    CommitRequest request{.group = "g"};
    if (!member.empty()) request.committer = {.member_id = member, .generation = generation};
    request.offsets.push_back(
        {.partition = partition, .value = {.offset = Offset(offset)}, .expected = expected});
    absl::Status outcome = absl::UnknownError("nothing came");
    Do(coordinator_->Commit(std::move(request), now_, [&](const std::vector<absl::Status>& each) {
      outcome = each.front();
    }));
    return outcome;
  }
  /// -1: nothing is committed.
  int64_t Committed(TopicPartition partition = kFirst) {
    int64_t offset = -1;
    Do(coordinator_->FetchOffsets({.group = "g"}, now_, [&](const auto& offsets) {
      if (offsets.ok() && offsets->contains(partition))
        offset = offsets->at(partition).offset.value();
    }));
    return offset;
  }
  absl::Status Reset(int64_t offset, ResetRequest::WhileLive while_live) {
    absl::Status outcome = absl::UnknownError("nothing came");
    Do(coordinator_->Reset(
        {.group = "g", .offsets = {{kFirst, Offset(offset)}}, .while_live = while_live}, now_,
        [&](const std::vector<absl::Status>& each) { outcome = each.front(); }));
    return outcome;
  }
  /// A second topic, of one partition.
  TopicPartition AddOther() {
    const TopicId id({9, 9});
    topics_.by_name["other"] = {.id = id, .partitions = 1};
    topics_.name_of[id] = "other";
    Do(coordinator_->OnTopics(Topics(), now_));
    return {.topic_id = id, .partition = PartitionId(0)};
  }
  absl::Status Forget(const TopicPartition& partition) {
    absl::Status outcome = absl::UnknownError("nothing came");
    Do(coordinator_->Forget({.group = "g", .partitions = {partition}}, now_,
                            [&](const absl::StatusOr<std::vector<absl::Status>>& each) {
                              outcome = each.ok() ? each->front() : each.status();
                            }));
    return outcome;
  }
  absl::Status Delete() {
    absl::Status outcome = absl::UnknownError("nothing came");
    Do(coordinator_->Delete("g", now_, [&](const absl::Status& status) { outcome = status; }));
    return outcome;
  }
  absl::Status Leave(const std::string& member, bool keeps = false) {
    absl::Status outcome = absl::UnknownError("nothing came");
    Do(coordinator_->Leave({.group = "g", .member_id = member, .keeps_partitions = keeps}, now_,
                           [&](const absl::Status& status) { outcome = status; }));
    return outcome;
  }

  /// Of a classic member.
  ClassicJoinOutcome JoinClassic(const std::string& group, const std::string& id = "",
                                 const std::string& metadata = "") {
    // A join that waits is answered when this has returned.
    const auto outcome = std::make_shared<ClassicJoinOutcome>();
    outcome->status = absl::UnknownError("it waits");
    Do(coordinator_->Join({.group = group,
                           .member_id = id,
                           .client_id = "k",
                           .protocol_type = "consumer",
                           .protocols = {{"range", metadata}}},
                          now_,
                          [outcome](ClassicJoinOutcome answer) { *outcome = std::move(answer); }));
    return *outcome;
  }
  std::vector<std::string> Groups() {
    std::vector<std::string> names;
    Do(coordinator_->List(now_, [&](const auto& groups) {
      for (const GroupSummary& group : *groups) names.push_back(group.group);
    }));
    return names;
  }
  absl::Status CommitAs(std::optional<Committer> committer) {
    absl::Status outcome = absl::UnknownError("nothing came");
    CommitRequest request{.group = "g", .committer = std::move(committer)};
    request.offsets.push_back({.partition = kFirst, .value = {.offset = Offset(1)}});
    Do(coordinator_->Commit(std::move(request), now_, [&](const std::vector<absl::Status>& each) {
      outcome = each.front();
    }));
    return outcome;
  }
  /// The coordinator holds what a full replay of its log gives.
  void ExpectAsLogged() {
    const auto encoded = [](const std::vector<Change>& changes) {
      std::map<std::string, std::string> folded;
      for (const Change& change : changes) {
        const EncodedChange each = Encode(change);
        folded.erase(each.key);
        if (each.value) folded[each.key] = *each.value;
      }
      return folded;
    };
    EXPECT_EQ(encoded(coordinator_->Snapshot()), encoded(log_));
  }

  static constexpr TopicId kOrders{{1}};
  static constexpr TopicPartition kFirst{kOrders, PartitionId(0)};
  static constexpr TopicPartition kSecond{kOrders, PartitionId(1)};

  Counter random_;
  CoordinatorOptions options_;
  TopicCatalogue topics_;
  Now now_{.monotonic = absl::Hours(1), .wall = absl::FromUnixSeconds(1'767'225'600)};
  const absl::Duration begin_ = now_.monotonic;
  std::vector<Change> log_;
  std::unique_ptr<Coordinator> coordinator_;
};

TEST_F(CoordinatorTest, WhatAMemberGetsWrongIsRefusedAndLeavesNothing) {
  HeartbeatRequest request = Joining("a");
  request.group = "";
  EXPECT_EQ(RefusalOf(request), Reason::kInvalidGroup);
  request = Joining("a");
  request.group = std::string(250, 'g');
  EXPECT_EQ(RefusalOf(request), Reason::kInvalidGroup);
  request = Joining("a");
  request.subscription.reset();
  EXPECT_EQ(RefusalOf(request), Reason::kInvalidArgument);
  request = Joining("a");
  request.subscription->patterns = {"or(ders"};
  EXPECT_EQ(RefusalOf(request), Reason::kInvalidArgument);
  request = Joining("a");
  request.lease = absl::Milliseconds(999);
  EXPECT_EQ(RefusalOf(request), Reason::kInvalidSessionTimeout);
  request = Joining(std::string(101, 'a'));
  EXPECT_EQ(RefusalOf(request), Reason::kInvalidArgument);
  request = Joining("a");
  request.generation = 3;
  EXPECT_EQ(RefusalOf(request), Reason::kUnknownMember);
  EXPECT_TRUE(log_.empty());
  EXPECT_TRUE(coordinator_->Snapshot().empty());
}

TEST_F(CoordinatorTest, MembersAgreeOnOneAssignor) {
  Join("a");
  HeartbeatRequest request = Joining("b");
  request.subscription->assignor = Assignor::kRange;
  EXPECT_EQ(RefusalOf(request), Reason::kInconsistentProtocol);
  ASSERT_TRUE(Leave("a").ok());
  EXPECT_EQ(RefusalOf(request), Reason::kNone);
}

TEST_F(CoordinatorTest, HeartbeatWaitsForNewsAndNoLonger) {
  const HeartbeatReply joined = Join("a");
  PassTo(absl::Seconds(5));
  const auto waiting = Next(joined, 2, joined.assigned);
  EXPECT_FALSE(waiting->has_value());
  PassTo(absl::Milliseconds(7999));
  EXPECT_FALSE(waiting->has_value());
  PassTo(absl::Seconds(8));
  ASSERT_TRUE(waiting->has_value());
  EXPECT_EQ((**waiting)->assigned, joined.assigned);
}

TEST_F(CoordinatorTest, HeartbeatsThatHaveWaitedAreAnsweredTogether) {
  const HeartbeatReply alone = Join("a");
  const HeartbeatReply idle = Join("b");
  const HeartbeatReply told = **Next(alone, 2, alone.assigned)->operator->();
  const auto lets_go = Next(told, 3, told.assigned);
  const HeartbeatReply b = **Next(idle, 2, {})->operator->();
  PassTo(absl::Milliseconds(5001));
  const HeartbeatReply a = **lets_go->operator->();
  const auto a_waits = Next(a, 4, a.assigned);
  PassTo(absl::Milliseconds(5099));
  const auto b_waits = Next(b, 3, b.assigned);
  PassTo(absl::Milliseconds(7999));
  EXPECT_FALSE(a_waits->has_value());
  EXPECT_FALSE(b_waits->has_value());
  PassTo(absl::Seconds(8));
  EXPECT_TRUE(a_waits->has_value());
  EXPECT_TRUE(b_waits->has_value());
}

TEST_F(CoordinatorTest, AHeartbeatThatWaitsForLessThanTheGridStillWaits) {
  const HeartbeatReply joined = Join("a");
  PassTo(absl::Milliseconds(5010));
  const auto waiting = Send({.group = "g",
                             .member_id = "a",
                             .sequence = 2,
                             .generation = joined.generation,
                             .owned = joined.assigned,
                             .wait = absl::Milliseconds(50)});
  PassTo(absl::Milliseconds(5059));
  EXPECT_FALSE(waiting->has_value());
  PassTo(absl::Milliseconds(5060));
  EXPECT_TRUE(waiting->has_value());
}

TEST_F(CoordinatorTest, AHeartbeatThatDoesNotWaitIsAnsweredAtOnce) {
  const HeartbeatReply joined = Join("a");
  PassTo(absl::Milliseconds(5050));
  const auto answered = Send({.group = "g",
                              .member_id = "a",
                              .sequence = 2,
                              .generation = joined.generation,
                              .owned = joined.assigned,
                              .wait = absl::ZeroDuration()});
  Pass(absl::ZeroDuration());
  EXPECT_TRUE(answered->has_value());
}

TEST_F(CoordinatorTest, OvertakenHeartbeatIsAnsweredAndALateOneChangesNothing) {
  const HeartbeatReply joined = Join("a");
  const auto waiting = Next(joined, 2, joined.assigned);
  const auto next = Next(joined, 3, joined.assigned);
  ASSERT_TRUE(waiting->has_value());
  EXPECT_EQ(ReasonOf((**waiting).status()), Reason::kConflict);
  const auto late = Next(joined, 2, {});
  EXPECT_EQ(ReasonOf((**late).status()), Reason::kConflict);
  EXPECT_TRUE(Commit("a", joined.generation, 1).ok()) << "it still owns everything";
  EXPECT_FALSE(next->has_value());
}

TEST_F(CoordinatorTest, LateHeartbeatFreesNothingThatItsSenderHadNotHeardOf) {
  const HeartbeatReply a = Join("a");
  const auto a_waits = Next(a, 2, a.assigned);
  const HeartbeatReply b = Join("b");
  const auto b_waits = Next(b, 2, {});
  const HeartbeatReply kept = **a_waits->operator->();
  Next(kept, 3, kept.assigned);
  ASSERT_TRUE(b_waits->has_value());
  Restart();  // So that sequences are forgotten.
  Next(b, 2, {});
  const TopicPartition got = (**b_waits)->assigned.front();
  EXPECT_TRUE(Commit("b", (**b_waits)->generation, 1, std::nullopt, got).ok());
}

TEST_F(CoordinatorTest, MemberWithoutHeartbeatsLosesAllAndCannotCommit) {
  const HeartbeatReply joined = Join("a");
  ASSERT_TRUE(Commit("a", joined.generation, 5).ok());
  Pass(absl::Seconds(10));
  EXPECT_EQ(ReasonOf(Commit("a", joined.generation, 9)), Reason::kUnknownMember);
  EXPECT_EQ(Join("b").assigned.size(), 2u);
  EXPECT_EQ(Committed(), 5);
}

TEST_F(CoordinatorTest, WallClockEndsNoLease) {
  const HeartbeatReply joined = Join("a");
  now_.wall += absl::Hours(24 * 365);
  Do(coordinator_->Tick(now_));
  EXPECT_TRUE(Commit("a", joined.generation, 5).ok());
}

TEST_F(CoordinatorTest, OnlyTheOwnerCommits) {
  const HeartbeatReply a = Join("a");
  Next(a, 2, a.assigned);
  Join("b");
  EXPECT_EQ(ReasonOf(Commit("b", 99, 5)), Reason::kNotOwner);
  EXPECT_EQ(ReasonOf(Commit("", 0, 5)), Reason::kGroupNotEmpty);
  EXPECT_EQ(ReasonOf(Commit("a", a.generation - 1, 5)), Reason::kIllegalGeneration);
  EXPECT_EQ(ReasonOf(Commit("a", a.generation + 99, 5)), Reason::kIllegalGeneration);
  EXPECT_EQ(Committed(), -1);
}

TEST_F(CoordinatorTest, CommitsAreChecked) {
  EXPECT_EQ(ReasonOf(Commit("", 0, -1)), Reason::kInvalidArgument);
  EXPECT_EQ(ReasonOf(Commit("", 0, 1, {}, {.topic_id = TopicId({9}), .partition = {}})),
            Reason::kUnknownTopicId);
  EXPECT_EQ(ReasonOf(Commit("", 0, 1, {}, {.topic_id = kOrders, .partition = PartitionId(2)})),
            Reason::kUnknownPartition);
  EXPECT_TRUE(coordinator_->Snapshot().empty());
}

TEST_F(CoordinatorTest, CompareAndSetRefusesWhatWasChangedMeanwhile) {
  EXPECT_EQ(ReasonOf(Commit("", 0, 5, Offset(4))), Reason::kConflict);
  EXPECT_TRUE(Commit("", 0, 5, Offset(-1)).ok());
  EXPECT_EQ(ReasonOf(Commit("", 0, 9, Offset(-1))), Reason::kConflict);
  EXPECT_TRUE(Commit("", 0, 9, Offset(5)).ok());
  EXPECT_EQ(Committed(), 9);
}

TEST_F(CoordinatorTest, StaticMemberComesBackToItsPartitions) {
  HeartbeatRequest request = Joining("a");
  request.instance_id = "i";
  const auto a = Send(request);
  Join("b");
  request = Joining("a2");
  request.instance_id = "i";
  EXPECT_EQ(RefusalOf(request), Reason::kInstanceInUse);
  ASSERT_TRUE(Leave("a", true).ok());
  Pass(kDealWindow);
  const int64_t moves = coordinator_->counts().moves;
  const auto back = Send(request);
  ASSERT_TRUE(back->has_value() && (**back).ok());
  EXPECT_EQ((**back)->assigned.size(), 1u);
  EXPECT_EQ(coordinator_->counts().moves, moves + 1);
  EXPECT_EQ(ReasonOf(Commit("a", (**a)->generation, 1)), Reason::kUnknownMember);
}

TEST_F(CoordinatorTest, VacantPlaceIsGivenUpAfterOneMoreLease) {
  HeartbeatRequest request = Joining("a");
  request.instance_id = "i";
  Send(request);
  const HeartbeatReply b = Join("b");
  EXPECT_TRUE(b.assigned.empty());
  HeartbeatReply last = b;
  uint64_t sequence = 2;
  const auto renew = [&] {
    const auto beat = Next(last, sequence++, last.assigned);
    Pass(absl::Seconds(3));
    if (beat->has_value()) last = **beat->operator->();
  };
  for (int i = 0; i < 6; ++i) renew();
  EXPECT_EQ(last.assigned.size(), 1u) << "18 s: the lease has ended, its place is vacant";
  for (int i = 0; i < 3; ++i) renew();
  EXPECT_EQ(last.assigned.size(), 2u);
}

TEST_F(CoordinatorTest, ResetNeedsForceWhileMembersAreLiveAndFencesThem) {
  const HeartbeatReply joined = Join("a");
  const auto waiting = Next(joined, 2, joined.assigned);
  EXPECT_EQ(ReasonOf(Reset(3, ResetRequest::WhileLive::kRefuse)), Reason::kGroupNotEmpty);
  ASSERT_TRUE(Reset(3, ResetRequest::WhileLive::kForce).ok());
  ASSERT_TRUE(waiting->has_value());
  EXPECT_EQ((**waiting)->assigned, std::vector{kSecond});
  EXPECT_EQ(ReasonOf(Commit("a", (**waiting)->generation, 50)), Reason::kNotOwner);
  EXPECT_EQ(Committed(), 3);
  const auto again = Next(**waiting->operator->(), 3, {kSecond});
  ASSERT_TRUE(again->has_value());
  EXPECT_EQ((**again)->assigned.size(), 2u);
  EXPECT_EQ(ReasonOf(Commit("a", joined.generation, 50)), Reason::kIllegalGeneration);
  EXPECT_TRUE(Commit("a", (**again)->generation, 4).ok());
}

TEST_F(CoordinatorTest, OnlyAGroupWithoutMembersIsDeleted) {
  EXPECT_EQ(ReasonOf(Delete()), Reason::kUnknownGroup);
  const HeartbeatReply joined = Join("a");
  ASSERT_TRUE(Commit("a", joined.generation, 5).ok());
  EXPECT_EQ(ReasonOf(Delete()), Reason::kGroupNotEmpty);
  ASSERT_TRUE(Leave("a").ok());
  ASSERT_TRUE(Delete().ok());
  EXPECT_EQ(Committed(), -1);
  Restart();
  EXPECT_TRUE(coordinator_->Snapshot().empty());
}

TEST_F(CoordinatorTest, OffsetsThatAreForgottenStayForgotten) {
  ASSERT_TRUE(Commit("", 0, 5).ok());
  ASSERT_TRUE(Commit("", 0, 6, std::nullopt, kSecond).ok());
  EXPECT_TRUE(Forget(kFirst).ok());
  Restart();
  EXPECT_EQ(Committed(kFirst), -1);
  EXPECT_EQ(Committed(kSecond), 6);
  EXPECT_TRUE(Forget(kSecond).ok());
  EXPECT_TRUE(coordinator_->Snapshot().empty());
}

TEST_F(CoordinatorTest, WhatIsNotCommittedIsForgottenAlready) {
  EXPECT_EQ(ReasonOf(Forget(kFirst)), Reason::kUnknownGroup);
  ASSERT_TRUE(Commit("", 0, 5).ok());
  EXPECT_TRUE(Forget(kSecond).ok());
  EXPECT_EQ(Committed(kFirst), 5);
}

TEST_F(CoordinatorTest, OffsetsOfTopicsThatMembersReadAreKept) {
  const TopicPartition other = AddOther();
  ASSERT_TRUE(Commit("", 0, 5).ok());
  ASSERT_TRUE(Commit("", 0, 7, std::nullopt, other).ok());
  Join("a");
  EXPECT_EQ(ReasonOf(Forget(kFirst)), Reason::kGroupNotEmpty);
  EXPECT_TRUE(Forget(other).ok());
  EXPECT_EQ(Committed(kFirst), 5);
  EXPECT_EQ(Committed(other), -1);
}

TEST_F(CoordinatorTest, OffsetsOfTopicsThatClassicMembersReadAreKept) {
  const TopicPartition other = AddOther();
  ASSERT_TRUE(Commit("", 0, 5).ok());
  ASSERT_TRUE(Commit("", 0, 7, std::nullopt, other).ok());
  const std::string id = JoinClassic("g").reply.member_id;
  JoinClassic("g", id, std::string("\0\1\0\0\0\1\0\6orders\0\0", 16));
  Pass(options_.initial_rebalance_delay);
  EXPECT_EQ(ReasonOf(Forget(kFirst)), Reason::kGroupNotEmpty);
  EXPECT_TRUE(Forget(other).ok());
}

TEST_F(CoordinatorTest, WhoDoesNotSayWhatItReadsKeepsAllOffsets) {
  ASSERT_TRUE(Commit("", 0, 5).ok());
  const std::string id = JoinClassic("g").reply.member_id;
  JoinClassic("g", id, "?");
  Pass(options_.initial_rebalance_delay);
  EXPECT_EQ(ReasonOf(Forget(kFirst)), Reason::kGroupNotEmpty);
}

TEST(ConsumerSubscriptionTest, TopicsAreReadFromTheBeginning) {
  const std::string bytes("\0\3\0\0\0\2\0\1a\0\2bcmore", 17);
  EXPECT_EQ(TopicsOfConsumer(bytes), (std::set<std::string>{"a", "bc"}));
  EXPECT_EQ(TopicsOfConsumer(std::string_view("\0\0\0\0\0\0", 6)), std::set<std::string>());
}

TEST(ConsumerSubscriptionTest, AnythingElseIsNothing) {
  const std::string bytes("\0\0\0\0\0\1\0\3abc", 11);
  ASSERT_TRUE(TopicsOfConsumer(bytes).has_value());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(TopicsOfConsumer(std::string_view(bytes).substr(0, size)), std::nullopt) << size;
  }
  EXPECT_EQ(TopicsOfConsumer(std::string_view("\xff\xff\0\0\0\0", 6)), std::nullopt);
  EXPECT_EQ(TopicsOfConsumer(std::string_view("\0\0\xff\xff\xff\xff", 6)), std::nullopt);
  EXPECT_EQ(TopicsOfConsumer(std::string_view("\0\0\0\0\0\1\xff\xff", 8)), std::nullopt);
  EXPECT_EQ(TopicsOfConsumer(std::string_view("\0\0\x7f\xff\xff\xff", 6)), std::nullopt);
}

TEST_F(CoordinatorTest, OffsetsOfADeadGroupExpire) {
  const HeartbeatReply joined = Join("a");
  ASSERT_TRUE(Commit("a", joined.generation, 5).ok());
  now_.wall += absl::Hours(24 * 30);
  Do(coordinator_->Expire(now_.wall));
  EXPECT_EQ(Committed(), 5) << "it is live";
  ASSERT_TRUE(Leave("a").ok());
  Do(coordinator_->Expire(now_.wall + absl::Hours(24 * 7) - absl::Seconds(1)));
  EXPECT_EQ(Committed(), 5);
  Do(coordinator_->Expire(now_.wall + absl::Hours(24 * 7)));
  EXPECT_EQ(Committed(), -1);
  EXPECT_TRUE(coordinator_->Snapshot().empty());
}

TEST_F(CoordinatorTest, NothingExpiresByATimeThatIsNotBelieved) {
  ASSERT_TRUE(Commit("", 0, 5).ok());
  Do(coordinator_->Expire(absl::InfinitePast()));
  EXPECT_EQ(Committed(), 5);
}

TEST_F(CoordinatorTest, OffsetsGoWithTheRecordOfADeletionOnly) {
  ASSERT_TRUE(Commit("", 0, 5).ok());
  topics_.by_name.clear();
  topics_.name_of.clear();
  Do(coordinator_->OnTopics(Topics(), now_));
  EXPECT_EQ(Committed(), 5) << "the topic is not known, which says nothing";
  topics_.deleted.insert(kOrders);
  Do(coordinator_->OnTopics(Topics(), now_));
  EXPECT_EQ(Committed(), -1);
}

TEST_F(CoordinatorTest, NewPartitionsAndNewTopicsArePickedUp) {
  HeartbeatRequest request = Joining("a");
  request.subscription->patterns = {"or.*"};
  const auto joined = Send(request);
  const auto waiting = Next(**joined->operator->(), 2, (**joined)->assigned);
  topics_.by_name["orders"].partitions = 3;
  topics_.by_name["oranges"] = {.id = TopicId({2}), .partitions = 1};
  topics_.name_of[TopicId({2})] = "oranges";
  Do(coordinator_->OnTopics(Topics(), now_));
  ASSERT_TRUE(waiting->has_value());
  EXPECT_EQ((**waiting)->assigned.size(), 4u);
}

TEST_F(CoordinatorTest, GroupSpeaksOneProtocolAtATime) {
  const HeartbeatReply joined = Join("a");
  ASSERT_TRUE(Commit("a", joined.generation, 5).ok());
  const auto join = [&] {
    Reason reason = Reason::kNone;
    Do(coordinator_->Join(
        {.group = "g", .client_id = "k", .protocol_type = "consumer", .protocols = {{"range", ""}}},
        now_, [&](const ClassicJoinOutcome& outcome) { reason = ReasonOf(outcome.status); }));
    return reason;
  };
  EXPECT_EQ(join(), Reason::kGroupKindMismatch);
  ASSERT_TRUE(Leave("a").ok());
  EXPECT_EQ(join(), Reason::kMemberIdRequired);
  EXPECT_EQ(Committed(), 5);
}

TEST_F(CoordinatorTest, ToldMemberIdOutlivesItsEmptyGroup) {
  std::string id;
  const auto join = [&] {
    Do(coordinator_->Join({.group = "g",
                           .member_id = id,
                           .client_id = "k",
                           .protocol_type = "consumer",
                           .protocols = {{"range", ""}}},
                          now_, [&](const ClassicJoinOutcome& outcome) {
                            id = outcome.reply.member_id;
                            EXPECT_NE(ReasonOf(outcome.status), Reason::kUnknownMember);
                          }));
  };
  join();
  EXPECT_FALSE(id.empty());
  join();
  Pass(absl::Seconds(3));
  EXPECT_FALSE(id.empty());
}

TEST_F(CoordinatorTest, ResetFencesTheOwnersAlsoAfterARestart) {
  const HeartbeatReply joined = Join("a");
  ASSERT_TRUE(Reset(3, ResetRequest::WhileLive::kForce).ok());
  Restart();
  EXPECT_EQ(ReasonOf(Commit("a", joined.generation, 50)), Reason::kNotOwner);
  EXPECT_EQ(Committed(), 3);
  const auto told = Next(joined, 2, joined.assigned);
  ASSERT_TRUE(told->has_value() && (**told).ok());
  EXPECT_EQ((**told)->assigned, std::vector{kSecond});
  ExpectAsLogged();
}

TEST_F(CoordinatorTest, WhoSpeaksToNobodyChangesNothing) {
  ASSERT_TRUE(CommitAs({}).ok());
  const auto expect_unknown = [](const auto& answer) {
    EXPECT_EQ(ReasonOf(answer), Reason::kUnknownMember);
  };
  Do(coordinator_->ClassicHeartbeat({.group = "g", .member_id = "x"}, now_, expect_unknown));
  Do(coordinator_->Sync({.group = "g", .member_id = "x"}, now_,
                        [&](const auto& reply) { expect_unknown(reply.status()); }));
  Do(coordinator_->ClassicLeave(
      {.group = "g", .members = {{.member_id = "x", .instance_id = ""}}}, now_,
      [&](const std::vector<absl::Status>& each) { expect_unknown(each.front()); }));
  Do(coordinator_->ClassicHeartbeat({.group = "h", .member_id = "x"}, now_, expect_unknown));
  EXPECT_TRUE(CommitAs({}).ok()) << "it is still nobody's group";
  ExpectAsLogged();
  EXPECT_EQ(Groups(), std::vector<std::string>{"g"});
}

TEST_F(CoordinatorTest, RefusedJoinLeavesTheGroupToTheOtherProtocol) {
  const std::string id = JoinClassic("g").reply.member_id;
  HeartbeatRequest request = Joining("a");
  request.lease = absl::Milliseconds(1);
  EXPECT_EQ(RefusalOf(request), Reason::kInvalidSessionTimeout);
  EXPECT_NE(ReasonOf(JoinClassic("g", id).status), Reason::kUnknownMember);
  ExpectAsLogged();
}

TEST_F(CoordinatorTest, IdThatWasToldTurnsNoGroupIntoAClassicOne) {
  Join("a");
  ASSERT_TRUE(Leave("a").ok());
  EXPECT_EQ(ReasonOf(JoinClassic("g").status), Reason::kMemberIdRequired);
  ExpectAsLogged();
  Pass(absl::Seconds(10));
  ExpectAsLogged();
}

TEST_F(CoordinatorTest, IdsThatExpireLeaveNoGroups) {
  for (int i = 0; i < 100; ++i) JoinClassic("g" + std::to_string(i));
  EXPECT_EQ(Groups().size(), 100u);
  Pass(absl::Seconds(10));
  EXPECT_TRUE(Groups().empty());
  EXPECT_TRUE(log_.empty());
}

TEST_F(CoordinatorTest, ExpiryWritesNothingOfGroupsThatTheLogDoesNotHave) {
  const std::string id = JoinClassic("g").reply.member_id;
  Do(coordinator_->Expire(now_.wall + absl::Hours(24 * 365)));
  EXPECT_TRUE(log_.empty());
  EXPECT_NE(ReasonOf(JoinClassic("g", id).status), Reason::kUnknownMember) << "it was told";
}

TEST_F(CoordinatorTest, GroupGoesWithTheLastOffsetOfADeletedTopic) {
  ASSERT_TRUE(CommitAs({}).ok());
  topics_.deleted.insert(kOrders);
  Do(coordinator_->OnTopics(Topics(), now_));
  EXPECT_TRUE(Groups().empty());
  ExpectAsLogged();
  Restart();
  EXPECT_TRUE(Groups().empty());
}

TEST_F(CoordinatorTest, WhoIsInNoGenerationCommitsToAGroupWithoutMembers) {
  EXPECT_TRUE(CommitAs({}).ok());
  EXPECT_TRUE(CommitAs(Committer{.member_id = "", .generation = -1}).ok());
  EXPECT_TRUE(CommitAs(Committer{.member_id = "", .generation = -1, .instance_id = "i"}).ok());
  EXPECT_TRUE(CommitAs(Committer{.member_id = "left", .generation = -1}).ok());
  EXPECT_EQ(ReasonOf(CommitAs(Committer{.member_id = "", .generation = 0})),
            Reason::kIllegalGeneration);
  EXPECT_EQ(ReasonOf(CommitAs(Committer{.member_id = "left", .generation = 3})),
            Reason::kIllegalGeneration);
  Join("a");
  EXPECT_EQ(ReasonOf(CommitAs({})), Reason::kGroupNotEmpty);
  EXPECT_EQ(ReasonOf(CommitAs(Committer{.member_id = "left", .generation = -1})),
            Reason::kUnknownMember);
  ASSERT_TRUE(Leave("a").ok());
  EXPECT_EQ(ReasonOf(CommitAs(Committer{.member_id = "a", .generation = 3})),
            Reason::kUnknownMember);
  EXPECT_TRUE(CommitAs(Committer{.member_id = "a", .generation = -1}).ok());
}

TEST_F(CoordinatorTest, SubscriptionsAreBounded) {
  HeartbeatRequest request = Joining("a");
  request.subscription->topics = {std::string(250, 't')};
  EXPECT_EQ(RefusalOf(request), Reason::kInvalidArgument);
  request.subscription->topics.assign(400, std::string(200, 't'));
  EXPECT_EQ(RefusalOf(request), Reason::kInvalidArgument);
}

TEST_F(CoordinatorTest, StaticMemberReturnsToAFullGroupAndChoosesTheAssignorAlone) {
  options_.members_max = 2;
  Restart();
  HeartbeatRequest request = Joining("a");
  request.instance_id = "i";
  Send(request);
  Join("b");
  ASSERT_TRUE(Leave("a", true).ok());
  request.member_id = "a2";
  EXPECT_EQ(RefusalOf(request), Reason::kNone);
  EXPECT_EQ(RefusalOf(Joining("c")), Reason::kGroupFull);
  ASSERT_TRUE(Leave("b").ok());
  ASSERT_TRUE(Leave("a2", true).ok());
  request.member_id = "a3";
  request.subscription->assignor = Assignor::kRange;
  EXPECT_EQ(RefusalOf(request), Reason::kNone) << "there is no other member";
}

TEST_F(CoordinatorTest, UnrelatedTopicMovesNothing) {
  HeartbeatRequest request = Joining("a");
  request.subscription->assignor = Assignor::kLagAware;
  const auto a = Send(request);
  const auto waiting = Next(**a->operator->(), 2, (**a)->assigned);
  Pass(kDealWindow);
  request.member_id = "b";
  Send(request);
  Next(**waiting->operator->(), 3, (**waiting)->assigned);
  const CoordinatorCounts before = coordinator_->counts();
  coordinator_->OnLags({{"g", {{kFirst, 1'000'000}}}});
  topics_.by_name["others"] = {.id = TopicId({2}), .partitions = 5};
  topics_.name_of[TopicId({2})] = "others";
  Do(coordinator_->OnTopics(Topics(), now_));
  EXPECT_EQ(coordinator_->counts().rebalances, before.rebalances);
  EXPECT_EQ(coordinator_->counts().moves, before.moves);
  topics_.by_name["orders"].partitions = 3;
  Do(coordinator_->OnTopics(Topics(), now_));
  EXPECT_EQ(coordinator_->counts().rebalances, before.rebalances + 1);
}

TEST_F(CoordinatorTest, OffsetsLiveTheirTimeThoughTheClockWasSetBack) {
  const absl::Time believed = now_.wall;
  Do(coordinator_->Expire(believed));
  now_.wall -= absl::Hours(24 * 30);
  ASSERT_TRUE(CommitAs({}).ok());
  Join("a");
  ASSERT_TRUE(Leave("a").ok());
  Do(coordinator_->Expire(believed + absl::Hours(24)));
  EXPECT_EQ(Committed(), 1);
  Do(coordinator_->Expire(believed + absl::Hours(24 * 7)));
  EXPECT_EQ(Committed(), -1);
}

TEST_F(CoordinatorTest, MembersThatComeAndGoTogetherAreDealtOnce) {
  topics_.by_name["orders"].partitions = 500;
  Restart();
  constexpr int kMembers = 500;
  std::vector<std::shared_ptr<Beat>> answers;
  for (int i = 0; i < kMembers; ++i) answers.push_back(Send(Joining("m" + std::to_string(i))));
  Pass(kDealWindow);
  EXPECT_LE(coordinator_->counts().rebalances, 3);
  for (const auto& answer : answers) ASSERT_TRUE(answer->has_value() && (**answer).ok());
  EXPECT_TRUE((**answers.back())->assigned.empty()) << "the first member has them still";
  Pass(absl::Seconds(10));
  EXPECT_EQ(coordinator_->counts().expiries, kMembers);
  EXPECT_LE(coordinator_->counts().rebalances, 4);
}

TEST_F(CoordinatorTest, PlacesOfVacantMembersOutliveTheCoordinator) {
  topics_.by_name["orders"].partitions = 6;
  Restart();
  const auto with_instance = [this](const std::string& id, const std::string& instance) {
    HeartbeatRequest request = Joining(id);
    request.instance_id = instance;
    return request;
  };
  // What each has in the end, when all have let go of what is not theirs any more.
  std::map<std::string, HeartbeatReply> last;
  std::map<std::string, std::shared_ptr<Beat>> beats;
  uint64_t sequence = 1;
  for (const std::string id : {"a", "b", "c"}) {
    Pass(kDealWindow);
    beats[id] = Send(with_instance(id, "i-" + id));
    for (int i = 0; i < 6; ++i) {
      ++sequence;
      for (auto& [name, beat] : beats) {
        if (beat->has_value()) last[name] = **beat->operator->();
        beat = Next(last[name], sequence, last[name].assigned);
      }
    }
  }
  std::map<std::string, std::vector<TopicPartition>> had;
  for (const std::string id : {"b", "c"}) {
    had[id] = last[id].assigned;
    EXPECT_EQ(had[id].size(), 2u);
    ASSERT_TRUE(Leave(id, true).ok());
  }
  Restart();
  ExpectAsLogged();
  for (const std::string id : {"c", "b"}) {
    Pass(kDealWindow);
    const auto back = Send(with_instance(id + "2", "i-" + id));
    ASSERT_TRUE(back->has_value() && (**back).ok());
    EXPECT_EQ((**back)->assigned, had[id]);
  }
}

TEST_F(CoordinatorTest, WhatWaitsIsToldWhenTheCoordinatorGoes) {
  const HeartbeatReply joined = Join("a");
  const auto waiting = Next(joined, 2, joined.assigned);
  coordinator_->Abandon(MakeError(Reason::kCoordinatorNotAvailable, "it moves"));
  ASSERT_TRUE(waiting->has_value());
  EXPECT_EQ(ReasonOf((**waiting).status()), Reason::kCoordinatorNotAvailable);
}

TEST_F(CoordinatorTest, FailedAppendTurnsItsRepliesIntoErrors) {
  CommitRequest request{.group = "g"};
  request.offsets.push_back({.partition = kFirst, .value = {.offset = Offset(5)}});
  absl::Status outcome;
  Output output =
      coordinator_->Commit(std::move(request), now_,
                           [&](const std::vector<absl::Status>& each) { outcome = each.front(); });
  for (PendingReply& reply : output.replies) {
    reply(MakeError(Reason::kMaybeStored, "the append failed"));
  }
  EXPECT_EQ(ReasonOf(outcome), Reason::kMaybeStored);
}

}  // namespace
}  // namespace talosmq::group
