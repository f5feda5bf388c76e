#include "server/kafka_settings.h"

#include "base/text.h"
#include "controller/topic_controller.h"
#include "metadata/topic_config.h"
#include "server/listen_address.h"

#include "absl/time/time.h"

#include <string>
#include <utility>
#include <vector>

namespace talosmq::server {
namespace {

using kafka::BrokerKey;
using kafka::ConfigType;

std::string Milliseconds(absl::Duration duration) {
  return base::StrCat(absl::ToInt64Milliseconds(duration));
}

/// As Kafka writes them, by the security protocol of each: "SASL_SSL://10.0.0.5:9092,...".
std::string ListenersOf(const ServerConfig& config) {
  std::string listeners;
  const auto named = ParseNamedAddresses(config.kafka_listen);
  if (!named.ok()) return config.kafka_listen;
  for (const NamedAddress& listener : *named) {
    const KafkaGuard guard = GuardOf(config, listener.name);
    listeners +=
        base::StrCat(listeners.empty() ? "" : ",", guard.asks_for_login ? "SASL_" : "",
                     guard.has_tls ? "SSL" : "PLAINTEXT", "://", listener.address.ToString());
  }
  return listeners;
}

/// What a topic has for which nothing else is set.
std::vector<BrokerKey> TopicDefaults() {
  std::vector<BrokerKey> keys;
  for (const metadata::TopicConfigEntry& entry : metadata::ListTopicConfig({}, 1)) {
    const kafka::TopicKey key = kafka::FindTopicKey(entry.key);
    if (key.broker_name.empty()) continue;
    keys.push_back({.name = std::string(key.broker_name),
                    .value = entry.value,
                    .type = key.type,
                    .documentation = std::string(key.documentation)});
  }
  return keys;
}

std::vector<BrokerKey> GroupKeys(const group::CoordinatorOptions& groups) {
  return {
      {.name = "group.initial.rebalance.delay.ms",
       .value = Milliseconds(groups.initial_rebalance_delay),
       .type = ConfigType::kInt,
       .documentation = "How long the first member of a group waits for others."},
      {.name = "group.max.session.timeout.ms",
       .value = Milliseconds(groups.session_timeout_max),
       .type = ConfigType::kInt,
       .documentation = "The longest session that a member may ask for."},
      {.name = "group.max.size",
       .value = base::StrCat(groups.members_max),
       .type = ConfigType::kInt,
       .documentation = "How many members a group has at most."},
      {.name = "group.min.session.timeout.ms",
       .value = Milliseconds(groups.session_timeout_min),
       .type = ConfigType::kInt,
       .documentation = "The shortest session that a member may ask for."},
      {.name = "offsets.retention.minutes",
       .value = base::StrCat(absl::ToInt64Minutes(groups.offsets_retention)),
       .type = ConfigType::kInt,
       .documentation = "How long the offsets of a group without members are kept."},
  };
}

}  // namespace

kafka::BrokerSettings KafkaSettingsOf(const ServerConfig& config, BrokerId self) {
  const ServerConfig defaults;
  std::vector<BrokerKey> keys = {
      {.name = "auto.create.topics.enable",
       .value = config.kafka_auto_create_topics ? "true" : "false",
       .type = ConfigType::kBoolean,
       .documentation =
           "Whether a topic that a client asks for is made (kafka.auto_create_topics).",
       .is_default = config.kafka_auto_create_topics == defaults.kafka_auto_create_topics},
      {.name = "broker.id",
       .value = base::StrCat(self.value()),
       .type = ConfigType::kInt,
       .documentation = "The number of this broker."},
      {.name = "default.replication.factor",
       .value = base::StrCat(controller::TopicController::Options().replicas_default),
       .type = ConfigType::kInt,
       .documentation = "The replicas of a topic that is made without a number of them."},
      {.name = "delete.topic.enable",
       .value = "true",
       .type = ConfigType::kBoolean,
       .documentation = "Whether topics can be deleted."},
      {.name = "listeners",
       .value = ListenersOf(config),
       .type = ConfigType::kString,
       .documentation = "The ports for Kafka clients (kafka.listen).",
       .is_default = config.kafka_listen == defaults.kafka_listen},
      {.name = "log.dirs",
       .value = config.data_dir,
       .type = ConfigType::kString,
       .documentation = "Where everything durable lies (data_dir).",
       .is_default = false},
      {.name = "num.partitions",
       .value = base::StrCat(controller::TopicController::Options().partitions_default),
       .type = ConfigType::kInt,
       .documentation = "The partitions of a topic that is made without a number of them."},
  };
  for (BrokerKey& key : TopicDefaults()) keys.push_back(std::move(key));
  for (BrokerKey& key : GroupKeys(config.broker.groups)) keys.push_back(std::move(key));
  return {.creates_topics = config.kafka_auto_create_topics, .keys = std::move(keys)};
}

}  // namespace talosmq::server
