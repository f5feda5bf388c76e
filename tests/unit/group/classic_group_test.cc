#include "group/classic_group.h"

#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/group/classic_group_fixture.h"

#include <string>
#include <vector>

namespace talosmq::group {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

// Assignments.

TEST_F(ClassicGroupTest, SyncsThatCannotBeAreRefused) {
  const auto ids = Stable(2);
  EXPECT_EQ(ReasonOfSync(world_.Sync("nobody", 1)), Reason::kUnknownMember);
  EXPECT_EQ(ReasonOfSync(world_.Sync(ids[1], 0)), Reason::kIllegalGeneration);
  EXPECT_EQ(ReasonOfSync(world_.Sync(
                {.group = "g", .member_id = ids[1], .generation = 1, .protocol_type = "connect"})),
            Reason::kInconsistentProtocol);
  EXPECT_EQ(ReasonOfSync(world_.Sync(
                {.group = "g", .member_id = ids[1], .generation = 1, .protocol = "sticky"})),
            Reason::kInconsistentProtocol);
  world_.Join(ids[0]);
  EXPECT_EQ(ReasonOfSync(world_.Sync(ids[1], 1)), Reason::kRebalanceInProgress);
}

TEST_F(ClassicGroupTest, SyncsWaitForTheLeader) {
  const Joined leader = world_.Join("");
  const Joined follower = world_.Join("");
  const Joined forgotten = world_.Join("");
  world_.Advance(absl::Seconds(6));
  const std::string id = Reply(follower).member_id;
  const Synced overtaken = world_.Sync(id, 1);
  const Synced waiting = world_.Sync(id, 1);
  EXPECT_EQ(ReasonOfSync(overtaken), Reason::kConflict);
  EXPECT_EQ(ReasonOfSync(world_.Sync(id, 1)), Reason::kDeadlineExceeded);
  EXPECT_EQ(ReasonOfSync(waiting), Reason::kConflict);
  const Synced last = world_.Sync(id, 1, {{id, "only the leader says"}});
  EXPECT_EQ(ReasonOfSync(last), Reason::kDeadlineExceeded);
  EXPECT_EQ(AssignmentOf(world_.Sync(Reply(leader).leader, 1, {{id, "x"}, {"nobody", "y"}})), "");
  EXPECT_EQ(AssignmentOf(last), "x");
  EXPECT_EQ(AssignmentOf(world_.Sync(Reply(forgotten).member_id, 1)), "");
}

TEST_F(ClassicGroupTest, WhomTheLeaderForgetsDoesNotKeepItsOldAssignment) {
  const auto ids = Stable(2);
  world_.Join(ids[0]);
  world_.Join(ids[1]);
  EXPECT_EQ(AssignmentOf(world_.Sync(ids[0], 2, {{ids[0], "all"}})), "all");
  EXPECT_EQ(AssignmentOf(world_.Sync(ids[1], 2)), "");
}

TEST_F(ClassicGroupTest, AssignmentsThatCannotBeStoredAreRefused) {
  const Joined leader = world_.Join("");
  world_.Advance(absl::Seconds(6));
  const std::string id = Reply(leader).member_id;
  EXPECT_EQ(ReasonOfSync(world_.Sync(id, 1, {{id, std::string(kClassicGroupBytesMax, 'x')}})),
            Reason::kInvalidArgument);
  EXPECT_EQ(AssignmentOf(world_.Sync(id, 1, {{id, "less"}})), "less");
}

TEST_F(ClassicGroupTest, SyncsThatWaitAreToldOfTheNextRebalance) {
  const Joined leader = world_.Join("");
  const Joined follower = world_.Join("");
  world_.Advance(absl::Seconds(6));
  const Synced waiting = world_.Sync(Reply(follower).member_id, 1);
  world_.Join("");
  EXPECT_EQ(ReasonOfSync(waiting), Reason::kRebalanceInProgress);
}

TEST_F(ClassicGroupTest, WhoNeverAsksForItsAssignmentIsDropped) {
  const Joined leader = world_.Join("");
  const Joined silent = world_.Join("");
  world_.Advance(absl::Seconds(3) + absl::Seconds(3));
  const std::string id = Reply(leader).member_id;
  world_.Sync(id, 1, {});
  for (int i = 0; i < 11; ++i) {
    world_.Advance(absl::Seconds(5));
    EXPECT_TRUE(world_.Heartbeat(id, 1).ok());
    EXPECT_TRUE(world_.Heartbeat(Reply(silent).member_id, 1).ok());
  }
  world_.Advance(absl::Seconds(5));
  EXPECT_EQ(ReasonOf(world_.Heartbeat(Reply(silent).member_id, 1)), Reason::kUnknownMember);
  EXPECT_EQ(ReasonOf(world_.Heartbeat(id, 1)), Reason::kRebalanceInProgress);
}

// Sessions.

TEST_F(ClassicGroupTest, HeartbeatsThatCannotBeAreRefused) {
  const auto ids = Stable(1);
  EXPECT_EQ(ReasonOf(world_.Heartbeat("nobody", 1)), Reason::kUnknownMember);
  EXPECT_EQ(ReasonOf(world_.Heartbeat(ids[0], 2)), Reason::kIllegalGeneration);
  EXPECT_TRUE(world_.Heartbeat(ids[0], 1).ok());
}

TEST_F(ClassicGroupTest, SessionEndsAndTheOthersRebalance) {
  const auto ids = Stable(2);
  world_.Advance(ClassicWorld::kSession - absl::Seconds(1));
  EXPECT_TRUE(world_.Heartbeat(ids[0], 1).ok());
  world_.Advance(absl::Seconds(1));
  EXPECT_EQ(ReasonOf(world_.Heartbeat(ids[1], 1)), Reason::kUnknownMember);
  EXPECT_EQ(ReasonOf(world_.CheckCommit(ids[1], 1)), Reason::kUnknownMember);
  EXPECT_EQ(ReasonOf(world_.Heartbeat(ids[0], 1)), Reason::kRebalanceInProgress);
}

TEST_F(ClassicGroupTest, CommitsRenewTheSession) {
  const auto ids = Stable(1);
  for (int i = 0; i < 5; ++i) {
    world_.Advance(ClassicWorld::kSession - absl::Seconds(1));
    EXPECT_TRUE(world_.CheckCommit(ids[0], 1).ok());
  }
}

TEST_F(ClassicGroupTest, WhoWaitsForAnAnswerLives) {
  const auto ids = Stable(2);
  const Joined waiting = world_.Join(ids[0]);
  for (int i = 0; i < 4; ++i) {
    world_.Advance(absl::Seconds(9));
    EXPECT_EQ(ReasonOf(world_.Heartbeat(ids[1], 1)), Reason::kRebalanceInProgress);
  }
  EXPECT_FALSE(waiting->has_value());
  world_.Join(ids[1]);
  EXPECT_EQ(ReasonOfJoin(waiting), Reason::kNone);
}

// Leaving.

TEST_F(ClassicGroupTest, EachOfThoseWhoLeaveIsAnswered) {
  const auto ids = Settle({world_.Join(""), world_.Join(Static("i")), world_.Join(Static("j"))});
  const auto statuses = world_.Leave({{.member_id = "nobody", .instance_id = ""},
                                      {.member_id = ids[0], .instance_id = "i"},
                                      {.member_id = "", .instance_id = "k"},
                                      {.member_id = "", .instance_id = ""},
                                      {.member_id = "", .instance_id = "i"},
                                      {.member_id = ids[0], .instance_id = ""}});
  std::vector<Reason> reasons;
  reasons.reserve(statuses.size());
  for (const absl::Status& status : statuses) reasons.push_back(ReasonOf(status));
  EXPECT_THAT(reasons,
              ElementsAre(Reason::kUnknownMember, Reason::kMemberFenced, Reason::kUnknownMember,
                          Reason::kUnknownMember, Reason::kNone, Reason::kNone));
  EXPECT_THAT(world_.group().members(), SizeIs(1));
  EXPECT_EQ(ReasonOf(world_.Heartbeat(ids[2], 1)), Reason::kRebalanceInProgress);
}

TEST_F(ClassicGroupTest, LeavingOfNobodyDisturbsNobody) {
  const auto ids = Stable(1);
  world_.Leave({{.member_id = "nobody", .instance_id = ""}});
  EXPECT_TRUE(world_.Heartbeat(ids[0], 1).ok());
}

TEST_F(ClassicGroupTest, WhoLeavesWhileItWaitsIsAnswered) {
  const auto ids = Stable(2);
  const Joined waiting = world_.Join(ids[0]);
  world_.Leave({{.member_id = ids[0], .instance_id = ""}});
  EXPECT_EQ(ReasonOfJoin(waiting), Reason::kUnknownMember);
}

TEST_F(ClassicGroupTest, LastMemberLeavesAnEmptyGroupOfAnotherGeneration) {
  const auto ids = Stable(1);
  const absl::Time left = world_.now().wall;
  world_.Leave({{.member_id = ids[0], .instance_id = ""}});
  EXPECT_TRUE(world_.group().is_empty());
  EXPECT_EQ(world_.group().record().generation, 2);
  EXPECT_EQ(world_.group().record().emptied, left);
  EXPECT_EQ(world_.group().next_tick(), absl::InfiniteDuration());
  EXPECT_EQ(ReasonOf(world_.Heartbeat(ids[0], 2)), Reason::kUnknownMember);
}

TEST_F(ClassicGroupTest, GroupIsEmptiedAlsoWhileAToldIdMayCome) {
  // Else its record would say after a restart that it was emptied in 1970, and its offsets expire.
  const auto ids = Stable(1);
  ClassicJoinRequest request = ClassicWorld::JoinRequest("");
  request.first_join = ClassicJoinRequest::FirstJoin::kTellId;
  request.member_id = Reply(world_.Join(request)).member_id;
  world_.Leave({{.member_id = ids[0], .instance_id = ""}});
  EXPECT_TRUE(world_.group().is_empty());
  EXPECT_EQ(world_.group().record().emptied, world_.now().wall);
  EXPECT_FALSE(world_.Join(request)->has_value());
}

// Commits.

TEST_F(ClassicGroupTest, CommitsThatCannotBeAreRefused) {
  const auto ids = Settle({world_.Join(""), world_.Join(Static("i"))});
  EXPECT_EQ(ReasonOf(world_.CheckCommit("", -1)), Reason::kUnknownMember);
  EXPECT_EQ(ReasonOf(world_.CheckCommit("nobody", 1)), Reason::kUnknownMember);
  EXPECT_EQ(ReasonOf(world_.CheckCommit(ids[0], 0)), Reason::kIllegalGeneration);
  EXPECT_EQ(ReasonOf(world_.CheckCommit(ids[0], 1, "i")), Reason::kMemberFenced);
  EXPECT_TRUE(world_.CheckCommit(ids[0], 1).ok());
}

TEST_F(ClassicGroupTest, CommitsAreTakenWhileMembersJoinButNotBeforeTheyAreAssigned) {
  const auto ids = Stable(2);
  world_.Join(ids[0]);
  EXPECT_TRUE(world_.CheckCommit(ids[1], 1).ok());
  world_.Join(ids[1]);
  EXPECT_EQ(ReasonOf(world_.CheckCommit(ids[1], 1)), Reason::kIllegalGeneration);
  EXPECT_EQ(ReasonOf(world_.CheckCommit(ids[1], 2)), Reason::kRebalanceInProgress);
}

// Restarts.

TEST_F(ClassicGroupTest, StableGroupGoesOnAfterARestartWithNewSessions) {
  const auto ids = Stable(2);
  world_.Advance(absl::Seconds(9));
  world_.Restart();
  world_.Advance(absl::Seconds(9));
  EXPECT_TRUE(world_.Heartbeat(ids[0], 1).ok());
  EXPECT_EQ(AssignmentOf(world_.Sync(ids[1], 1)), "for " + ids[1]);
}

TEST_F(ClassicGroupTest, RebalanceGoesOnAfterARestart) {
  const auto ids = Stable(2);
  const Joined newcomer = world_.Join("");
  world_.Restart();
  EXPECT_EQ(ReasonOfJoin(newcomer), Reason::kCoordinatorNotAvailable);
  EXPECT_EQ(ReasonOf(world_.Heartbeat(ids[0], 1)), Reason::kRebalanceInProgress);
  const Joined first = world_.Join(ids[0]);
  const Joined second = world_.Join(ids[1]);
  const Joined again = world_.Join(Reply(newcomer).member_id);
  ASSERT_EQ(ReasonOfJoin(again), Reason::kNone);
  EXPECT_EQ(Reply(again).generation, 2);
  EXPECT_THAT(Reply(first).members, SizeIs(3));
}

TEST_F(ClassicGroupTest, GenerationWithoutAssignmentIsNotUsedAgainAfterARestart) {
  const Joined first = world_.Join("");
  const Joined second = world_.Join("");
  world_.Advance(absl::Seconds(6));
  const std::string leader = Reply(first).member_id;
  ASSERT_EQ(Reply(first).generation, 1);
  world_.Restart();
  EXPECT_EQ(ReasonOfSync(world_.Sync(leader, 1, {{leader, "all"}})), Reason::kRebalanceInProgress);
  const Joined again = world_.Join(leader);
  world_.Join(Reply(second).member_id);
  EXPECT_EQ(Reply(again).generation, 2);
}

TEST_F(ClassicGroupTest, MemberThatLeftStaysAwayAfterARestart) {
  const auto ids = Stable(2);
  world_.Leave({{.member_id = ids[0], .instance_id = ""}});
  world_.Restart();
  EXPECT_EQ(ReasonOf(world_.Heartbeat(ids[0], 1)), Reason::kUnknownMember);
  EXPECT_EQ(ReasonOf(world_.Heartbeat(ids[1], 1)), Reason::kRebalanceInProgress);
}

TEST_F(ClassicGroupTest, WhatWaitsIsAnsweredWhenTheGroupIsAbandoned) {
  const Joined first = world_.Join("");
  world_.Join("");
  world_.Advance(absl::Seconds(6));
  const Synced sync = world_.Sync(Reply(first).member_id, 7);
  EXPECT_EQ(ReasonOfSync(sync), Reason::kIllegalGeneration);
  const std::string follower = world_.group().members().rbegin()->first;
  const std::string id =
      follower == Reply(first).leader ? world_.group().members().begin()->first : follower;
  const Synced waiting = world_.Sync(id, 1);
  world_.Restart();
  EXPECT_EQ(ReasonOfSync(waiting), Reason::kCoordinatorNotAvailable);
}

}  // namespace
}  // namespace talosmq::group
