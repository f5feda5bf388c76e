// Offsets: who commits, resets and forgets them, and when they expire.

#include "gtest/gtest.h"
#include "unit/group/coordinator_fixture.h"

#include <optional>
#include <string>
#include <vector>

namespace talosmq::group {
namespace {

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

}  // namespace
}  // namespace talosmq::group
