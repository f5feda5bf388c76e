#include "group/coordinator.h"

#include "talosmq/error.h"

#include "gtest/gtest.h"
#include "unit/group/coordinator_fixture.h"

#include <string>
#include <vector>

namespace talosmq::group {
namespace {

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
