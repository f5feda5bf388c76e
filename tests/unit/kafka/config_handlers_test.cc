// Settings of topics and of the broker.

#include "kafka/error_code.h"
#include "kafka/handlers.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/kafka/handler_fixture.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::kafka {
namespace {

class KafkaConfigsTest : public HandlerTest {
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

}  // namespace
}  // namespace talosmq::kafka
