// Metadata, topics that are made and deleted, and where they lie.

#include "kafka/error_code.h"
#include "kafka/handlers.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/kafka/handler_fixture.h"

#include <deque>
#include <string>
#include <vector>

namespace talosmq::kafka {
namespace {

class KafkaTopicHandlersTest : public HandlerTest {
 protected:
  static std::vector<std::string> Names(const MetadataResponse& response) {
    std::vector<std::string> names;
    for (const auto& topic : response.topics) names.push_back(topic.name.value_or("?"));
    return names;
  }
};

TEST_F(KafkaTopicHandlersTest, NullTopicsAreAllAndNoTopicsAreNone) {
  MetadataRequest request;
  request.topics.emplace();
  EXPECT_THAT(Names(Ask<MetadataResponse>(request, 0)), testing::ElementsAre("orders"));
  EXPECT_THAT(Names(Ask<MetadataResponse>(request, 1)), testing::IsEmpty());
  request.topics.reset();
  EXPECT_THAT(Names(Ask<MetadataResponse>(request, 1)), testing::ElementsAre("orders"));
}

// One that is not there had an empty name instead of none.
TEST_F(KafkaTopicHandlersTest, TopicsAreFoundByTheirIdsFromVersion12On) {
  MetadataRequest request;
  request.topics = {{.topic_id = FakeTopics::kOrders, .name = std::nullopt},
                    {.topic_id = TopicId({9}), .name = std::nullopt}};
  const auto found = Ask<MetadataResponse>(request, 12);
  EXPECT_EQ(found.topics.at(0).name, "orders");
  EXPECT_EQ(found.topics.at(1).name, std::nullopt);
  EXPECT_EQ(found.topics.at(1).error_code, Wire(ErrorCode::kUnknownTopicId));
}

TEST_F(KafkaTopicHandlersTest, TopicsThatAreNotThereAreErrorsOfTheirOwn) {
  MetadataRequest request;
  request.topics = {{.topic_id = {}, .name = "orders"},
                    {.topic_id = {}, .name = "no topic"},
                    {.topic_id = {}, .name = "other"}};
  const auto found = Ask<MetadataResponse>(request, 9);
  EXPECT_EQ(found.topics.at(0).error_code, 0);
  EXPECT_EQ(found.topics.at(1).error_code, Wire(ErrorCode::kInvalidTopic));
  EXPECT_EQ(found.topics.at(2).error_code, Wire(ErrorCode::kUnknownTopicOrPartition));
}

// Each mention of 5 bytes was answered with all the partitions of the topic.
TEST_F(KafkaTopicHandlersTest, TopicsNamedAgainAreDescribedOnce) {
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

TEST_F(KafkaTopicHandlersTest, TopicsWithoutANameAreUnknownByIt) {
  DeleteTopicsRequest by_name;
  by_name.topic_names = {""};
  EXPECT_EQ(Ask<DeleteTopicsResponse>(by_name, 1).topics.at(0).error_code,
            Wire(ErrorCode::kUnknownTopicOrPartition));
  DeleteTopicsRequest by_id;
  by_id.topics = {{.name = std::nullopt, .topic_id = TopicId({9})}};
  EXPECT_EQ(Ask<DeleteTopicsResponse>(by_id, 6).topics.at(0).error_code,
            Wire(ErrorCode::kUnknownTopicId));
}

class KafkaAutoCreateTest : public HandlerTest {
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
  const size_t at_once = 100;
  broker_.settings.creates_topics = true;
  std::deque<std::string> names;
  MetadataRequest request;
  request.topics.emplace();
  for (size_t i = 0; i < at_once + 2; ++i) {
    request.topics->push_back(
        {.topic_id = {}, .name = names.emplace_back("t" + std::to_string(i))});
  }
  const auto first = Ask<MetadataResponse>(request, 9).topics;
  EXPECT_EQ(broker_.topics.created.size(), at_once);
  EXPECT_EQ(first.at(at_once - 1).error_code, 0);
  EXPECT_EQ(first.at(at_once).error_code, Wire(ErrorCode::kLeaderNotAvailable));
  for (const auto& topic : Ask<MetadataResponse>(request, 9).topics) {
    EXPECT_EQ(topic.error_code, 0) << topic.name.value_or("?");
  }
}

TEST_F(KafkaTopicHandlersTest, LogDirectoriesTellTheSizesOfPartitions) {
  DescribeLogDirsRequest request;
  const auto all = Ask<DescribeLogDirsResponse>(request, 4).results.at(0);
  EXPECT_EQ(all.log_dir, "/data");
  EXPECT_EQ(all.total_bytes, 1'000'000);
  EXPECT_EQ(all.usable_bytes, 400'000);
  ASSERT_EQ(all.topics.at(0).partitions.size(), 2u);
  EXPECT_EQ(all.topics.at(0).partitions.at(1).partition_size, 200);
  request.topics = {{.name = "other", .partitions = {0}}, {.name = "orders", .partitions = {1, 7}}};
  const auto some = Ask<DescribeLogDirsResponse>(request, 4).results.at(0);
  ASSERT_EQ(some.topics.size(), 1u);
  ASSERT_EQ(some.topics.at(0).partitions.size(), 1u);
  EXPECT_EQ(some.topics.at(0).partitions.at(0).partition, 1);
}

// Each name made all partitions of the topic describe themselves.
TEST_F(KafkaTopicHandlersTest, LogDirectoriesTellOfATopicOnceHoweverOftenItIsNamed) {
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

TEST_F(KafkaTopicHandlersTest, ALogDirectoryTellsThatAPartitionHasFailed) {
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

TEST_F(KafkaTopicHandlersTest, ALogDirectoryIsSilentAboutWhatHasGone) {
  const DescribeLogDirsRequest request;
  for (const Reason reason : {Reason::kTopicDeleting, Reason::kUnknownTopicId,
                              Reason::kUnknownTopic, Reason::kUnknownPartition}) {
    broker_.topics.partition_status = MakeError(reason, "deleted");
    const auto told = Ask<DescribeLogDirsResponse>(request, 4).results.at(0);
    EXPECT_EQ(told.error_code, 0);
    EXPECT_EQ(told.topics.at(0).partitions.size(), 1u);
  }
}

}  // namespace
}  // namespace talosmq::kafka
