// Who joins a classic group, what its next generation is made of, and who is taken over.

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/group/classic_group_fixture.h"

#include <string>
#include <vector>

namespace talosmq::group {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

// Joining.

TEST_F(ClassicGroupTest, JoinsThatCannotBeAreRefused) {
  ClassicJoinRequest request = ClassicWorld::JoinRequest("");
  request.group = "";
  EXPECT_EQ(ReasonOfJoin(world_.Join(request)), Reason::kInvalidGroup);
  request = ClassicWorld::JoinRequest("");
  request.session_timeout = absl::Milliseconds(5999);
  EXPECT_EQ(ReasonOfJoin(world_.Join(request)), Reason::kInvalidSessionTimeout);
  request.session_timeout = absl::Minutes(30) + absl::Milliseconds(1);
  EXPECT_EQ(ReasonOfJoin(world_.Join(request)), Reason::kInvalidSessionTimeout);
  request = With({{"range", std::string(kClassicJoinBytesMax, 'x')}});
  EXPECT_EQ(ReasonOfJoin(world_.Join(request)), Reason::kInvalidArgument);
  EXPECT_EQ(ReasonOfJoin(world_.Join(With({}))), Reason::kInconsistentProtocol);
  EXPECT_EQ(ReasonOfJoin(world_.Join(With({{"", "x"}}))), Reason::kInconsistentProtocol);
  EXPECT_EQ(ReasonOfJoin(world_.Join(With({{"range", ""}, {"", ""}}))),
            Reason::kInconsistentProtocol);
  EXPECT_EQ(ReasonOfJoin(world_.Join("nobody")), Reason::kUnknownMember);
  world_.Advance(absl::Seconds(6));
  EXPECT_TRUE(world_.group().is_empty());
}

TEST_F(ClassicGroupTest, WhoSharesNoProtocolIsRefused) {
  world_.Join(With({{"a", ""}, {"b", ""}}));
  world_.Join(With({{"b", ""}, {"c", ""}}));
  EXPECT_EQ(ReasonOfJoin(world_.Join(With({{"a", ""}, {"c", ""}}))), Reason::kInconsistentProtocol);
  ClassicJoinRequest other = With({{"b", ""}});
  other.protocol_type = "connect";
  EXPECT_EQ(ReasonOfJoin(world_.Join(other)), Reason::kInconsistentProtocol);
}

TEST_F(ClassicGroupTest, IdIsToldBeforeItsMemberIsAdmitted) {
  ClassicJoinRequest request = ClassicWorld::JoinRequest("");
  request.first_join = ClassicJoinRequest::FirstJoin::kTellId;
  const Joined told = world_.Join(request);
  EXPECT_EQ(ReasonOfJoin(told), Reason::kMemberIdRequired);
  EXPECT_TRUE(world_.group().is_empty());
  EXPECT_NE(world_.group().next_tick(), absl::InfiniteDuration());
  request.member_id = Reply(told).member_id;
  const Joined joined = world_.Join(request);
  world_.Advance(absl::Seconds(4));
  EXPECT_EQ(ReasonOfJoin(joined), Reason::kNone);
  EXPECT_EQ(Reply(joined).member_id, request.member_id);
}

TEST_F(ClassicGroupTest, IdThatWasToldExpires) {
  ClassicJoinRequest request = ClassicWorld::JoinRequest("");
  request.first_join = ClassicJoinRequest::FirstJoin::kTellId;
  request.member_id = Reply(world_.Join(request)).member_id;
  world_.Advance(ClassicWorld::kSession);
  EXPECT_EQ(world_.group().next_tick(), absl::InfiniteDuration());
  EXPECT_EQ(ReasonOfJoin(world_.Join(request)), Reason::kUnknownMember);
}

TEST_F(ClassicGroupTest, GenerationWaitsForIdsThatWereTold) {
  const auto ids = Stable(1);
  ClassicJoinRequest request = ClassicWorld::JoinRequest("");
  request.first_join = ClassicJoinRequest::FirstJoin::kTellId;
  world_.Join(request);
  const Joined leader = world_.Join(ids[0]);
  EXPECT_FALSE(leader->has_value());
  world_.Advance(ClassicWorld::kSession);
  EXPECT_EQ(ReasonOfJoin(leader), Reason::kNone);
}

TEST_F(ClassicGroupTest, FullGroupTakesNobodyNewButItsOwn) {
  ClassicWorld world({.members_max = 2});
  ClassicJoinRequest request = ClassicWorld::JoinRequest("");
  const Joined first = world.Join(Static("i"));
  request.first_join = ClassicJoinRequest::FirstJoin::kTellId;
  const Joined told = world.Join(request);
  EXPECT_EQ(ReasonOfJoin(world.Join("")), Reason::kGroupFull) << "told ids count";
  request.member_id = Reply(told).member_id;
  const Joined second = world.Join(request);
  EXPECT_EQ(ReasonOfJoin(world.Join("")), Reason::kGroupFull);
  world.Advance(absl::Seconds(6));
  EXPECT_EQ(ReasonOfJoin(second), Reason::kNone);
  EXPECT_FALSE(world.Join(Static("i"))->has_value()) << "takes over, and waits";
}

TEST_F(ClassicGroupTest, GroupTakesNoMoreBytesThanCanBeStored) {
  const std::string large(kClassicJoinBytesMax - 1000, 'x');
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(ReasonOfJoin(world_.Join(With({{"range", large}}))), Reason::kDeadlineExceeded);
  }
  EXPECT_EQ(ReasonOfJoin(world_.Join(With({{"range", large}}))), Reason::kGroupFull);
}

TEST_F(ClassicGroupTest, LaterJoinOfAMemberOvertakesTheFirst) {
  const auto ids = Stable(2);
  const Joined first = world_.Join(ids[0]);
  const Joined second = world_.Join(ids[0]);
  EXPECT_EQ(ReasonOfJoin(first), Reason::kConflict);
  EXPECT_FALSE(second->has_value());
}

TEST_F(ClassicGroupTest, FirstMembersWaitForOthersButNotForEver) {
  ClassicWorld world({.initial_rebalance_delay = absl::Seconds(25)});
  const Joined first = world.Join("");
  world.Advance(absl::Seconds(20));
  world.Join("");  // Until 25 + 25 s.
  world.Advance(absl::Seconds(29));
  world.Join("");  // Until 60 s, the rebalance timeout, not 75.
  world.Advance(absl::Seconds(10));
  EXPECT_FALSE(first->has_value());
  world.Advance(absl::Seconds(1));
  EXPECT_EQ(ReasonOfJoin(first), Reason::kNone);
  EXPECT_THAT(Reply(first).members, SizeIs(3));
}

TEST_F(ClassicGroupTest, WithoutADelayTheFirstMemberBeginsAtOnce) {
  ClassicWorld world({.initial_rebalance_delay = absl::ZeroDuration()});
  const Joined joined = world.Join("");
  EXPECT_EQ(ReasonOfJoin(joined), Reason::kNone);
  EXPECT_EQ(Reply(joined).generation, 1);
}

TEST_F(ClassicGroupTest, NewcomerThatWaitsTooLongIsDropped) {
  ClassicJoinRequest request = ClassicWorld::JoinRequest("");
  request.rebalance_timeout = absl::Minutes(20);
  request.session_timeout = absl::Minutes(20);
  const Joined first = world_.Join(request);
  Settle({first});
  const Joined newcomer = world_.Join("");
  world_.Advance(absl::Minutes(5));
  EXPECT_EQ(ReasonOfJoin(newcomer), Reason::kUnknownMember);
  EXPECT_THAT(world_.group().members(), SizeIs(1));
}

// The generation.

TEST_F(ClassicGroupTest, WhoDoesNotJoinAgainIsDroppedUnlessStatic) {
  const auto ids = Settle({world_.Join(""), world_.Join(""), world_.Join(Static("i"))});
  const Joined newcomer = world_.Join("");
  // Only the leader comes, the others live and stay away.
  const Joined leader = world_.Join(ids[0]);
  for (int i = 0; i < 11; ++i) {
    world_.Advance(absl::Seconds(5));
    EXPECT_EQ(ReasonOf(world_.Heartbeat(ids[1], 1)), Reason::kRebalanceInProgress);
    EXPECT_EQ(ReasonOf(world_.Heartbeat(ids[2], 1)), Reason::kRebalanceInProgress);
  }
  world_.Advance(absl::Seconds(5));
  EXPECT_EQ(ReasonOfJoin(newcomer), Reason::kNone);
  ASSERT_EQ(ReasonOfJoin(leader), Reason::kNone);
  EXPECT_EQ(Reply(leader).generation, 2);
  EXPECT_EQ(ReasonOf(world_.Heartbeat(ids[1], 1)), Reason::kUnknownMember);
  EXPECT_EQ(ReasonOf(world_.Heartbeat(ids[2], 1)), Reason::kIllegalGeneration);
  EXPECT_THAT(Reply(leader).members, SizeIs(3));
}

TEST_F(ClassicGroupTest, StaticMembersThatAllStayAwayAreWaitedFor) {
  const auto ids = Settle({world_.Join(Static("i")), world_.Join("")});
  world_.Leave({{.member_id = ids[1], .instance_id = ""}});
  for (int i = 0; i < 14; ++i) {
    world_.Advance(absl::Seconds(5));
    EXPECT_EQ(ReasonOf(world_.Heartbeat(ids[0], 1)), Reason::kRebalanceInProgress);
  }
  world_.Advance(ClassicWorld::kSession);
  EXPECT_TRUE(world_.group().is_empty());
}

TEST_F(ClassicGroupTest, LeaderStaysAndAloneHearsOfAllMembers) {
  const auto ids = Stable(2);
  const Joined newcomer = world_.Join("");
  const Joined second = world_.Join(ids[1]);
  const Joined first = world_.Join(ids[0]);
  for (const Joined& joined : {newcomer, second, first}) {
    ASSERT_EQ(ReasonOfJoin(joined), Reason::kNone);
    EXPECT_EQ(Reply(joined).leader, ids[0]);
    EXPECT_EQ(Reply(joined).generation, 2);
  }
  EXPECT_THAT(Reply(second).members, IsEmpty());
  EXPECT_THAT(Reply(first).members, SizeIs(3));
}

TEST_F(ClassicGroupTest, LeaderStaysAlsoWhenAnOlderMemberComesBack) {
  const auto ids = Settle({world_.Join(Static("i")), world_.Join("")});
  // The oldest one, a static member, is away for one generation.
  const Joined newcomer = world_.Join("");
  const Joined second = world_.Join(ids[1]);
  for (int i = 0; i < 11; ++i) {
    world_.Advance(absl::Seconds(5));
    world_.Heartbeat(ids[0], 1).IgnoreError();
  }
  world_.Advance(absl::Seconds(5));
  ASSERT_EQ(ReasonOfJoin(second), Reason::kNone);
  EXPECT_EQ(Reply(second).leader, ids[1]);
  world_.Sync(ids[1], 2);
  world_.Join(ids[1]);
  world_.Join(Reply(newcomer).member_id);
  const Joined oldest = world_.Join(Static("i", ids[0]));
  EXPECT_EQ(Reply(oldest).generation, 3);
  EXPECT_EQ(Reply(oldest).leader, ids[1]);
}

TEST_F(ClassicGroupTest, LeaderThatWentIsFollowedByTheOldestMember) {
  const auto ids = Stable(3);
  world_.Leave({{.member_id = ids[0], .instance_id = ""}});
  const Joined third = world_.Join(ids[2]);
  world_.Join(ids[1]);
  EXPECT_EQ(Reply(third).leader, ids[1]);
}

TEST_F(ClassicGroupTest, MembersVoteAmongTheProtocolsThatAllHave) {
  const Joined first = world_.Join(With({{"a", "1a"}, {"b", "1b"}, {"c", "1c"}}));
  const Joined second = world_.Join(With({{"c", "2c"}, {"b", "2b"}}));
  world_.Join(With({{"d", "3d"}, {"c", "3c"}, {"b", "3b"}}));
  world_.Advance(absl::Seconds(6));
  EXPECT_EQ(Reply(second).protocol, "c");
  ASSERT_THAT(Reply(first).members, SizeIs(3));
  std::vector<std::string> metadata;
  for (const auto& member : Reply(first).members) metadata.push_back(member.metadata);
  EXPECT_THAT(metadata, testing::UnorderedElementsAre("1c", "2c", "3c"));
}

TEST_F(ClassicGroupTest, OnlyALeaderOrChangedMemberDisturbsAStableGroup) {
  const auto ids = Stable(2);
  const Joined same = world_.Join(ids[1]);
  ASSERT_EQ(ReasonOfJoin(same), Reason::kNone);
  EXPECT_EQ(Reply(same).generation, 1);
  EXPECT_EQ(world_.group().state(), GroupState::kStable);
  ClassicJoinRequest changed = ClassicWorld::JoinRequest(ids[1]);
  changed.protocols[0].metadata = "other";
  EXPECT_FALSE(world_.Join(changed)->has_value());
  EXPECT_EQ(world_.group().state(), GroupState::kRebalancing);
  EXPECT_EQ(ReasonOfJoin(world_.Join(ids[0])), Reason::kNone);
}

TEST_F(ClassicGroupTest, LeaderThatJoinsAgainBeginsARebalance) {
  const auto ids = Stable(2);
  EXPECT_FALSE(world_.Join(ids[0])->has_value());
  EXPECT_EQ(ReasonOf(world_.Heartbeat(ids[1], 1)), Reason::kRebalanceInProgress);
}

// Static members.

TEST_F(ClassicGroupTest, TakerOverOfAStableGroupDisturbsNobody) {
  const auto ids = Settle({world_.Join(""), world_.Join(Static("i"))});
  const Joined taker = world_.Join(Static("i"));
  ASSERT_EQ(ReasonOfJoin(taker), Reason::kNone);
  EXPECT_EQ(Reply(taker).generation, 1);
  EXPECT_FALSE(Reply(taker).skips_assignment);
  EXPECT_THAT(Reply(taker).members, IsEmpty());
  EXPECT_TRUE(world_.Heartbeat(ids[0], 1).ok());
  EXPECT_EQ(AssignmentOf(world_.Sync(Reply(taker).member_id, 1)), "for " + ids[1]);
}

TEST_F(ClassicGroupTest, LeaderIsTakenOverWithoutAssigning) {
  const auto ids = Settle({world_.Join(Static("i")), world_.Join("")});
  const Joined taker = world_.Join(Static("i"));
  ASSERT_EQ(ReasonOfJoin(taker), Reason::kNone);
  EXPECT_TRUE(Reply(taker).skips_assignment);
  EXPECT_EQ(Reply(taker).leader, Reply(taker).member_id);
  EXPECT_THAT(Reply(taker).members, SizeIs(2));
  EXPECT_EQ(world_.group().record().leader, Reply(taker).member_id);
}

TEST_F(ClassicGroupTest, WhoWasTakenOverIsFencedEverywhere) {
  const auto ids = Settle({world_.Join(Static("i"))});
  world_.Join(Static("i"));
  EXPECT_EQ(ReasonOf(world_.Heartbeat(
                {.group = "g", .member_id = ids[0], .instance_id = "i", .generation = 7})),
            Reason::kMemberFenced)
      << "before the generation is looked at";
  EXPECT_EQ(ReasonOfJoin(world_.Join(Static("i", ids[0]))), Reason::kMemberFenced);
  EXPECT_EQ(ReasonOfSync(world_.Sync(
                {.group = "g", .member_id = ids[0], .instance_id = "i", .generation = 1})),
            Reason::kMemberFenced);
  EXPECT_EQ(ReasonOf(world_.CheckCommit(ids[0], 1, "i")), Reason::kMemberFenced);
}

TEST_F(ClassicGroupTest, CallsOfWhoIsTakenOverAreAnswered) {
  const auto ids = Settle({world_.Join(Static("i")), world_.Join("")});
  const Joined joined = world_.Join(Static("i", ids[0]));
  EXPECT_FALSE(joined->has_value());
  const Joined taker = world_.Join(Static("i"));
  EXPECT_EQ(ReasonOfJoin(joined), Reason::kMemberFenced);
  world_.Join(ids[1]);
  ASSERT_EQ(ReasonOfJoin(taker), Reason::kNone);
  const std::string id = Reply(taker).member_id;
  EXPECT_EQ(Reply(taker).leader, id);
  const Synced waiting = world_.Sync(ids[1], 2);
  world_.Join(Static("i"));
  EXPECT_EQ(ReasonOfSync(waiting), Reason::kRebalanceInProgress) << "taken over between the two";
}

TEST_F(ClassicGroupTest, TakerOverWithAnotherProtocolBeginsARebalance) {
  ClassicJoinRequest both = Static("i");
  both.protocols = {{"range", ""}, {"sticky", ""}};
  Settle({world_.Join(both)});
  both.protocols = {{"sticky", ""}};
  const Joined taker = world_.Join(both);
  ASSERT_EQ(ReasonOfJoin(taker), Reason::kNone) << "it is alone, so the generation is complete";
  EXPECT_EQ(Reply(taker).generation, 2);
  EXPECT_EQ(Reply(taker).protocol, "sticky");
}

}  // namespace
}  // namespace talosmq::group
