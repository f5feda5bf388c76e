#include "server/kafka_settings.h"

#include "metadata/topic_config.h"

#include "gtest/gtest.h"

#include <map>
#include <string>
#include <string_view>

namespace talosmq::server {
namespace {

std::map<std::string, kafka::BrokerKey> KeysOf(const ServerConfig& config) {
  std::map<std::string, kafka::BrokerKey> keys;
  for (const kafka::BrokerKey& key : KafkaSettingsOf(config, BrokerId(3)).keys) {
    EXPECT_TRUE(keys.emplace(key.name, key).second) << key.name << " is told twice";
    EXPECT_FALSE(key.documentation.empty()) << key.name;
  }
  return keys;
}

TEST(KafkaSettingsTest, WhatAnOperatorHasChosenIsToldAsSuch) {
  ServerConfig config;
  config.data_dir = "/data";
  const auto defaults = KeysOf(config);
  EXPECT_EQ(defaults.at("auto.create.topics.enable").value, "false");
  EXPECT_TRUE(defaults.at("auto.create.topics.enable").is_default);
  EXPECT_EQ(defaults.at("broker.id").value, "3");
  EXPECT_EQ(defaults.at("log.dirs").value, "/data");
  config.kafka_auto_create_topics = true;
  EXPECT_TRUE(KafkaSettingsOf(config, BrokerId(3)).creates_topics);
  EXPECT_EQ(KeysOf(config).at("auto.create.topics.enable").value, "true");
  EXPECT_FALSE(KeysOf(config).at("auto.create.topics.enable").is_default);
}

TEST(KafkaSettingsTest, ListenersAreToldWithTheirProtocols) {
  ServerConfig config;
  EXPECT_EQ(KeysOf(config).at("listeners").value, "PLAINTEXT://127.0.0.1:9092");
  EXPECT_TRUE(KeysOf(config).at("listeners").is_default);
  config.kafka_listen = "inside=10.0.0.5:9092,outside=[::1]:9093,last=127.0.0.1:9094";
  config.tls.certificate = "server.pem";
  config.kafka_tls = "outside,last";
  config.kafka_sasl = "inside,outside";
  EXPECT_EQ(KeysOf(config).at("listeners").value,
            "SASL_PLAINTEXT://10.0.0.5:9092,SASL_SSL://[::1]:9093,SSL://127.0.0.1:9094");
}

TEST(KafkaSettingsTest, DefaultsOfTopicsAreToldUnderTheBrokersNames) {
  const auto keys = KeysOf(ServerConfig());
  EXPECT_EQ(keys.at("log.retention.ms").value, "604800000");
  EXPECT_EQ(keys.at("log.cleanup.policy").value, "delete");
  EXPECT_EQ(keys.at("num.partitions").value, "8");
}

// A key that the catalogue lacks would be told as a label.
TEST(KafkaSettingsTest, EveryKeyOfTopicsIsInTheCatalogue) {
  const std::string_view label = kafka::FindTopicKey("label.any").documentation;
  for (const metadata::TopicConfigEntry& entry : metadata::ListTopicConfig({}, 1)) {
    EXPECT_NE(kafka::FindTopicKey(entry.key).documentation, label) << entry.key;
  }
}

}  // namespace
}  // namespace talosmq::server
