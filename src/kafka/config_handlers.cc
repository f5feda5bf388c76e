#include "base/status.h"
#include "base/text.h"
#include "broker/topic_configs.h"
#include "kafka/error_code.h"
#include "kafka/handlers.h"
#include "kafka/status_answer.h"
#include "kafka/topic_lookup.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

// Settings of topics and of the broker.
namespace talosmq::kafka {
namespace {

constexpr int8_t kTopicResource = 2;
constexpr int8_t kBrokerResource = 4;
constexpr int8_t kSourceTopic = 1;
constexpr int8_t kSourceFile = 4;
constexpr int8_t kSourceDefault = 5;
constexpr int8_t kSet = 0;
constexpr int8_t kUnset = 1;

using ResourceAnswer = DescribeConfigsResponse::Result;
using ConfigAnswer = ResourceAnswer::Config;

/// No keys are all of them, as in Kafka.
bool IsAsked(const DescribeConfigsRequest::Resource& resource, std::string_view key) {
  const auto& keys = resource.configuration_keys;
  return !keys || keys->empty() || std::ranges::find(*keys, key) != keys->end();
}

struct Setting {
  std::string_view name;
  std::string_view value;
  int8_t source;
  ConfigType type;
  std::string_view documentation;
  std::vector<ConfigAnswer::Synonym> synonyms;  ///< The one in force first.
};

ConfigAnswer AnswerOf(const DescribeConfigsRequest& request, Setting setting) {
  ConfigAnswer config;
  config.name = std::string(setting.name);
  config.value = std::string(setting.value);
  config.config_source = setting.source;
  config.is_default = setting.source == kSourceDefault;
  config.config_type = static_cast<int8_t>(setting.type);
  if (request.include_synonyms) config.synonyms = std::move(setting.synonyms);
  if (request.include_documentation) config.documentation = std::string(setting.documentation);
  return config;
}

/// What was set of the topic, and the broker's default behind it.
std::vector<ConfigAnswer::Synonym> SynonymsOf(const broker::ConfigEntry& entry,
                                              const TopicKey& key) {
  std::vector<ConfigAnswer::Synonym> synonyms;
  if (!entry.is_default) {
    synonyms.push_back({.name = entry.key, .value = entry.value, .source = kSourceTopic});
  }
  if (!key.broker_name.empty()) {
    synonyms.push_back({.name = std::string(key.broker_name),
                        .value = entry.default_value,
                        .source = kSourceDefault});
  }
  return synonyms;
}

/// From the newest image alone: no partition is asked.
absl::Status DescribeTopic(const metadata::ClusterImage& image,
                           const DescribeConfigsRequest& request,
                           const DescribeConfigsRequest::Resource& resource,
                           ResourceAnswer& answer) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto topic, FindTopic(image, resource.resource_name));
  for (const broker::ConfigEntry& entry : broker::ConfigsOf(*topic)) {
    if (!IsAsked(resource, entry.key)) continue;
    const TopicKey key = FindTopicKey(entry.key);
    answer.configs.push_back(
        AnswerOf(request, {.name = entry.key,
                           .value = entry.value,
                           .source = entry.is_default ? kSourceDefault : kSourceTopic,
                           .type = key.type,
                           .documentation = key.documentation,
                           .synonyms = SynonymsOf(entry, key)}));
  }
  return absl::OkStatus();
}

/// Nothing is set for all brokers at once, which is what a broker without a name stands for.
absl::Status DescribeBroker(const Services& services, const DescribeConfigsRequest& request,
                            const DescribeConfigsRequest::Resource& resource,
                            ResourceAnswer& answer) {
  if (resource.resource_name.empty()) return absl::OkStatus();
  const std::string self = base::StrCat(services.cluster.GetServerInfo().broker.value());
  if (resource.resource_name != self) {
    return MakeError(Reason::kInvalidArgument,
                     base::StrCat("this is broker ", self, ", the request names broker ",
                                  base::Printable(resource.resource_name, 20)));
  }
  for (const BrokerKey& key : services.settings.keys) {
    if (!IsAsked(resource, key.name)) continue;
    const int8_t source = key.is_default ? kSourceDefault : kSourceFile;
    answer.configs.push_back(AnswerOf(
        request, {.name = key.name,
                  .value = key.value,
                  .source = source,
                  .type = key.type,
                  .documentation = key.documentation,
                  .synonyms = {{.name = key.name, .value = key.value, .source = source}}}));
    answer.configs.back().read_only = true;
  }
  return absl::OkStatus();
}

absl::Status NoSuchResource(int8_t type) {
  return NotHere(base::StrCat("resource type ", int{type}));
}

using ResourceName = std::pair<int8_t, std::string_view>;

template <typename Resource>
ResourceName NameOf(const Resource& resource) {
  return {resource.resource_type, resource.resource_name};
}

absl::Status Repeated(std::string_view what, std::string_view name) {
  return MakeError(Reason::kInvalidArgument,
                   base::StrCat(what, " ", base::Printable(name, 100), " is named more than once"));
}

absl::Status WithoutValue(std::string_view key) {
  return MakeError(Reason::kInvalidArgument,
                   base::StrCat(base::Printable(key, 100), " has no value"));
}

/// A key that is named twice would have to mean two things at once.
template <typename Config>
absl::Status CheckKeysDiffer(const std::vector<Config>& configs) {
  std::set<std::string_view> keys;
  for (const Config& config : configs) {
    if (!keys.insert(config.name).second) return Repeated("setting", config.name);
  }
  return absl::OkStatus();
}

absl::StatusOr<broker::TopicAlteration> AlterationOf(
    const AlterConfigsRequest::Resource& resource) {
  broker::TopicAlteration alteration;
  alteration.name = std::string(resource.resource_name);
  alteration.unnamed = metadata::UnnamedKeys::kGetDefaults;
  for (const auto& config : resource.configs) {
    if (!config.value) return WithoutValue(config.name);
    alteration.set.emplace(config.name, *config.value);
  }
  return alteration;
}

absl::StatusOr<broker::TopicAlteration> AlterationOf(
    const IncrementalAlterConfigsRequest::Resource& resource) {
  broker::TopicAlteration alteration;
  alteration.name = std::string(resource.resource_name);
  for (const auto& config : resource.configs) {
    if (config.config_operation == kUnset) {
      alteration.unset.emplace_back(config.name);
    } else if (config.config_operation != kSet) {
      return NotHere("appending to, or subtracting from, a setting");
    } else if (!config.value) {
      return WithoutValue(config.name);
    } else {
      alteration.set.emplace(config.name, *config.value);
    }
  }
  return alteration;
}

template <typename Resource>
absl::StatusOr<broker::TopicAlteration> CheckedAlterationOf(const Resource& resource) {
  if (resource.resource_type != kTopicResource) {
    return NotHere("changing the settings of anything but topics");
  }
  TALOSMQ_RETURN_IF_ERROR(CheckKeysDiffer(resource.configs));
  return AlterationOf(resource);
}

/// What both ways of altering have in common. Of a resource that is named more than once nothing
/// is changed, since nobody can tell which of the changes is meant to last.
template <typename Exchange>
void AlterAll(const Services& services, const std::shared_ptr<Exchange>& exchange) {
  const auto& resources = exchange->request.resources;
  std::map<ResourceName, size_t> counts;
  for (const auto& resource : resources) {
    ++counts[NameOf(resource)];
    exchange->response.resources.push_back({.error_code = Wire(ErrorCode::kUnknownServerError),
                                            .error_message = {},
                                            .resource_type = resource.resource_type,
                                            .resource_name = std::string(resource.resource_name)});
  }
  for (size_t i = 0; i < resources.size(); ++i) {
    auto& answer = exchange->response.resources[i];
    absl::StatusOr<broker::TopicAlteration> alteration =
        counts[NameOf(resources[i])] > 1 ? Repeated("resource", resources[i].resource_name)
                                         : CheckedAlterationOf(resources[i]);
    if (!alteration.ok() || exchange->request.validate_only) {
      Tell(answer, alteration.ok() ? services.topics.CheckAlter(*alteration) : alteration.status());
      continue;
    }
    services.topics.Alter(*std::move(alteration), absl::InfiniteDuration(),
                          [exchange = exchange, i](const absl::Status& altered) mutable {
                            Tell(exchange->response.resources[i], altered);
                            exchange.reset();
                          });
  }
}

}  // namespace

void Handle(const Services& services,
            ExchangePtr<DescribeConfigsRequest, DescribeConfigsResponse> exchange) {
  const DescribeConfigsRequest& request = exchange->request;
  const auto image = services.topics.image();
  // Of few bytes that name one resource again and again, a long answer would be made.
  std::set<ResourceName> seen;
  for (const auto& resource : request.resources) {
    auto& answer = exchange->response.results.emplace_back();
    answer.resource_type = resource.resource_type;
    answer.resource_name = std::string(resource.resource_name);
    if (!seen.insert(NameOf(resource)).second) {
      Tell(answer, Repeated("resource", resource.resource_name));
    } else if (resource.resource_type == kTopicResource) {
      Tell(answer, DescribeTopic(*image, request, resource, answer));
    } else if (resource.resource_type == kBrokerResource) {
      Tell(answer, DescribeBroker(services, request, resource, answer));
    } else {
      Tell(answer, NoSuchResource(resource.resource_type));
    }
  }
}

void Handle(const Services& services,
            ExchangePtr<AlterConfigsRequest, AlterConfigsResponse> exchange) {
  AlterAll(services, exchange);
}

void Handle(const Services& services,
            ExchangePtr<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse> exchange) {
  AlterAll(services, exchange);
}

}  // namespace talosmq::kafka
