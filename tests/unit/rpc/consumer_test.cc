#include "rpc/group_messages.h"
#include "talosmq/v1/consumer.grpc.pb.h"

#include "gtest/gtest.h"
#include "unit/rpc/front_fixture.h"

#include <memory>
#include <string>

namespace talosmq::rpc {
namespace {

class ConsumerTest : public FrontTest {
 protected:
  void AddPartition(v1::GroupPartition& to, int32_t partition) {
    to.set_topic_id(IdBytes());
    to.set_partition(partition);
  }

  std::unique_ptr<v1::ConsumerService::Stub> consumers_ = v1::ConsumerService::NewStub(channel_);
};

TEST_F(ConsumerTest, HeartbeatReachesTheCoordinatorWhole) {
  groups_.heartbeat_reply = group::HeartbeatReply{
      .member_id = "m", .generation = 7, .lease = absl::Seconds(10), .assigned = {kLog, kOtherLog}};
  v1::HeartbeatRequest request;
  request.set_group("g");
  request.set_member_id("m");
  request.set_sequence(3);
  request.set_generation(6);
  request.set_instance_id("i");
  request.set_client_id("c");
  request.set_lease_ms(20'000);
  request.set_wait_ms(1000);
  request.mutable_subscription()->add_topics("orders");
  request.mutable_subscription()->add_patterns("or.*");
  request.mutable_subscription()->set_assignor(v1::ASSIGNOR_RANGE);
  AddPartition(*request.add_owned(), 1);
  v1::HeartbeatResponse response;
  const auto context = Context();
  ASSERT_TRUE(consumers_->Heartbeat(context.get(), request, &response).ok());

  const group::HeartbeatRequest& seen = groups_.heartbeat;
  EXPECT_EQ(seen.group, "g");
  EXPECT_EQ(seen.member_id, "m");
  EXPECT_EQ(seen.sequence, 3u);
  EXPECT_EQ(seen.generation, 6);
  EXPECT_EQ(seen.instance_id, "i");
  EXPECT_EQ(seen.client_id, "c");
  EXPECT_EQ(seen.host, "127.0.0.1");
  EXPECT_EQ(seen.lease, absl::Seconds(20));
  EXPECT_EQ(seen.wait, absl::Seconds(1));
  EXPECT_EQ(seen.owned, std::vector{kOtherLog});
  ASSERT_TRUE(seen.subscription);
  EXPECT_EQ(*seen.subscription,
            (group::Subscription{
                .topics = {"orders"}, .patterns = {"or.*"}, .assignor = group::Assignor::kRange}));
  EXPECT_EQ(response.member_id(), "m");
  EXPECT_EQ(response.generation(), 7);
  EXPECT_EQ(response.lease_ms(), 10'000u);
  ASSERT_EQ(response.assigned_size(), 2);
  EXPECT_EQ(response.assigned(1).partition(), 1);
}

TEST_F(ConsumerTest, AHeartbeatNamesAsManyPartitionsAsAMemberMayOwn) {
  v1::HeartbeatRequest request;
  for (int32_t number = 0; number < 30'000; ++number) AddPartition(*request.add_owned(), number);
  v1::HeartbeatResponse response;
  const auto context = Context();
  ASSERT_TRUE(consumers_->Heartbeat(context.get(), request, &response).ok());
  EXPECT_EQ(groups_.heartbeat.owned.size(), 30'000U);
}

TEST_F(ConsumerTest, LeaseThatIsNotSaidIsTenSeconds) {
  v1::HeartbeatResponse response;
  const auto context = Context();
  ASSERT_TRUE(consumers_->Heartbeat(context.get(), v1::HeartbeatRequest(), &response).ok());
  EXPECT_EQ(groups_.heartbeat.lease, absl::Seconds(10));
  EXPECT_FALSE(groups_.heartbeat.subscription);
}

TEST_F(ConsumerTest, RefusalCarriesItsReason) {
  groups_.heartbeat_reply = MakeError(Reason::kUnknownMember, "group g has no member m");
  v1::HeartbeatResponse response;
  const auto context = Context();
  const auto status = consumers_->Heartbeat(context.get(), v1::HeartbeatRequest(), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(TrailerOf(*context).reason(), v1::REASON_UNKNOWN_MEMBER);
}

TEST_F(ConsumerTest, UnknownAssignorAndBrokenTopicIdAreRefused) {
  v1::HeartbeatRequest request;
  request.mutable_subscription()->set_assignor(static_cast<v1::Assignor>(99));
  v1::HeartbeatResponse response;
  auto context = Context();
  EXPECT_EQ(consumers_->Heartbeat(context.get(), request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  request.Clear();
  request.add_owned()->set_topic_id("short");
  context = Context();
  EXPECT_FALSE(consumers_->Heartbeat(context.get(), request, &response).ok());
  EXPECT_EQ(TrailerOf(*context).reason(), v1::REASON_UNKNOWN_TOPIC_ID);
}

TEST_F(ConsumerTest, EachPartitionOfACommitIsAnsweredOnItsOwn) {
  groups_.commit_outcome = MakeError(Reason::kNotOwner, "expected member m");
  v1::CommitOffsetsRequest request;
  request.set_group("g");
  request.set_member_id("m");
  request.set_generation(4);
  for (int32_t partition = 0; partition < 2; ++partition) {
    v1::OffsetCommit& commit = *request.add_offsets();
    commit.set_topic_id(IdBytes());
    commit.set_partition(partition);
    commit.set_offset(100 + partition);
    commit.set_metadata("words");
    commit.set_leader_epoch_plus_one(6);
  }
  request.mutable_offsets(1)->set_expected_offset(-1);
  v1::CommitOffsetsResponse response;
  const auto context = Context();
  ASSERT_TRUE(consumers_->CommitOffsets(context.get(), request, &response).ok());
  ASSERT_EQ(response.partitions_size(), 2);
  EXPECT_FALSE(response.partitions(0).has_error());
  EXPECT_EQ(response.partitions(1).error().reason(), v1::REASON_NOT_OWNER);
  EXPECT_EQ(response.partitions(1).partition(), 1);
  const group::CommitRequest& seen = groups_.commit;
  ASSERT_TRUE(seen.committer);
  EXPECT_EQ(seen.committer->generation, 4);
  EXPECT_EQ(seen.offsets[0].value.offset, Offset(100));
  EXPECT_EQ(seen.offsets[0].value.epoch, LeaderEpoch(5));
  EXPECT_EQ(seen.offsets[0].value.metadata, "words");
  EXPECT_FALSE(seen.offsets[0].expected);
  EXPECT_EQ(seen.offsets[1].expected, Offset(-1));
}

TEST_F(ConsumerTest, PartitionThatIsNamedTwiceIsRefused) {
  v1::CommitOffsetsRequest request;
  for (int i = 0; i < 2; ++i) request.add_offsets()->set_topic_id(IdBytes());
  v1::CommitOffsetsResponse response;
  const auto context = Context();
  EXPECT_EQ(consumers_->CommitOffsets(context.get(), request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ConsumerTest, OffsetsComeBackWithAllThatWasCommitted) {
  groups_.offsets[kOtherLog] = {.offset = Offset(5),
                                .epoch = LeaderEpoch(2),
                                .metadata = "words",
                                .committed = absl::FromUnixMillis(1234)};
  v1::FetchOffsetsRequest request;
  request.set_group("g");
  v1::FetchOffsetsResponse response;
  const auto context = Context();
  ASSERT_TRUE(consumers_->FetchOffsets(context.get(), request, &response).ok());
  EXPECT_FALSE(groups_.offsets_request.partitions) << "all are asked for";
  ASSERT_EQ(response.offsets_size(), 1);
  EXPECT_EQ(response.offsets(0).offset(), 5);
  EXPECT_EQ(response.offsets(0).leader_epoch_plus_one(), 3);
  EXPECT_EQ(response.offsets(0).committed_ms(), 1234);
}

TEST_F(ConsumerTest, ResetIsForcedOnlyWhenAsked) {
  v1::ResetOffsetsRequest request;
  request.set_group("g");
  request.add_offsets()->set_topic_id(IdBytes());
  v1::ResetOffsetsResponse response;
  auto context = Context();
  ASSERT_TRUE(consumers_->ResetOffsets(context.get(), request, &response).ok());
  EXPECT_EQ(groups_.reset.while_live, group::ResetRequest::WhileLive::kRefuse);
  request.set_force(true);
  context = Context();
  ASSERT_TRUE(consumers_->ResetOffsets(context.get(), request, &response).ok());
  EXPECT_EQ(groups_.reset.while_live, group::ResetRequest::WhileLive::kForce);
}

TEST_F(ConsumerTest, DescriptionNamesMembersAndWhatTheyOwn) {
  groups_.description = {.summary = {.group = "g",
                                     .kind = group::GroupKind::kNative,
                                     .state = group::GroupState::kStable,
                                     .members = 1},
                         .record = {.kind = group::GroupKind::kNative, .generation = 3},
                         .members = {{"m",
                                      {.client_id = "c",
                                       .host = "10.0.0.1",
                                       .topics = {"orders"},
                                       .owned = {{.partition = kOtherLog, .since = 2}}}}},
                         .offsets = {}};
  v1::DescribeGroupRequest request;
  request.set_group("g");
  v1::DescribeGroupResponse response;
  const auto context = Context();
  ASSERT_TRUE(consumers_->DescribeGroup(context.get(), request, &response).ok());
  EXPECT_EQ(response.group().state(), v1::GROUP_STATE_STABLE);
  EXPECT_EQ(response.protocol(), "sticky");
  ASSERT_EQ(response.members_size(), 1);
  EXPECT_EQ(response.members(0).host(), "10.0.0.1");
  ASSERT_EQ(response.members(0).owned_size(), 1);
  EXPECT_EQ(response.members(0).owned(0).partition(), 1);
}

TEST(HostOfTest, IsWhatStandsBetweenSchemeAndPort) {
  EXPECT_EQ(HostOf("ipv4:10.0.0.1:4711"), "10.0.0.1");
  EXPECT_EQ(HostOf("ipv6:[::1]:4711"), "[::1]");
  EXPECT_EQ(HostOf("unix:"), "unix:");
}

}  // namespace
}  // namespace talosmq::rpc
