#include "client/group_member.h"

#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/client/group_member_fixture.h"

#include <string>

namespace talosmq::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

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

}  // namespace
}  // namespace talosmq::client
