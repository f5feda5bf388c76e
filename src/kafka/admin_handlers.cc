#include "base/text.h"
#include "kafka/error_code.h"
#include "kafka/handlers.h"
#include "kafka/status_answer.h"
#include "kafka/topic_lookup.h"

#include <algorithm>
#include <utility>

// What operators ask of topics and of the cluster.
namespace talosmq::kafka {
namespace {

absl::Duration Deadline(const Services& services, int32_t timeout_ms) {
  return services.clock.Monotonic() + absl::Milliseconds(std::max(timeout_ms, 1));
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

using CreatePtr = ExchangePtr<CreateTopicsRequest, CreateTopicsResponse>;
using TopicAnswer = CreateTopicsResponse::Topic;

void TellCheck(const absl::StatusOr<broker::TopicCreation>& checked, TopicAnswer& answer) {
  Tell(answer, checked.status());
  if (!checked.ok()) return;
  answer.num_partitions = checked->partitions.value_or(-1);
  answer.replication_factor = static_cast<int16_t>(checked->replicas.value_or(-1));
  answer.configs.emplace();
}

void Create(const Services& services, CreatePtr exchange, size_t place,
            broker::TopicCreation creation) {
  const absl::Duration deadline = Deadline(services, exchange->request.timeout_ms);
  services.topics.Create(
      std::move(creation), deadline,
      [exchange = std::move(exchange),
       place](const absl::StatusOr<std::shared_ptr<const metadata::TopicImage>>& created) mutable {
        TopicAnswer& answer = exchange->response.topics[place];
        Tell(answer, created.status());
        if (created.ok()) {
          const metadata::TopicImage& topic = **created;
          answer.topic_id = topic.id;
          answer.num_partitions = static_cast<int32_t>(topic.partitions.size());
          answer.replication_factor =
              static_cast<int16_t>(topic.partitions.front().replicas.size());
          answer.configs.emplace();
        }
        exchange.reset();
      });
}

}  // namespace

void Handle(const Services& services, CreatePtr exchange) {
  const CreateTopicsRequest& request = exchange->request;
  for (const auto& topic : request.topics) {
    auto& answer = exchange->response.topics.emplace_back();
    answer.name = std::string(topic.name);
    answer.error_code = Wire(ErrorCode::kUnknownServerError);
  }
  for (size_t i = 0; i < request.topics.size(); ++i) {
    auto creation = CreationOf(request.topics[i]);
    if (!creation.ok()) {
      Tell(exchange->response.topics[i], creation.status());
    } else if (request.validate_only) {
      TellCheck(services.topics.CheckCreate(*std::move(creation)), exchange->response.topics[i]);
    } else {
      Create(services, exchange, i, *std::move(creation));
    }
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
    const std::string name(topic.name);
    if (topic.assignments || request.validate_only) {
      Tell(exchange->response.results[i],
           topic.assignments ? NotHere("choosing the brokers of partitions")
                             : services.topics.CheckAddPartitions(name, topic.count));
      continue;
    }
    services.topics.AddPartitions(name, topic.count, Deadline(services, request.timeout_ms),
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
