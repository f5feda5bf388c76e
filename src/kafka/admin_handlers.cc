#include "base/text.h"
#include "kafka/error_code.h"
#include "kafka/handlers.h"
#include "kafka/topic_lookup.h"

#include <algorithm>
#include <utility>

// What operators ask of topics and of the cluster.
namespace talosmq::kafka {
namespace {

constexpr int8_t kTopicResource = 2;
constexpr int8_t kBrokerResource = 4;
constexpr int8_t kSourceTopic = 1;
constexpr int8_t kSourceDefault = 5;
constexpr int8_t kSet = 0;
constexpr int8_t kUnset = 1;

std::optional<std::string> MessageOf(const absl::Status& status) {
  if (status.ok()) return std::nullopt;
  return std::string(base::FromAbsl(status.message()));
}

template <typename Answer>
void Tell(Answer& answer, const absl::Status& status) {
  answer.error_code = WireErrorOf(status);
  answer.error_message = MessageOf(status);
}

absl::Duration Deadline(const Services& services, int32_t timeout_ms) {
  return services.clock.Monotonic() + absl::Milliseconds(std::max(timeout_ms, 1));
}

absl::Status NotHere(std::string_view what) {
  return MakeError(Reason::kInvalidArgument, base::StrCat(what, " is not supported"));
}

absl::StatusOr<broker::TopicCreation> CreationOf(const CreateTopicsRequest::Topic& topic) {
  if (!topic.assignments.empty()) return NotHere("choosing the brokers of partitions");
  broker::TopicCreation creation;
  creation.name = std::string(topic.name);
  if (topic.num_partitions != -1) creation.partitions = topic.num_partitions;
  if (topic.replication_factor != -1) creation.replicas = topic.replication_factor;
  for (const auto& config : topic.configs) {
    if (!config.value) {
      return MakeError(Reason::kInvalidConfig,
                       base::StrCat(base::Printable(config.name, 100), " has no value"));
    }
    creation.configs.emplace(config.name, *config.value);
  }
  return creation;
}

}  // namespace

void Handle(const Services& services,
            ExchangePtr<CreateTopicsRequest, CreateTopicsResponse> exchange) {
  const CreateTopicsRequest& request = exchange->request;
  for (const auto& topic : request.topics) {
    auto& answer = exchange->response.topics.emplace_back();
    answer.name = std::string(topic.name);
    answer.error_code = Wire(ErrorCode::kUnknownServerError);
  }
  for (size_t i = 0; i < request.topics.size(); ++i) {
    auto creation =
        request.validate_only ? NotHere("validate_only") : CreationOf(request.topics[i]);
    if (!creation.ok()) {
      Tell(exchange->response.topics[i], creation.status());
      continue;
    }
    services.topics.Create(
        *std::move(creation), Deadline(services, request.timeout_ms),
        [exchange = exchange,
         i](const absl::StatusOr<std::shared_ptr<const metadata::TopicImage>>& created) mutable {
          auto& answer = exchange->response.topics[i];
          Tell(answer, created.status());
          if (created.ok()) {
            answer.topic_id = (*created)->id;
            answer.num_partitions = static_cast<int32_t>((*created)->partitions.size());
            answer.replication_factor =
                static_cast<int16_t>((*created)->partitions.front().replicas.size());
            answer.configs.emplace();
          }
          exchange.reset();
        });
  }
}

void Handle(const Services& services,
            ExchangePtr<DeleteTopicsRequest, DeleteTopicsResponse> exchange) {
  const DeleteTopicsRequest& request = exchange->request;
  const auto image = services.topics.image();
  std::vector<std::string> names;
  for (const std::string_view name : request.topic_names) {
    names.emplace_back(name);
    exchange->response.topics.emplace_back().name = std::string(name);
  }
  for (const auto& topic : request.topics) {
    const auto found = topic.name ? nullptr : image->FindTopic(topic.topic_id);
    auto& answer = exchange->response.topics.emplace_back();
    answer.topic_id = topic.topic_id;
    answer.name = topic.name ? std::optional<std::string>(*topic.name) : std::nullopt;
    if (found != nullptr) answer.name = found->name;
    names.push_back(answer.name.value_or(""));
  }
  for (auto& answer : exchange->response.topics) {
    answer.error_code = Wire(ErrorCode::kUnknownServerError);
  }
  for (size_t i = 0; i < names.size(); ++i) {
    auto& answer = exchange->response.topics[i];
    if (names[i].empty()) {
      answer.error_code =
          Wire(answer.name ? ErrorCode::kUnknownTopicOrPartition : ErrorCode::kUnknownTopicId);
      continue;
    }
    // Elsewhere a deletion may be repeated until it is done; here a topic is gone at once.
    const auto topic = FindTopic(*image, names[i]);
    if (!topic.ok()) {
      Tell(answer, topic.status());
      continue;
    }
    services.topics.Delete(names[i], Deadline(services, request.timeout_ms),
                           [exchange = exchange, i](const absl::Status& deleted) mutable {
                             Tell(exchange->response.topics[i], deleted);
                             exchange.reset();
                           });
  }
}

void Handle(const Services& services,
            ExchangePtr<CreatePartitionsRequest, CreatePartitionsResponse> exchange) {
  const CreatePartitionsRequest& request = exchange->request;
  for (const auto& topic : request.topics) {
    exchange->response.results.push_back({.name = std::string(topic.name),
                                          .error_code = Wire(ErrorCode::kUnknownServerError),
                                          .error_message = {}});
  }
  for (size_t i = 0; i < request.topics.size(); ++i) {
    const auto& topic = request.topics[i];
    if (request.validate_only || topic.assignments) {
      Tell(exchange->response.results[i], NotHere("validate_only, or choosing brokers,"));
      continue;
    }
    services.topics.AddPartitions(std::string(topic.name), topic.count,
                                  Deadline(services, request.timeout_ms),
                                  [exchange = exchange, i](const absl::Status& added) mutable {
                                    Tell(exchange->response.results[i], added);
                                    exchange.reset();
                                  });
  }
}

void Handle(const Services& services,
            ExchangePtr<DeleteRecordsRequest, DeleteRecordsResponse> exchange) {
  const DeleteRecordsRequest& request = exchange->request;
  const auto image = services.topics.image();
  for (const auto& topic : request.topics) {
    auto& answered = exchange->response.topics.emplace_back();
    answered.name = std::string(topic.name);
    for (const auto& partition : topic.partitions) {
      answered.partitions.push_back({.partition = partition.partition,
                                     .low_watermark = -1,
                                     .error_code = Wire(ErrorCode::kUnknownServerError)});
    }
  }
  for (size_t i = 0; i < request.topics.size(); ++i) {
    for (size_t j = 0; j < request.topics[i].partitions.size(); ++j) {
      const auto& asked = request.topics[i].partitions[j];
      auto& answer = exchange->response.topics[i].partitions[j];
      const auto target = FindPartition(*image, request.topics[i].name, asked.partition);
      if (!target.ok()) {
        answer.error_code = WireErrorOf(target.status());
        continue;
      }
      const std::optional<Offset> before =
          asked.offset == -1 ? std::nullopt : std::optional(Offset(asked.offset));
      services.messages.DeleteRecords(
          {.target = *target, .before = before},
          [exchange = exchange, &answer](const broker::DeletionOutcome& outcome) mutable {
            answer.error_code = WireErrorOf(outcome.status);
            if (outcome.status.ok()) answer.low_watermark = outcome.log_start.value();
            exchange.reset();
          });
    }
  }
}

void Handle(const Services& services,
            ExchangePtr<DescribeClusterRequest, DescribeClusterResponse> exchange) {
  const broker::ServerInfo self = services.cluster.GetServerInfo();
  const Endpoint& endpoint = exchange->caller().endpoint;
  DescribeClusterResponse& response = exchange->response;
  response.endpoint_type = exchange->request.endpoint_type;
  response.cluster_id = self.cluster_id;
  response.controller_id = self.broker.value();
  response.brokers.push_back(
      {.broker_id = self.broker.value(), .host = endpoint.host, .port = endpoint.port, .rack = {}});
}

namespace {

using ConfigAnswer = DescribeConfigsResponse::Result;

void FillConfigs(const broker::TopicDescription& description,
                 const std::optional<std::vector<std::string_view>>& keys, ConfigAnswer& answer) {
  for (const broker::ConfigEntry& entry : description.configs) {
    if (keys && std::ranges::find(*keys, entry.key) == keys->end()) continue;
    auto& config = answer.configs.emplace_back();
    config.name = entry.key;
    config.value = entry.value;
    config.is_default = entry.is_default;
    config.config_source = entry.is_default ? kSourceDefault : kSourceTopic;
  }
}

}  // namespace

void Handle(const Services& services,
            ExchangePtr<DescribeConfigsRequest, DescribeConfigsResponse> exchange) {
  const auto& resources = exchange->request.resources;
  for (const auto& resource : resources) {
    auto& answer = exchange->response.results.emplace_back();
    answer.error_code = Wire(ErrorCode::kUnknownServerError);
    answer.resource_type = resource.resource_type;
    answer.resource_name = std::string(resource.resource_name);
  }
  for (size_t i = 0; i < resources.size(); ++i) {
    auto& answer = exchange->response.results[i];
    if (resources[i].resource_type == kBrokerResource) {
      answer.error_code = Wire(ErrorCode::kNone);  // A file has them; none can be changed here.
      continue;
    }
    if (resources[i].resource_type != kTopicResource) {
      Tell(answer, NotHere(base::StrCat("resource type ", int{resources[i].resource_type})));
      continue;
    }
    services.topics.Describe(
        std::string(resources[i].resource_name),
        [exchange = exchange,
         i](const absl::StatusOr<broker::TopicDescription>& described) mutable {
          auto& result = exchange->response.results[i];
          Tell(result, described.status());
          if (described.ok()) {
            FillConfigs(*described, exchange->request.resources[i].configuration_keys, result);
          }
          exchange.reset();
        });
  }
}

void Handle(const Services& services,
            ExchangePtr<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse> exchange) {
  const auto& resources = exchange->request.resources;
  for (const auto& resource : resources) {
    exchange->response.resources.push_back({.error_code = Wire(ErrorCode::kUnknownServerError),
                                            .error_message = {},
                                            .resource_type = resource.resource_type,
                                            .resource_name = std::string(resource.resource_name)});
  }
  for (size_t i = 0; i < resources.size(); ++i) {
    auto& answer = exchange->response.resources[i];
    if (resources[i].resource_type != kTopicResource || exchange->request.validate_only) {
      Tell(answer, NotHere("changing anything but topics, or validate_only,"));
      continue;
    }
    broker::TopicAlteration alteration;
    alteration.name = std::string(resources[i].resource_name);
    absl::Status wrong;
    for (const auto& config : resources[i].configs) {
      if (config.config_operation == kUnset) {
        alteration.unset.emplace_back(config.name);
      } else if (config.config_operation == kSet && config.value) {
        alteration.set.emplace(config.name, *config.value);
      } else {
        wrong = NotHere("appending to, or subtracting from, a setting");
      }
    }
    if (!wrong.ok()) {
      Tell(answer, wrong);
      continue;
    }
    services.topics.Alter(std::move(alteration), absl::InfiniteDuration(),
                          [exchange = exchange, i](const absl::Status& altered) mutable {
                            Tell(exchange->response.resources[i], altered);
                            exchange.reset();
                          });
  }
}

void Handle(const Services& services,
            ExchangePtr<InitProducerIdRequest, InitProducerIdResponse> exchange) {
  exchange->response.producer_id = -1;
  exchange->response.producer_epoch = -1;
  if (exchange->request.transactional_id) {
    exchange->response.error_code = Wire(ErrorCode::kTransactionalIdAuthorizationFailed);
    return;
  }
  exchange->response.error_code = Wire(ErrorCode::kUnknownServerError);
  services.messages.InitProducer([exchange = std::move(exchange)](
                                     const absl::StatusOr<broker::ProducerIdentity>& made) mutable {
    exchange->response.error_code = WireErrorOf(made.status());
    if (made.ok()) {
      exchange->response.producer_id = made->id.value();
      exchange->response.producer_epoch = made->epoch;
    }
    exchange.reset();
  });
}

}  // namespace talosmq::kafka
