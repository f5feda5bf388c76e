#include "kafka/handlers.h"

#include "kafka/error_code.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/kafka/handler_fixture.h"

#include <deque>
#include <string>
#include <tuple>
#include <vector>

namespace talosmq::kafka {
namespace {

class KafkaHandlersTest : public HandlerTest {
 protected:
  static ListOffsetsRequest ListAt(int64_t timestamp) {
    ListOffsetsRequest request;
    request.topics = {{.name = "orders", .partitions = {{.partition = 0, .timestamp = timestamp}}}};
    return request;
  }
  static std::vector<std::string> Names(const MetadataResponse& response) {
    std::vector<std::string> names;
    for (const auto& topic : response.topics) names.push_back(topic.name.value_or("?"));
    return names;
  }
};

// The status of a read that worked became a result without a value, which ends a debug build.
TEST_F(KafkaHandlersTest, AnOffsetByTimeComesWithTheTimeOfItsRecord) {
  broker_.messages.Store(kOrders0, BatchOf("value", 1234));
  const auto answer = Ask<ListOffsetsResponse>(ListAt(1000), 4).topics.at(0).partitions.at(0);
  EXPECT_EQ(answer.error_code, 0);
  EXPECT_EQ(answer.offset, 0);
  EXPECT_EQ(answer.timestamp, 1234);
  EXPECT_EQ(answer.leader_epoch, 3);
}

// The time was put into a field that version 0 lacks, which ends a debug build.
TEST_F(KafkaHandlersTest, AnOffsetByTimeInVersion0ComesAlone) {
  broker_.messages.Store(kOrders0, BatchOf("value", 1234));
  const auto answer = Ask<ListOffsetsResponse>(ListAt(1000), 0).topics.at(0).partitions.at(0);
  EXPECT_EQ(answer.error_code, 0);
  EXPECT_THAT(answer.old_style_offsets, testing::ElementsAre(0));
}

TEST_F(KafkaHandlersTest, AnOffsetByTimeWithoutARecordIsNone) {
  const auto answer = Ask<ListOffsetsResponse>(ListAt(1000), 1).topics.at(0).partitions.at(0);
  EXPECT_EQ(answer.error_code, 0);
  EXPECT_EQ(answer.offset, -1);
  EXPECT_EQ(answer.timestamp, -1);
}

TEST_F(KafkaHandlersTest, NullTopicsAreAllAndNoTopicsAreNone) {
  MetadataRequest request;
  request.topics.emplace();
  EXPECT_THAT(Names(Ask<MetadataResponse>(request, 0)), testing::ElementsAre("orders"));
  EXPECT_THAT(Names(Ask<MetadataResponse>(request, 1)), testing::IsEmpty());
  request.topics.reset();
  EXPECT_THAT(Names(Ask<MetadataResponse>(request, 1)), testing::ElementsAre("orders"));
}

// One that is not there had an empty name instead of none.
TEST_F(KafkaHandlersTest, TopicsAreFoundByTheirIdsFromVersion12On) {
  MetadataRequest request;
  request.topics = {{.topic_id = FakeTopics::kOrders, .name = std::nullopt},
                    {.topic_id = TopicId({9}), .name = std::nullopt}};
  const auto found = Ask<MetadataResponse>(request, 12);
  EXPECT_EQ(found.topics.at(0).name, "orders");
  EXPECT_EQ(found.topics.at(1).name, std::nullopt);
  EXPECT_EQ(found.topics.at(1).error_code, Wire(ErrorCode::kUnknownTopicId));
}

TEST_F(KafkaHandlersTest, TopicsThatAreNotThereAreErrorsOfTheirOwn) {
  MetadataRequest request;
  request.topics = {{.topic_id = {}, .name = "orders"},
                    {.topic_id = {}, .name = "no topic"},
                    {.topic_id = {}, .name = "other"}};
  const auto found = Ask<MetadataResponse>(request, 9);
  EXPECT_EQ(found.topics.at(0).error_code, 0);
  EXPECT_EQ(found.topics.at(1).error_code, Wire(ErrorCode::kInvalidTopic));
  EXPECT_EQ(found.topics.at(2).error_code, Wire(ErrorCode::kUnknownTopicOrPartition));
}

TEST_F(KafkaHandlersTest, EpochsEndWhereTheNextBegins) {
  broker_.messages.Store(kOrders0, BatchOf("value"));
  OffsetForLeaderEpochRequest request;
  request.topics = {{.name = "orders",
                     .partitions = {{.partition = 0, .leader_epoch = 3},
                                    {.partition = 0, .leader_epoch = 1},
                                    {.partition = 0, .leader_epoch = 4},
                                    {.partition = 0, .current_leader_epoch = 2, .leader_epoch = 3},
                                    {.partition = 7, .leader_epoch = 3}}}};
  const auto found = Ask<OffsetForLeaderEpochResponse>(request, 4).topics.at(0).partitions;
  std::vector<std::tuple<int16_t, int32_t, int64_t>> told;
  for (const auto& partition : found) {
    told.emplace_back(partition.error_code, partition.leader_epoch, partition.end_offset);
  }
  EXPECT_THAT(told,
              testing::ElementsAre(std::tuple(0, 3, 1), std::tuple(0, 1, 0), std::tuple(0, -1, -1),
                                   std::tuple(Wire(ErrorCode::kFencedLeaderEpoch), -1, -1),
                                   std::tuple(Wire(ErrorCode::kUnknownTopicOrPartition), -1, -1)));
}

class KafkaDivergenceTest : public KafkaHandlersTest {
 protected:
  FetchResponse::Topic::Partition FetchAfter(int32_t last_epoch, int64_t offset) {
    FetchRequest request;
    request.max_bytes = 1 << 20;
    request.topics = {{.name = "orders",
                       .partitions = {{.partition = 0,
                                       .fetch_offset = offset,
                                       .last_fetched_epoch = last_epoch,
                                       .partition_max_bytes = 1 << 20}}}};
    return Ask<FetchResponse>(request, 12).topics.at(0).partitions.at(0);
  }
};

TEST_F(KafkaDivergenceTest, WhoHasReadOtherRecordsIsToldWhereTheyPart) {
  broker_.messages.Store(kOrders0, BatchOf("value"));
  const auto beyond = FetchAfter(3, 2);
  EXPECT_EQ(beyond.error_code, 0);
  EXPECT_EQ(beyond.diverging_epoch.epoch, 3);
  EXPECT_EQ(beyond.diverging_epoch.end_offset, 1);
  EXPECT_EQ(beyond.high_watermark, 1);
  EXPECT_TRUE(beyond.records->empty());
  const auto other = FetchAfter(2, 1);
  EXPECT_EQ(other.diverging_epoch.epoch, 2);
  EXPECT_EQ(other.diverging_epoch.end_offset, 0);
}

// Where its log and ours part does not help a client whose records have gone here.
TEST_F(KafkaDivergenceTest, WhoHasReadOtherRecordsBelowTheLogStartIsOutOfRange) {
  for (int i = 0; i < 3; ++i) broker_.messages.Store(kOrders0, BatchOf("value"));
  broker_.messages.MoveLogStarts(Offset(2));
  const auto below = FetchAfter(2, 1);
  EXPECT_EQ(below.error_code, Wire(ErrorCode::kOffsetOutOfRange));
  EXPECT_EQ(below.diverging_epoch.end_offset, -1);
  const auto above = FetchAfter(2, 2);
  EXPECT_EQ(above.error_code, 0);
  EXPECT_EQ(above.diverging_epoch.epoch, 2);
}

TEST_F(KafkaDivergenceTest, WhoHasReadTheSameGoesOn) {
  broker_.messages.Store(kOrders0, BatchOf("value"));
  const auto more = FetchAfter(3, 0);
  EXPECT_EQ(more.error_code, 0);
  EXPECT_EQ(more.diverging_epoch.end_offset, -1);
  EXPECT_FALSE(more.records->empty());
}

TEST_F(KafkaDivergenceTest, AnEpochThatIsNotThereYetIsOutOfRange) {
  EXPECT_EQ(FetchAfter(4, 0).error_code, Wire(ErrorCode::kOffsetOutOfRange));
}

// All of its partitions were read once more, for nobody.
TEST_F(KafkaHandlersTest, AFetchWhoseClientGoesWhileItWaitsReadsNothingMore) {
  broker_.messages.Store(kOrders0, BatchOf("value"));
  FetchRequest request;
  request.max_wait_ms = 60'000;
  request.min_bytes = 1 << 20;
  request.topics = {
      {.name = "orders",
       .partitions = {{.partition = 0, .fetch_offset = 0, .partition_max_bytes = 1 << 20},
                      {.partition = 1, .fetch_offset = 0, .partition_max_bytes = 1 << 20}}}};
  const auto told = Ask<FetchResponse>(request, 11);
  EXPECT_EQ(broker_.messages.fetches(), 4u) << "each partition has been read, and waited at";
  EXPECT_EQ(told.topics.at(0).partitions.at(0).high_watermark, 1);
  EXPECT_TRUE(told.topics.at(0).partitions.at(0).records->empty());
}

TEST_F(KafkaHandlersTest, PartitionsOfOneProduceFailForThemselves) {
  const std::string batch = BatchOf("value");
  std::string old = batch;
  old[16] = 1;
  const std::string two = batch + batch;
  ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 1000;
  request.topics = {{.name = "orders",
                     .partitions = {{.partition = 0, .records = batch},
                                    {.partition = 7, .records = batch},
                                    {.partition = 0, .records = old},
                                    {.partition = 0, .records = two},
                                    {.partition = 0, .records = std::nullopt}}}};
  const auto answered = Ask<ProduceResponse>(request, 9);
  std::vector<int16_t> codes;
  for (const auto& partition : answered.topics.at(0).partitions) {
    codes.push_back(partition.error_code);
  }
  EXPECT_THAT(codes, testing::ElementsAre(0, Wire(ErrorCode::kUnknownTopicOrPartition),
                                          Wire(ErrorCode::kUnsupportedForMessageFormat),
                                          Wire(ErrorCode::kInvalidRecord),
                                          Wire(ErrorCode::kCorruptMessage)));
}

TEST_F(KafkaHandlersTest, TransactionsAreRefusedForGood) {
  constexpr int16_t kRefused = 53;
  InitProducerIdRequest init;
  init.transactional_id = "mine";
  EXPECT_EQ(Ask<InitProducerIdResponse>(init, 4).error_code, kRefused);
  FindCoordinatorRequest find;
  find.key = "mine";
  find.key_type = 1;
  EXPECT_EQ(Ask<FindCoordinatorResponse>(find, 1).error_code, kRefused);
  find.key = {};
  find.coordinator_keys = {"mine"};
  EXPECT_EQ(Ask<FindCoordinatorResponse>(find, 4).coordinators.at(0).error_code, kRefused);
}

// Those of groups that share records, for one, were told that transactions are refused.
TEST_F(KafkaHandlersTest, CoordinatorsOfAnUnknownKindAreInvalid) {
  FindCoordinatorRequest find;
  find.key_type = 2;
  EXPECT_EQ(Ask<FindCoordinatorResponse>(find, 1).error_code, Wire(ErrorCode::kInvalidRequest));
}

// A client that is told of a lost leader gives up its group, and of a lost coordinator asks again.
TEST_F(KafkaHandlersTest, WhatIsSoonOverIsTheCoordinatorsFaultToMembers) {
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

TEST_F(KafkaHandlersTest, OffsetsCommitForThemselves) {
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
TEST_F(KafkaHandlersTest, WhoeverIsNoMemberIsUnknownToAGroupWithMembers) {
  broker_.groups.status = MakeError(Reason::kGroupNotEmpty, "it has members");
  OffsetCommitRequest request;
  request.topics = {
      {.name = "orders",
       .partitions = {
           {.partition = 0, .committed_offset = 5, .committed_metadata = std::nullopt}}}};
  EXPECT_EQ(Ask<OffsetCommitResponse>(request, 8).topics.at(0).partitions.at(0).error_code,
            Wire(ErrorCode::kUnknownMemberId));
}

TEST_F(KafkaHandlersTest, CommittedOffsetsOfAllTopicsOrOfThoseAskedFor) {
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

// Each mention of 5 bytes was answered with all the partitions of the topic.
TEST_F(KafkaHandlersTest, TopicsNamedAgainAreDescribedOnce) {
  MetadataRequest request;
  request.topics = {{.topic_id = {}, .name = "orders"},
                    {.topic_id = {}, .name = "nowhere"},
                    {.topic_id = {}, .name = "orders"},
                    {.topic_id = FakeTopics::kOrders, .name = "orders"},
                    {.topic_id = {}, .name = "nowhere"}};
  EXPECT_THAT(Names(Ask<MetadataResponse>(request, 12)), testing::ElementsAre("orders", "nowhere"));
  request.topics = {{.topic_id = FakeTopics::kOrders, .name = std::nullopt},
                    {.topic_id = FakeTopics::kOrders, .name = std::nullopt}};
  EXPECT_THAT(Names(Ask<MetadataResponse>(request, 12)), testing::ElementsAre("orders"));
}

TEST_F(KafkaHandlersTest, GroupsNamedAgainAreDescribedOnce) {
  DescribeGroupsRequest request;
  request.groups = {"b", "a", "b", "b"};
  const auto told = Ask<DescribeGroupsResponse>(request, 5);
  ASSERT_EQ(told.groups.size(), 2);
  EXPECT_EQ(told.groups[0].group_id, "b");
  EXPECT_EQ(told.groups[1].group_id, "a");
  EXPECT_EQ(told.groups[1].error_code, 0);
}

TEST_F(KafkaHandlersTest, OffsetsAskedForAgainAreToldOnce) {
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

TEST_F(KafkaHandlersTest, TopicsWithoutANameAreUnknownByIt) {
  DeleteTopicsRequest by_name;
  by_name.topic_names = {""};
  EXPECT_EQ(Ask<DeleteTopicsResponse>(by_name, 1).topics.at(0).error_code,
            Wire(ErrorCode::kUnknownTopicOrPartition));
  DeleteTopicsRequest by_id;
  by_id.topics = {{.name = std::nullopt, .topic_id = TopicId({9})}};
  EXPECT_EQ(Ask<DeleteTopicsResponse>(by_id, 6).topics.at(0).error_code,
            Wire(ErrorCode::kUnknownTopicId));
}

/// Two partitions of which one fills the answer.
class KafkaFullFetchTest : public KafkaHandlersTest {
 protected:
  KafkaFullFetchTest() {
    StoreInBoth();
    request_.max_bytes = 1;
    request_.topics = {{.name = "orders",
                        .partitions = {{.partition = 0, .partition_max_bytes = 1},
                                       {.partition = 1, .partition_max_bytes = 1}}}};
  }
  void StoreInBoth() {
    for (const int32_t partition : {0, 1}) {
      broker_.messages.Store({FakeTopics::kOrders, PartitionId(partition)}, BatchOf("value"));
    }
  }
  /// Goes on with the session, and changes nothing.
  FetchResponse GoOn(int32_t session, int32_t epoch) {
    FetchRequest request;
    request.max_bytes = 1;
    request.session_id = session;
    request.session_epoch = epoch;
    return Ask<FetchResponse>(request, 11);
  }

  FetchRequest request_;
};

// It was told that its high watermark is -1, and that nothing is wrong.
TEST_F(KafkaFullFetchTest, APartitionThatIsPassedOverIsToldWithItsEnds) {
  const auto told = Ask<FetchResponse>(request_, 11).topics.at(0).partitions;
  EXPECT_FALSE(told.at(0).records->empty());
  EXPECT_EQ(told.at(1).error_code, 0);
  EXPECT_TRUE(told.at(1).records->empty());
  EXPECT_EQ(told.at(1).high_watermark, 1);
  EXPECT_EQ(told.at(1).last_stable_offset, 1);
  EXPECT_EQ(told.at(1).log_start_offset, 0);
}

TEST_F(KafkaFullFetchTest, APartitionThatIsPassedOverTellsItsOwnError) {
  request_.topics[0].partitions[1].current_leader_epoch = 2;
  const auto told = Ask<FetchResponse>(request_, 11).topics.at(0).partitions;
  EXPECT_EQ(told.at(1).error_code, Wire(ErrorCode::kFencedLeaderEpoch));
}

TEST_F(KafkaFullFetchTest, ASessionSaysNothingOfAPartitionThatIsPassedOver) {
  request_.session_epoch = 0;
  const auto opened = Ask<FetchResponse>(request_, 11);
  ASSERT_GT(opened.session_id, 0);
  EXPECT_EQ(opened.topics.at(0).partitions.at(1).high_watermark, 1);
  const auto first = GoOn(opened.session_id, 1);
  ASSERT_EQ(first.topics.size(), 1u);
  ASSERT_EQ(first.topics[0].partitions.size(), 1u);
  EXPECT_EQ(first.topics[0].partitions[0].partition, 0);
  const auto second = GoOn(opened.session_id, 2);
  ASSERT_EQ(second.topics.size(), 1u);
  ASSERT_EQ(second.topics[0].partitions.size(), 1u);
  EXPECT_EQ(second.topics[0].partitions[0].partition, 1);
  EXPECT_EQ(second.topics[0].partitions[0].high_watermark, 1);
}

class KafkaConfigsTest : public KafkaHandlersTest {
 protected:
  static constexpr int8_t kTopic = 2;
  static constexpr int8_t kBroker = 4;

  DescribeConfigsResponse::Result DescribeOne(
      int8_t type, std::string_view name,
      std::optional<std::vector<std::string_view>> keys = std::nullopt, int16_t version = 4) {
    DescribeConfigsRequest request;
    request.resources = {
        {.resource_type = type, .resource_name = name, .configuration_keys = std::move(keys)}};
    request.include_synonyms = version >= 1;
    request.include_documentation = version >= 3;
    return Ask<DescribeConfigsResponse>(request, version).results.at(0);
  }
  static std::vector<std::string> Told(const DescribeConfigsResponse::Result& result) {
    std::vector<std::string> told;
    for (const auto& config : result.configs) {
      told.push_back(base::StrCat(config.name, "=", config.value.value_or("?"), " of ",
                                  int{config.config_source}));
    }
    return told;
  }
};

TEST_F(KafkaConfigsTest, SettingsOfATopicComeWithWhereTheyComeFrom) {
  const auto topic =
      DescribeOne(kTopic, "orders", {{"cleanup.policy", "label.team", "retention.ms"}});
  EXPECT_THAT(Told(topic), testing::ElementsAre("cleanup.policy=delete of 5",
                                                "label.team=mine of 1", "retention.ms=1000 of 1"));
  const auto& policy = topic.configs.at(0);
  ASSERT_EQ(policy.synonyms.size(), 1u);
  EXPECT_EQ(policy.synonyms[0].name, "log.cleanup.policy");
  EXPECT_EQ(policy.synonyms[0].source, 5);
  const auto& retention = topic.configs.at(2);
  ASSERT_EQ(retention.synonyms.size(), 2u);
  EXPECT_EQ(retention.synonyms[0].name, "retention.ms");
  EXPECT_EQ(retention.synonyms[1].name, "log.retention.ms");
  EXPECT_EQ(retention.synonyms[1].value, "604800000");
  EXPECT_EQ(retention.config_type, 5);
  EXPECT_NE(retention.documentation.value_or(""), "");
  EXPECT_FALSE(retention.read_only);
  EXPECT_EQ(topic.configs.at(1).synonyms.size(), 1u);
}

TEST_F(KafkaConfigsTest, SynonymsAndDocumentationComeWhenAskedFor) {
  DescribeConfigsRequest request;
  request.resources = {
      {.resource_type = kTopic, .resource_name = "orders", .configuration_keys = {}}};
  const auto topic = Ask<DescribeConfigsResponse>(request, 4).results.at(0);
  EXPECT_TRUE(topic.configs.at(0).synonyms.empty());
  EXPECT_EQ(topic.configs.at(0).documentation, std::nullopt);
}

TEST_F(KafkaConfigsTest, OnlyTheSettingsThatAreAskedForAreTold) {
  EXPECT_THAT(Told(DescribeOne(kTopic, "orders", {{"retention.ms", "no such key"}})),
              testing::ElementsAre("retention.ms=1000 of 1"));
  EXPECT_THAT(Told(DescribeOne(kBroker, "0", {{"num.partitions"}})),
              testing::ElementsAre("num.partitions=8 of 5"));
}

// kafka-python asks for no keys when it wants all.
TEST_F(KafkaConfigsTest, NoKeysAreAllOfThem) {
  const auto all = Told(DescribeOne(kTopic, "orders"));
  EXPECT_GT(all.size(), 10u);
  EXPECT_EQ(Told(DescribeOne(kTopic, "orders", std::vector<std::string_view>())), all);
  EXPECT_EQ(Told(DescribeOne(kBroker, "0", std::vector<std::string_view>())).size(), 2u);
}

// Each of them was answered with all settings, for which all partitions were asked.
TEST_F(KafkaConfigsTest, AResourceIsDescribedOnceInAnAnswer) {
  DescribeConfigsRequest request;
  for (const int8_t type : {kTopic, kBroker, kTopic, kBroker}) {
    request.resources.push_back({.resource_type = type,
                                 .resource_name = type == kTopic ? "orders" : "0",
                                 .configuration_keys = {}});
  }
  const auto told = Ask<DescribeConfigsResponse>(request, 4).results;
  for (const size_t first : {0u, 1u}) {
    EXPECT_EQ(told.at(first).error_code, 0);
    EXPECT_FALSE(told.at(first).configs.empty());
  }
  for (const size_t repeated : {2u, 3u}) {
    EXPECT_EQ(told.at(repeated).error_code, Wire(ErrorCode::kInvalidRequest));
    EXPECT_TRUE(told.at(repeated).configs.empty());
  }
  EXPECT_EQ(broker_.topics.descriptions, 0u);
}

TEST_F(KafkaConfigsTest, ATopicThatIsNotThereHasNoSettings) {
  EXPECT_EQ(DescribeOne(kTopic, "other").error_code, Wire(ErrorCode::kUnknownTopicOrPartition));
}

TEST_F(KafkaConfigsTest, SettingsOfTheBrokerAreReadOnly) {
  const auto broker = DescribeOne(kBroker, "0");
  EXPECT_THAT(Told(broker), testing::ElementsAre("num.partitions=8 of 5", "log.dirs=/data of 4"));
  for (const auto& config : broker.configs) EXPECT_TRUE(config.read_only) << config.name;
}

TEST_F(KafkaConfigsTest, AnotherBrokerIsUnknownAndAllBrokersHaveNothing) {
  EXPECT_EQ(DescribeOne(kBroker, "7").error_code, Wire(ErrorCode::kInvalidRequest));
  EXPECT_EQ(DescribeOne(kBroker, "zero").error_code, Wire(ErrorCode::kInvalidRequest));
  const auto all = DescribeOne(kBroker, "");
  EXPECT_EQ(all.error_code, 0);
  EXPECT_TRUE(all.configs.empty());
  EXPECT_EQ(DescribeOne(8, "0").error_code, Wire(ErrorCode::kInvalidRequest));
}

TEST_F(KafkaConfigsTest, AlteringReplacesAllSettings) {
  AlterConfigsRequest request;
  request.resources = {{.resource_type = kTopic,
                        .resource_name = "orders",
                        .configs = {{.name = "retention.ms", .value = "5000"}}},
                       {.resource_type = kTopic, .resource_name = "other", .configs = {}},
                       {.resource_type = kBroker, .resource_name = "0", .configs = {}},
                       {.resource_type = kTopic,
                        .resource_name = "another",
                        .configs = {{.name = "retention.ms", .value = std::nullopt}}}};
  const auto told = Ask<AlterConfigsResponse>(request, 2).resources;
  EXPECT_EQ(told.at(0).error_code, 0);
  EXPECT_EQ(told.at(1).error_code, Wire(ErrorCode::kUnknownTopicOrPartition));
  EXPECT_EQ(told.at(2).error_code, Wire(ErrorCode::kInvalidRequest));
  EXPECT_EQ(told.at(3).error_code, Wire(ErrorCode::kInvalidRequest));
}

TEST_F(KafkaConfigsTest, NothingIsAlteredOfAResourceThatIsNamedTwice) {
  AlterConfigsRequest all;
  IncrementalAlterConfigsRequest some;
  for (const std::string_view value : {"1000", "2000"}) {
    all.resources.push_back({.resource_type = kTopic,
                             .resource_name = "orders",
                             .configs = {{.name = "retention.ms", .value = value}}});
    some.resources.push_back({.resource_type = kTopic,
                              .resource_name = "orders",
                              .configs = {{.name = "retention.ms", .value = value}}});
  }
  for (const auto& told : Ask<AlterConfigsResponse>(all, 2).resources) {
    EXPECT_EQ(told.error_code, Wire(ErrorCode::kInvalidRequest));
  }
  for (const auto& told : Ask<IncrementalAlterConfigsResponse>(some, 1).resources) {
    EXPECT_EQ(told.error_code, Wire(ErrorCode::kInvalidRequest));
  }
  EXPECT_FALSE(broker_.topics.altered.has_value());
}

// The last value held in one way of altering, and the first one in the other.
TEST_F(KafkaConfigsTest, ASettingThatIsNamedTwiceIsRefused) {
  AlterConfigsRequest all;
  all.resources = {{.resource_type = kTopic,
                    .resource_name = "orders",
                    .configs = {{.name = "retention.ms", .value = "1000"},
                                {.name = "retention.ms", .value = "2000"}}}};
  EXPECT_EQ(Ask<AlterConfigsResponse>(all, 2).resources.at(0).error_code,
            Wire(ErrorCode::kInvalidRequest));
  IncrementalAlterConfigsRequest some;
  some.resources = {
      {.resource_type = kTopic,
       .resource_name = "orders",
       .configs = {{.name = "retention.ms", .config_operation = 0, .value = "1000"},
                   {.name = "retention.ms", .config_operation = 1, .value = std::nullopt}}}};
  EXPECT_EQ(Ask<IncrementalAlterConfigsResponse>(some, 1).resources.at(0).error_code,
            Wire(ErrorCode::kInvalidRequest));
  EXPECT_FALSE(broker_.topics.altered.has_value());
}

TEST_F(KafkaConfigsTest, ASettingWithoutAValueIsToldAsSuch) {
  IncrementalAlterConfigsRequest request;
  request.resources = {
      {.resource_type = kTopic,
       .resource_name = "orders",
       .configs = {{.name = "retention.ms", .config_operation = 0, .value = std::nullopt}}}};
  const auto told = Ask<IncrementalAlterConfigsResponse>(request, 1).resources.at(0);
  EXPECT_EQ(told.error_code, Wire(ErrorCode::kInvalidRequest));
  EXPECT_EQ(told.error_message, "retention.ms has no value");
}

TEST_F(KafkaConfigsTest, AReplacementNamesWhatStays) {
  AlterConfigsRequest request;
  request.resources = {{.resource_type = kTopic,
                        .resource_name = "orders",
                        .configs = {{.name = "retention.ms", .value = "5000"}}}};
  Ask<AlterConfigsResponse>(request, 0);
  ASSERT_TRUE(broker_.topics.altered.has_value());
  EXPECT_EQ(broker_.topics.altered->unnamed, metadata::UnnamedKeys::kGetDefaults);
  EXPECT_EQ(broker_.topics.altered->set.at("retention.ms"), "5000");
}

TEST_F(KafkaConfigsTest, WhatIsOnlyCheckedChangesNothing) {
  AlterConfigsRequest alter;
  alter.validate_only = true;
  alter.resources = {{.resource_type = kTopic, .resource_name = "orders", .configs = {}},
                     {.resource_type = kTopic, .resource_name = "other", .configs = {}}};
  const auto altered = Ask<AlterConfigsResponse>(alter, 2).resources;
  EXPECT_EQ(altered.at(0).error_code, 0);
  EXPECT_EQ(altered.at(1).error_code, Wire(ErrorCode::kUnknownTopicOrPartition));
  EXPECT_FALSE(broker_.topics.altered.has_value());

  CreateTopicsRequest create;
  create.validate_only = true;
  for (const std::string_view name : {"new", "orders"}) {
    auto& topic = create.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = topic.replication_factor = -1;
  }
  const auto created = Ask<CreateTopicsResponse>(create, 7).topics;
  EXPECT_EQ(created.at(0).error_code, 0);
  EXPECT_EQ(created.at(0).num_partitions, 8);
  EXPECT_EQ(created.at(0).topic_id, TopicId());
  EXPECT_EQ(created.at(1).error_code, Wire(ErrorCode::kTopicAlreadyExists));
  EXPECT_TRUE(broker_.topics.created.empty());

  CreatePartitionsRequest grow;
  grow.validate_only = true;
  grow.topics = {{.name = "orders", .count = 3, .assignments = {}},
                 {.name = "orders", .count = 2, .assignments = {}}};
  const auto grown = Ask<CreatePartitionsResponse>(grow, 3).results;
  EXPECT_EQ(grown.at(0).error_code, 0);
  EXPECT_EQ(grown.at(1).error_code, Wire(ErrorCode::kInvalidPartitions));
}

class KafkaAutoCreateTest : public KafkaHandlersTest {
 protected:
  static MetadataRequest AskFor(std::string_view name, bool allows = true) {
    MetadataRequest request;
    request.topics = {{.topic_id = {}, .name = name}};
    request.allow_auto_topic_creation = allows;
    return request;
  }
  int16_t ErrorFor(const MetadataRequest& request, int16_t version = 9) {
    return Ask<MetadataResponse>(request, version).topics.at(0).error_code;
  }
};

TEST_F(KafkaAutoCreateTest, NoTopicComesByItselfUnlessBothSidesWantIt) {
  ErrorFor(AskFor("new"));
  broker_.settings.creates_topics = true;
  ErrorFor(AskFor("new", false));
  EXPECT_TRUE(broker_.topics.created.empty());
}

TEST_F(KafkaAutoCreateTest, ATopicThatIsAskedForIsMade) {
  broker_.settings.creates_topics = true;
  EXPECT_EQ(ErrorFor(AskFor("new")), 0);
  EXPECT_EQ(ErrorFor(AskFor("newer"), 1), 0);
  EXPECT_EQ(ErrorFor(AskFor("orders")), 0);
  EXPECT_THAT(broker_.topics.created, testing::ElementsAre("new", "newer"));
}

TEST_F(KafkaAutoCreateTest, ANameThatCannotBeIsRefused) {
  broker_.settings.creates_topics = true;
  EXPECT_EQ(ErrorFor(AskFor("no topic")), Wire(ErrorCode::kInvalidTopic));
  EXPECT_TRUE(broker_.topics.created.empty());
}

TEST_F(KafkaAutoCreateTest, ATopicThatCannotBeMadeNowIsAskedForAgain) {
  broker_.settings.creates_topics = true;
  broker_.topics.creation_status = MakeError(Reason::kOverloaded, "too much to do");
  EXPECT_EQ(ErrorFor(AskFor("new")), Wire(ErrorCode::kLeaderNotAvailable));
  broker_.topics.creation_status = MakeError(Reason::kUnavailable, "no store");
  EXPECT_EQ(ErrorFor(AskFor("new")), Wire(ErrorCode::kLeaderNotAvailable));
}

// A client that is told to ask again does so for ever.
TEST_F(KafkaAutoCreateTest, WhyATopicCanNeverBeMadeIsTold) {
  broker_.settings.creates_topics = true;
  broker_.topics.creation_status = MakeError(Reason::kInvalidTopicName, "reserved");
  EXPECT_EQ(ErrorFor(AskFor("__new")), Wire(ErrorCode::kInvalidTopic));
  broker_.topics.creation_status = MakeError(Reason::kInvalidReplicas, "one broker");
  EXPECT_EQ(ErrorFor(AskFor("new")), Wire(ErrorCode::kInvalidReplicationFactor));
}

TEST_F(KafkaAutoCreateTest, ARequestMakesSoManyTopicsAndTheNextOneTheRest) {
  constexpr size_t kAtOnce = 100;
  broker_.settings.creates_topics = true;
  std::deque<std::string> names;
  MetadataRequest request;
  request.topics.emplace();
  for (size_t i = 0; i < kAtOnce + 2; ++i) {
    request.topics->push_back(
        {.topic_id = {}, .name = names.emplace_back("t" + std::to_string(i))});
  }
  const auto first = Ask<MetadataResponse>(request, 9).topics;
  EXPECT_EQ(broker_.topics.created.size(), kAtOnce);
  EXPECT_EQ(first.at(kAtOnce - 1).error_code, 0);
  EXPECT_EQ(first.at(kAtOnce).error_code, Wire(ErrorCode::kLeaderNotAvailable));
  for (const auto& topic : Ask<MetadataResponse>(request, 9).topics) {
    EXPECT_EQ(topic.error_code, 0) << topic.name.value_or("?");
  }
}

TEST_F(KafkaHandlersTest, LogDirectoriesTellTheSizesOfPartitions) {
  DescribeLogDirsRequest request;
  const auto all = Ask<DescribeLogDirsResponse>(request, 4).results.at(0);
  EXPECT_EQ(all.log_dir, "/data");
  EXPECT_EQ(all.total_bytes, -1);
  ASSERT_EQ(all.topics.at(0).partitions.size(), 2u);
  EXPECT_EQ(all.topics.at(0).partitions.at(1).partition_size, 200);
  request.topics = {{.name = "other", .partitions = {0}}, {.name = "orders", .partitions = {1, 7}}};
  const auto some = Ask<DescribeLogDirsResponse>(request, 4).results.at(0);
  ASSERT_EQ(some.topics.size(), 1u);
  ASSERT_EQ(some.topics.at(0).partitions.size(), 1u);
  EXPECT_EQ(some.topics.at(0).partitions.at(0).partition, 1);
}

// Each name made all partitions of the topic describe themselves.
TEST_F(KafkaHandlersTest, LogDirectoriesTellOfATopicOnceHoweverOftenItIsNamed) {
  DescribeLogDirsRequest request;
  request.topics = {{.name = "orders", .partitions = {1, 1}},
                    {.name = "orders", .partitions = {}},
                    {.name = "orders", .partitions = {1, 0}}};
  const auto told = Ask<DescribeLogDirsResponse>(request, 4).results.at(0);
  EXPECT_EQ(broker_.topics.descriptions, 1u);
  ASSERT_EQ(told.topics.size(), 1u);
  std::vector<int32_t> partitions;
  for (const auto& partition : told.topics[0].partitions) {
    partitions.push_back(partition.partition);
  }
  EXPECT_THAT(partitions, testing::ElementsAre(0, 1));
}

TEST_F(KafkaHandlersTest, ALogDirectoryTellsThatAPartitionHasFailed) {
  const DescribeLogDirsRequest request;
  for (const Reason reason :
       {Reason::kStorageFenced, Reason::kCorruptData, Reason::kShuttingDown}) {
    broker_.topics.partition_status = MakeError(reason, "no answer");
    const auto told = Ask<DescribeLogDirsResponse>(request, 4).results.at(0);
    EXPECT_EQ(told.error_code, Wire(ErrorCode::kKafkaStorageError));
    EXPECT_EQ(told.topics.at(0).partitions.size(), 1u);
    broker_.topics.partition_status = absl::OkStatus();
    broker_.topics.description_status = MakeError(reason, "no answer");
    EXPECT_EQ(Ask<DescribeLogDirsResponse>(request, 4).results.at(0).error_code,
              Wire(ErrorCode::kKafkaStorageError));
    broker_.topics.description_status = absl::OkStatus();
  }
}

TEST_F(KafkaHandlersTest, ALogDirectoryIsSilentAboutWhatHasGone) {
  const DescribeLogDirsRequest request;
  for (const Reason reason : {Reason::kTopicDeleting, Reason::kUnknownTopicId,
                              Reason::kUnknownTopic, Reason::kUnknownPartition}) {
    broker_.topics.partition_status = MakeError(reason, "deleted");
    const auto told = Ask<DescribeLogDirsResponse>(request, 4).results.at(0);
    EXPECT_EQ(told.error_code, 0);
    EXPECT_EQ(told.topics.at(0).partitions.size(), 1u);
  }
}

// Four bytes more in a request were another copy of the table in its answer.
TEST_F(KafkaHandlersTest, ProducersOfAPartitionAreToldOnceInAnAnswer) {
  DescribeProducersRequest request;
  request.topics = {{.name = "orders", .partitions = {0, 0, 1}},
                    {.name = "orders", .partitions = {1}}};
  const auto topics = Ask<DescribeProducersResponse>(request, 0).topics;
  const auto& first = topics.at(0).partitions;
  EXPECT_EQ(first.at(0).active_producers.size(), 1u);
  EXPECT_EQ(first.at(2).active_producers.size(), 1u);
  for (const auto& repeated : {first.at(1), topics.at(1).partitions.at(0)}) {
    EXPECT_EQ(repeated.error_code, Wire(ErrorCode::kInvalidRequest));
    EXPECT_TRUE(repeated.active_producers.empty());
  }
}

TEST_F(KafkaHandlersTest, AnAnswerTellsOfSoManyProducersAndNoMore) {
  broker_.messages.producers = 60'000;
  DescribeProducersRequest request;
  request.topics = {{.name = "orders", .partitions = {0, 1}}};
  const auto told = Ask<DescribeProducersResponse>(request, 0).topics.at(0).partitions;
  EXPECT_EQ(told.at(0).active_producers.size(), 60'000u);
  EXPECT_EQ(told.at(1).error_code, Wire(ErrorCode::kInvalidRequest));
  EXPECT_TRUE(told.at(1).active_producers.empty());
}

TEST_F(KafkaHandlersTest, ProducersAreToldOfPartitionsThatAreThere) {
  DescribeProducersRequest request;
  request.topics = {{.name = "orders", .partitions = {0, 7}}, {.name = "other", .partitions = {0}}};
  const auto topics = Ask<DescribeProducersResponse>(request, 0).topics;
  const auto& told = topics.at(0).partitions.at(0).active_producers.at(0);
  EXPECT_EQ(told.producer_id, 4000);
  EXPECT_EQ(told.producer_epoch, 2);
  EXPECT_EQ(told.last_sequence, 9);
  EXPECT_EQ(told.last_timestamp, 1234);
  EXPECT_EQ(told.current_txn_start_offset, -1);
  EXPECT_EQ(topics.at(0).partitions.at(1).error_code, Wire(ErrorCode::kUnknownTopicOrPartition));
  EXPECT_EQ(topics.at(1).partitions.at(0).error_code, Wire(ErrorCode::kUnknownTopicOrPartition));
}

TEST_F(KafkaHandlersTest, OffsetsAreForgottenUnlessMembersReadTheTopic) {
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

TEST_F(KafkaHandlersTest, GroupsAreListedWithTheirTypeAndByTheirState) {
  ListGroupsRequest request;
  const auto all = Ask<ListGroupsResponse>(request, 4).groups;
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all.at(0).protocol_type, "connect");
  request.states_filter = {"Stable"};
  const auto stable = Ask<ListGroupsResponse>(request, 4).groups;
  ASSERT_EQ(stable.size(), 1u);
  EXPECT_EQ(stable.at(0).group_state, "Stable");
}

TEST_F(KafkaHandlersTest, SoftwareThatNamesItselfBadlyIsRefused) {
  ApiVersionsRequest request;
  for (const char* const name : {"", "-a", "a-", "a b", "a\n", "a_b"}) {
    request.client_software_name = name;
    request.client_software_version = "1";
    EXPECT_EQ(Ask<ApiVersionsResponse>(request, 3).error_code, Wire(ErrorCode::kInvalidRequest))
        << name;
  }
  request.client_software_name = "apache-kafka.java";
  EXPECT_EQ(Ask<ApiVersionsResponse>(request, 3).error_code, 0);
}

TEST_F(KafkaHandlersTest, SoManyClientsAreToldApartAndNoMore) {
  const size_t before = 1;  // "unknown".
  for (size_t i = 0; i < 2 * FrontMetrics::kSoftwareMax; ++i) {
    front_metrics_.RequestsBy("client", std::to_string(i)).Add(1);
  }
  front_metrics_.RequestsBy(std::string(FrontMetrics::kSoftwareBytesMax + 1, 'x'), "1").Add(1);
  Ask<ApiVersionsResponse>(ApiVersionsRequest(), 0);
  EXPECT_LE(broker_.metrics.CountOf("talosmq_kafka_client_requests_total"),
            FrontMetrics::kSoftwareMax + before);
  EXPECT_EQ(broker_.metrics.ValueOf(
                "talosmq_kafka_client_requests_total{software=client,software_version=5}"),
            1);
  EXPECT_GT(broker_.metrics.ValueOf(
                "talosmq_kafka_client_requests_total{software=other,software_version=other}"),
            static_cast<int64_t>(FrontMetrics::kSoftwareMax) - 1);
}

}  // namespace
}  // namespace talosmq::kafka
