// What a member of a group commits, and how it leaves.

#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/client/group_member_fixture.h"

#include <utility>
#include <vector>

namespace talosmq::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(GroupMemberTest, OnlyWhatItHasCanBeCommitted) {
  net_->held_methods.insert(kCommit);
  Join({0, 1});
  AnswerLast(2, {0});
  // Told once more when the member goes.
  const auto reasons = std::make_shared<std::vector<Reason>>();
  const auto commit = [&](const std::vector<int32_t>& numbers) {
    std::vector<OffsetCommit> commits;
    commits.reserve(numbers.size());
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
