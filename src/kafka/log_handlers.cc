#include "kafka/error_code.h"
#include "kafka/handlers.h"
#include "kafka/status_answer.h"
#include "kafka/topic_lookup.h"

#include <algorithm>
#include <optional>
#include <utility>

// What operators are told of the logs of partitions.
namespace talosmq::kafka {
namespace {

using DirsPtr = ExchangePtr<DescribeLogDirsRequest, DescribeLogDirsResponse>;
using DirTopic = DescribeLogDirsResponse::Result::Topic;
using ProducersPtr = ExchangePtr<DescribeProducersRequest, DescribeProducersResponse>;
using ProducersAnswer = DescribeProducersResponse::Topic::Partition;

struct AskedTopic {
  std::string name;
  std::optional<std::vector<int32_t>> partitions;  ///< Nothing: all.
};

/// Those that are not there are left out, as in Kafka.
std::vector<AskedTopic> AskedTopics(const metadata::ClusterImage& image,
                                    const DescribeLogDirsRequest& request) {
  std::vector<AskedTopic> asked;
  if (!request.topics) {
    for (const auto& [name, topic] : image.topics_by_name) {
      if (topic->state == metadata::TopicState::kActive) asked.push_back({name, std::nullopt});
    }
    return asked;
  }
  for (const auto& topic : *request.topics) {
    if (FindTopic(image, topic.name).ok()) {
      asked.push_back({std::string(topic.name), topic.partitions});
    }
  }
  return asked;
}

void Fill(const AskedTopic& asked, const broker::TopicDescription& description, DirTopic& answer) {
  for (const broker::PartitionDescription& partition : description.partitions) {
    const int32_t number = partition.partition.value();
    const bool is_asked = !asked.partitions ||
                          std::ranges::find(*asked.partitions, number) != asked.partitions->end();
    if (!is_asked || !partition.status.ok()) continue;
    answer.partitions.push_back({.partition = number,
                                 .partition_size = partition.size_bytes,
                                 .offset_lag = 0,
                                 .is_future_key = false});
  }
}

void FindProducers(const Services& services, ProducersPtr exchange, const TopicPartition& source,
                   ProducersAnswer& answer) {
  services.messages.DescribeProducers(
      source, [exchange = std::move(exchange), &answer](
                  const absl::StatusOr<std::vector<broker::ProducerDescription>>& found) mutable {
        Tell(answer, found.status());
        for (const broker::ProducerDescription& producer :
             found.ok() ? *found : std::vector<broker::ProducerDescription>()) {
          answer.active_producers.push_back({.producer_id = producer.id.value(),
                                             .producer_epoch = producer.epoch,
                                             .last_sequence = producer.last_sequence,
                                             .last_timestamp = producer.last_timestamp_ms,
                                             .coordinator_epoch = -1,
                                             .current_txn_start_offset = -1});
        }
        exchange.reset();
      });
}

}  // namespace

void Handle(const Services& services, DirsPtr exchange) {
  std::vector<AskedTopic> asked = AskedTopics(*services.topics.image(), exchange->request);
  auto& directory = exchange->response.results.emplace_back();
  directory.log_dir = services.cluster.GetServerInfo().data_directory;
  directory.topics.resize(asked.size());
  for (size_t i = 0; i < asked.size(); ++i) {
    DirTopic& answer = directory.topics[i];
    answer.name = asked[i].name;
    const std::string name = answer.name;
    services.topics.Describe(
        name, [exchange = exchange, &answer, topic = std::move(asked[i])](
                  const absl::StatusOr<broker::TopicDescription>& described) mutable {
          // One that has gone meanwhile has nothing any more.
          if (described.ok()) Fill(topic, *described, answer);
          exchange.reset();
        });
  }
}

void Handle(const Services& services, ProducersPtr exchange) {
  const auto& topics = exchange->request.topics;
  const auto image = services.topics.image();
  for (const auto& topic : topics) {
    auto& answered = exchange->response.topics.emplace_back();
    answered.name = topic.name;
    for (const int32_t partition : topic.partitions) {
      auto& answer = answered.partitions.emplace_back();
      answer.partition = partition;
      answer.error_code = Wire(ErrorCode::kUnknownServerError);
    }
  }
  for (size_t i = 0; i < topics.size(); ++i) {
    for (ProducersAnswer& answer : exchange->response.topics[i].partitions) {
      const auto source = FindPartition(*image, topics[i].name, answer.partition);
      if (source.ok()) {
        FindProducers(services, exchange, *source, answer);
      } else {
        Tell(answer, source.status());
      }
    }
  }
}

}  // namespace talosmq::kafka
