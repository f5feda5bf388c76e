#include "kafka/error_code.h"
#include "kafka/handlers.h"
#include "kafka/status_answer.h"

#include <algorithm>
#include <optional>
#include <utility>

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

using DescribePtr = ExchangePtr<DescribeConfigsRequest, DescribeConfigsResponse>;
using ResourceAnswer = DescribeConfigsResponse::Result;
using ConfigAnswer = ResourceAnswer::Config;

bool IsAsked(const DescribeConfigsRequest::Resource& resource, std::string_view key) {
  const auto& keys = resource.configuration_keys;
  return !keys || std::ranges::find(*keys, key) != keys->end();
}

/// `value` with the sources that it may come from, the one in force first.
void AddConfig(const DescribeConfigsRequest& request, std::vector<ConfigAnswer::Synonym> sources,
               ConfigType type, std::string_view documentation, ResourceAnswer& answer) {
  ConfigAnswer& config = answer.configs.emplace_back();
  config.name = sources.front().name;
  config.value = sources.front().value;
  config.config_source = sources.front().source;
  config.is_default = config.config_source == kSourceDefault;
  config.config_type = static_cast<int8_t>(type);
  if (request.include_synonyms) config.synonyms = std::move(sources);
  if (request.include_documentation) config.documentation = std::string(documentation);
}

void FillTopic(const DescribeConfigsRequest& request,
               const DescribeConfigsRequest::Resource& resource,
               const broker::TopicDescription& description, ResourceAnswer& answer) {
  for (const broker::ConfigEntry& entry : description.configs) {
    if (!IsAsked(resource, entry.key)) continue;
    const TopicKey key = FindTopicKey(entry.key);
    std::vector<ConfigAnswer::Synonym> sources;
    sources.push_back({.name = entry.key,
                       .value = entry.value,
                       .source = entry.is_default ? kSourceDefault : kSourceTopic});
    if (!key.broker_name.empty()) {
      sources.push_back({.name = std::string(key.broker_name),
                         .value = entry.default_value,
                         .source = kSourceDefault});
    }
    AddConfig(request, std::move(sources), key.type, key.documentation, answer);
  }
}

void DescribeTopic(const Services& services, DescribePtr exchange, size_t place) {
  const std::string name(exchange->request.resources[place].resource_name);
  services.topics.Describe(
      name, [exchange = std::move(exchange),
             place](const absl::StatusOr<broker::TopicDescription>& described) mutable {
        ResourceAnswer& answer = exchange->response.results[place];
        Tell(answer, described.status());
        if (described.ok()) {
          FillTopic(exchange->request, exchange->request.resources[place], *described, answer);
        }
        exchange.reset();
      });
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
    std::vector<ConfigAnswer::Synonym> sources;
    sources.push_back({.name = key.name,
                       .value = key.value,
                       .source = key.is_default ? kSourceDefault : kSourceFile});
    AddConfig(request, std::move(sources), key.type, key.documentation, answer);
    answer.configs.back().read_only = true;
  }
  return absl::OkStatus();
}

absl::Status NoSuchResource(int8_t type) {
  return NotHere(base::StrCat("resource type ", int{type}));
}

/// What both ways of altering have in common; `Make` makes the alteration of a resource.
template <typename Exchange, typename Make>
void AlterAll(const Services& services, const std::shared_ptr<Exchange>& exchange,
              const Make& make) {
  const auto& resources = exchange->request.resources;
  for (const auto& resource : resources) {
    exchange->response.resources.push_back({.error_code = Wire(ErrorCode::kUnknownServerError),
                                            .error_message = {},
                                            .resource_type = resource.resource_type,
                                            .resource_name = std::string(resource.resource_name)});
  }
  for (size_t i = 0; i < resources.size(); ++i) {
    auto& answer = exchange->response.resources[i];
    absl::StatusOr<broker::TopicAlteration> alteration =
        resources[i].resource_type == kTopicResource
            ? make(resources[i])
            : NotHere("changing the settings of anything but topics");
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

absl::StatusOr<broker::TopicAlteration> Replacement(const AlterConfigsRequest::Resource& resource) {
  broker::TopicAlteration alteration;
  alteration.name = std::string(resource.resource_name);
  alteration.unnamed = metadata::UnnamedKeys::kGetDefaults;
  for (const auto& config : resource.configs) {
    if (!config.value) {
      return MakeError(Reason::kInvalidArgument,
                       base::StrCat(base::Printable(config.name, 100), " has no value"));
    }
    alteration.set.insert_or_assign(std::string(config.name), std::string(*config.value));
  }
  return alteration;
}

absl::StatusOr<broker::TopicAlteration> Change(
    const IncrementalAlterConfigsRequest::Resource& resource) {
  broker::TopicAlteration alteration;
  alteration.name = std::string(resource.resource_name);
  for (const auto& config : resource.configs) {
    if (config.config_operation == kUnset) {
      alteration.unset.emplace_back(config.name);
    } else if (config.config_operation == kSet && config.value) {
      alteration.set.emplace(config.name, *config.value);
    } else {
      return NotHere("appending to, or subtracting from, a setting");
    }
  }
  return alteration;
}

}  // namespace

void Handle(const Services& services, DescribePtr exchange) {
  const auto& resources = exchange->request.resources;
  for (const auto& resource : resources) {
    auto& answer = exchange->response.results.emplace_back();
    answer.error_code = Wire(ErrorCode::kUnknownServerError);
    answer.resource_type = resource.resource_type;
    answer.resource_name = std::string(resource.resource_name);
  }
  for (size_t i = 0; i < resources.size(); ++i) {
    ResourceAnswer& answer = exchange->response.results[i];
    if (resources[i].resource_type == kTopicResource) {
      DescribeTopic(services, exchange, i);
    } else if (resources[i].resource_type == kBrokerResource) {
      Tell(answer, DescribeBroker(services, exchange->request, resources[i], answer));
    } else {
      Tell(answer, NoSuchResource(resources[i].resource_type));
    }
  }
}

void Handle(const Services& services,
            ExchangePtr<AlterConfigsRequest, AlterConfigsResponse> exchange) {
  AlterAll(services, exchange, Replacement);
}

void Handle(const Services& services,
            ExchangePtr<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse> exchange) {
  AlterAll(services, exchange, Change);
}

}  // namespace talosmq::kafka
