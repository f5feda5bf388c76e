// Coordinators, groups, and the offsets that they commit.

#include "kafka/error_code.h"
#include "kafka/handlers.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/kafka/handler_fixture.h"

#include <string>
#include <vector>

namespace talosmq::kafka {
namespace {

using KafkaGroupHandlersTest = HandlerTest;

TEST_F(KafkaGroupHandlersTest, TransactionsAreRefusedForGood) {
  const int16_t refused = 53;
  InitProducerIdRequest init;
  init.transactional_id = "mine";
  EXPECT_EQ(Ask<InitProducerIdResponse>(init, 4).error_code, refused);
  FindCoordinatorRequest find;
  find.key = "mine";
  find.key_type = 1;
  EXPECT_EQ(Ask<FindCoordinatorResponse>(find, 1).error_code, refused);
  find.key = {};
  find.coordinator_keys = {"mine"};
  EXPECT_EQ(Ask<FindCoordinatorResponse>(find, 4).coordinators.at(0).error_code, refused);
}

// Those of groups that share records, for one, were told that transactions are refused.
TEST_F(KafkaGroupHandlersTest, CoordinatorsOfAnUnknownKindAreInvalid) {
  FindCoordinatorRequest find;
  find.key_type = 2;
  EXPECT_EQ(Ask<FindCoordinatorResponse>(find, 1).error_code, Wire(ErrorCode::kInvalidRequest));
}

// A client that is told of a lost leader gives up its group, and of a lost coordinator asks again.
TEST_F(KafkaGroupHandlersTest, WhatIsSoonOverIsTheCoordinatorsFaultToMembers) {
  for (const Reason reason : {Reason::kShuttingDown, Reason::kUnavailable, Reason::kOverloaded,
                              Reason::kDeadlineExceeded, Reason::kMaybeStored, Reason::kNotLeader,
                              Reason::kNotEnoughReplicas, Reason::kStorageFenced}) {
    broker_.groups.status = MakeError(reason, "soon over");
    const int16_t wanted = Wire(ErrorCode::kCoordinatorNotAvailable);
    EXPECT_EQ(Ask<JoinGroupResponse>(JoinGroupRequest(), 9).error_code, wanted);
    EXPECT_EQ(Ask<SyncGroupResponse>(SyncGroupRequest(), 5).error_code, wanted);
    EXPECT_EQ(Ask<HeartbeatResponse>(HeartbeatRequest(), 4).error_code, wanted);
    EXPECT_EQ(Ask<LeaveGroupResponse>(LeaveGroupRequest(), 2).error_code, wanted);
    EXPECT_EQ(Ask<OffsetFetchResponse>(OffsetFetchRequest(), 7).error_code, wanted);
  }
}

TEST_F(KafkaGroupHandlersTest, OffsetsCommitForThemselves) {
  const std::string long_text(group::kMetadataBytesMax + 1, 'x');
  OffsetCommitRequest request;
  request.topics = {
      {.name = "orders",
       .partitions = {{.partition = 0, .committed_offset = 5, .committed_metadata = "short"},
                      {.partition = 1, .committed_metadata = long_text},
                      {.partition = 2, .committed_metadata = std::nullopt}}}};
  const auto answered = Ask<OffsetCommitResponse>(request, 8);
  std::vector<int16_t> codes;
  for (const auto& partition : answered.topics.at(0).partitions) {
    codes.push_back(partition.error_code);
  }
  EXPECT_THAT(codes, testing::ElementsAre(0, Wire(ErrorCode::kOffsetMetadataTooLarge),
                                          Wire(ErrorCode::kUnknownTopicOrPartition)));
}

// Clients know it as a commit that fails; that the group is not empty is no answer to a commit in
// Kafka.
TEST_F(KafkaGroupHandlersTest, WhoeverIsNoMemberIsUnknownToAGroupWithMembers) {
  broker_.groups.status = MakeError(Reason::kGroupNotEmpty, "it has members");
  OffsetCommitRequest request;
  request.topics = {
      {.name = "orders",
       .partitions = {
           {.partition = 0, .committed_offset = 5, .committed_metadata = std::nullopt}}}};
  EXPECT_EQ(Ask<OffsetCommitResponse>(request, 8).topics.at(0).partitions.at(0).error_code,
            Wire(ErrorCode::kUnknownMemberId));
}

TEST_F(KafkaGroupHandlersTest, CommittedOffsetsOfAllTopicsOrOfThoseAskedFor) {
  OffsetFetchRequest request;
  request.topics.reset();
  const auto all = Ask<OffsetFetchResponse>(request, 7);
  EXPECT_EQ(all.topics.at(0).name, "orders");
  EXPECT_EQ(all.topics.at(0).partitions.at(0).committed_offset, 5);
  request.topics = {{.name = "orders", .partitions = {1}}};
  const auto asked = Ask<OffsetFetchResponse>(request, 1);
  EXPECT_EQ(asked.topics.at(0).partitions.at(0).committed_offset, -1);
  EXPECT_EQ(asked.topics.at(0).partitions.at(0).error_code, 0);
}

TEST_F(KafkaGroupHandlersTest, GroupsNamedAgainAreDescribedOnce) {
  DescribeGroupsRequest request;
  request.groups = {"b", "a", "b", "b"};
  const auto told = Ask<DescribeGroupsResponse>(request, 5);
  ASSERT_EQ(told.groups.size(), 2);
  EXPECT_EQ(told.groups[0].group_id, "b");
  EXPECT_EQ(told.groups[1].group_id, "a");
  EXPECT_EQ(told.groups[1].error_code, 0);
}

TEST_F(KafkaGroupHandlersTest, OffsetsAskedForAgainAreToldOnce) {
  OffsetFetchRequest of_groups;
  const OffsetFetchRequest::Group all{.group_id = "readers", .topics = std::nullopt};
  of_groups.groups = {all, {.group_id = "others", .topics = std::nullopt}, all};
  const auto told = Ask<OffsetFetchResponse>(of_groups, 8);
  ASSERT_EQ(told.groups.size(), 2);
  EXPECT_EQ(told.groups[0].group_id, "readers");
  EXPECT_EQ(told.groups[1].group_id, "others");
  EXPECT_EQ(told.groups[1].topics.at(0).partitions.at(0).committed_offset, 5);

  OffsetFetchRequest of_partitions;
  of_partitions.topics = {{.name = "orders", .partitions = {0, 1, 0, 0}},
                          {.name = "orders", .partitions = {0}}};
  const auto asked = Ask<OffsetFetchResponse>(of_partitions, 7);
  ASSERT_EQ(asked.topics.size(), 1);
  ASSERT_EQ(asked.topics[0].partitions.size(), 2);
  EXPECT_EQ(asked.topics[0].partitions[0].committed_offset, 5);
  EXPECT_EQ(asked.topics[0].partitions[1].committed_offset, -1);
}

TEST_F(KafkaGroupHandlersTest, OffsetsAreForgottenUnlessMembersReadTheTopic) {
  OffsetDeleteRequest request;
  request.group_id = "readers";
  request.topics = {
      {.name = "orders", .partitions = {{.partition = 0}, {.partition = 7}, {.partition = 1}}}};
  const auto told = Ask<OffsetDeleteResponse>(request, 0);
  EXPECT_EQ(told.error_code, 0);
  std::vector<int16_t> codes;
  for (const auto& partition : told.topics.at(0).partitions) codes.push_back(partition.error_code);
  EXPECT_THAT(codes, testing::ElementsAre(0, Wire(ErrorCode::kUnknownTopicOrPartition),
                                          Wire(ErrorCode::kGroupSubscribedToTopic)));
  broker_.groups.status = MakeError(Reason::kUnknownGroup, "no such group");
  EXPECT_EQ(Ask<OffsetDeleteResponse>(request, 0).error_code, Wire(ErrorCode::kGroupIdNotFound));
}

TEST_F(KafkaGroupHandlersTest, GroupsAreListedWithTheirTypeAndByTheirState) {
  ListGroupsRequest request;
  const auto all = Ask<ListGroupsResponse>(request, 4).groups;
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all.at(0).protocol_type, "connect");
  request.states_filter = {"Stable"};
  const auto stable = Ask<ListGroupsResponse>(request, 4).groups;
  ASSERT_EQ(stable.size(), 1u);
  EXPECT_EQ(stable.at(0).group_state, "Stable");
}

}  // namespace
}  // namespace talosmq::kafka
