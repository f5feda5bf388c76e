#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::kafka {

/// As DescribeConfigs numbers them.
enum class ConfigType : int8_t {
  kBoolean = 1,
  kString = 2,
  kInt = 3,
  kLong = 5,
  kDouble = 6,
  kList = 7,
};

/// What Kafka's clients are told of a setting of topics beside its value.
struct TopicKey {
  std::string_view name;
  ConfigType type;
  std::string_view broker_name;  ///< Of the broker's default for it in Kafka; empty: none.
  std::string_view documentation;
};

/// A label, or a key that nobody knows here, is a string without a default of the broker.
TopicKey FindTopicKey(std::string_view name);

/// A setting of the broker. All of them are read only here: a file has them.
struct BrokerKey {
  std::string name;
  std::string value;
  ConfigType type = ConfigType::kString;
  std::string documentation = {};
  bool is_default = true;
};

/// What an operator has chosen for the port.
struct BrokerSettings {
  /// Whether Metadata makes the topics that its clients ask for, when they allow it.
  bool creates_topics = false;
  std::vector<BrokerKey> keys;  ///< That DescribeConfigs tells.
};

}  // namespace talosmq::kafka
