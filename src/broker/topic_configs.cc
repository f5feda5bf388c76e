#include "broker/topic_configs.h"

#include "metadata/topic_config.h"

#include <utility>

namespace talosmq::broker {

int32_t ReplicasOf(const metadata::TopicImage& topic) {
  if (topic.partitions.empty()) return 1;
  return static_cast<int32_t>(topic.partitions.front().replicas.size());
}

std::vector<ConfigEntry> ConfigsOf(const metadata::TopicImage& topic) {
  std::vector<ConfigEntry> configs;
  for (auto& config : metadata::ListTopicConfig(topic.configs, ReplicasOf(topic))) {
    configs.push_back({.key = std::move(config.key),
                       .value = std::move(config.value),
                       .default_value = std::move(config.default_value),
                       .is_default = config.is_default});
  }
  return configs;
}

}  // namespace talosmq::broker
