// Members of the native protocol: heartbeats, leases, and what is dealt to whom.

#include "gtest/gtest.h"
#include "unit/group/coordinator_fixture.h"

#include <optional>
#include <string>
#include <vector>

namespace talosmq::group {
namespace {

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

TEST_F(CoordinatorTest, MembersThatComeAndGoTogetherAreDealtOnce) {
  topics_.by_name["orders"].partitions = 500;
  Restart();
  const int members = 500;
  std::vector<std::shared_ptr<Beat>> answers;
  answers.reserve(members);
  for (int i = 0; i < members; ++i) answers.push_back(Send(Joining("m" + std::to_string(i))));
  Pass(kDealWindow);
  EXPECT_LE(coordinator_->counts().rebalances, 3);
  for (const auto& answer : answers) ASSERT_TRUE(answer->has_value() && (**answer).ok());
  EXPECT_TRUE((**answers.back())->assigned.empty()) << "the first member has them still";
  Pass(absl::Seconds(10));
  EXPECT_EQ(coordinator_->counts().expiries, members);
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

}  // namespace
}  // namespace talosmq::group
