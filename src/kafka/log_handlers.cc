#include "base/text.h"
#include "kafka/error_code.h"
#include "kafka/handlers.h"
#include "kafka/status_answer.h"
#include "kafka/topic_lookup.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

// What operators are told of the logs of partitions.
namespace talosmq::kafka {
namespace {

using DirsPtr = ExchangePtr<DescribeLogDirsRequest, DescribeLogDirsResponse>;
using DirTopic = DescribeLogDirsResponse::Result::Topic;
using ProducersPtr = ExchangePtr<DescribeProducersRequest, DescribeProducersResponse>;
using ProducersAnswer = DescribeProducersResponse::Topic::Partition;

/// The partitions that are asked for, ascending and each once; nothing: all.
using AskedPartitions = std::optional<std::vector<int32_t>>;
using AskedTopics = std::map<std::string, AskedPartitions>;

/// More of them are not told in one answer: some 4 MB.
constexpr size_t kProducersToldMax = 100'000;

/// By their names. Those that are not there are left out, as in Kafka.
AskedTopics TopicsOf(const metadata::ClusterImage& image, const DescribeLogDirsRequest& request) {
  AskedTopics asked;
  if (!request.topics) {
    for (const auto& [name, topic] : image.topics_by_name) {
      if (topic->state == metadata::TopicState::kActive) asked.emplace(name, std::nullopt);
    }
    return asked;
  }
  for (const auto& topic : *request.topics) {
    if (!FindTopic(image, topic.name).ok()) continue;
    auto& partitions = asked[std::string(topic.name)];
    if (!partitions) partitions.emplace();
    partitions->insert(partitions->end(), topic.partitions.begin(), topic.partitions.end());
  }
  for (auto& [name, partitions] : asked) {
    std::ranges::sort(*partitions);
    partitions->erase(std::unique(partitions->begin(), partitions->end()), partitions->end());
  }
  return asked;
}

/// Whether it says that something has gone meanwhile, which has no log any more.
bool HasGone(const absl::Status& status) {
  return ErrorCodeOf(status) == ErrorCode::kUnknownTopicOrPartition ||
         ErrorCodeOf(status) == ErrorCode::kUnknownTopicId;
}

/// What a directory that has not told of all its logs says. The topics come on several threads.
void NoteFailure(DescribeLogDirsResponse::Result& directory) {
  std::atomic_ref(directory.error_code).store(Wire(ErrorCode::kKafkaStorageError));
}

void Fill(const AskedPartitions& asked, const broker::TopicDescription& description,
          DescribeLogDirsResponse::Result& directory, DirTopic& answer) {
  for (const broker::PartitionDescription& partition : description.partitions) {
    const int32_t number = partition.partition.value();
    if (asked && !std::ranges::binary_search(*asked, number)) continue;
    if (partition.status.ok()) {
      answer.partitions.push_back({.partition = number,
                                   .partition_size = partition.size_bytes,
                                   .offset_lag = 0,
                                   .is_future_key = false});
    } else if (!HasGone(partition.status)) {
      NoteFailure(directory);
    }
  }
}

/// How many producers one answer has been promised. Thread-safe.
class ProducersRoom {
 public:
  bool Take(size_t count) { return taken_.fetch_add(count) + count <= kProducersToldMax; }

 private:
  std::atomic<size_t> taken_ = 0;
};

absl::Status TooManyProducers() {
  return MakeError(Reason::kInvalidArgument,
                   base::StrCat("expected at most ", kProducersToldMax,
                                " producers in one answer, found more; ask for fewer partitions"));
}

void TellProducers(const std::vector<broker::ProducerDescription>& producers,
                   ProducersAnswer& answer) {
  for (const broker::ProducerDescription& producer : producers) {
    answer.active_producers.push_back({.producer_id = producer.id.value(),
                                       .producer_epoch = producer.epoch,
                                       .last_sequence = producer.last_sequence,
                                       .last_timestamp = producer.last_timestamp_ms,
                                       .coordinator_epoch = -1,
                                       .current_txn_start_offset = -1});
  }
}

/// `room` is shared by all partitions of the answer.
void FindProducers(const Services& services, ProducersPtr exchange,
                   std::shared_ptr<ProducersRoom> room, const TopicPartition& source,
                   ProducersAnswer& answer) {
  services.messages.DescribeProducers(
      source, [exchange = std::move(exchange), room = std::move(room), &answer](
                  const absl::StatusOr<std::vector<broker::ProducerDescription>>& found) mutable {
        const bool has_room = !found.ok() || room->Take(found->size());
        Tell(answer, has_room ? found.status() : TooManyProducers());
        if (found.ok() && has_room) TellProducers(*found, answer);
        exchange.reset();
      });
}

}  // namespace

void Handle(const Services& services, DirsPtr exchange) {
  AskedTopics asked = TopicsOf(*services.topics.image(), exchange->request);
  auto& directory = exchange->response.results.emplace_back();
  broker::ServerInfo server = services.cluster.GetServerInfo();
  directory.log_dir = std::move(server.data_directory);
  directory.total_bytes = server.disk_capacity_bytes;
  directory.usable_bytes = server.disk_free_bytes;
  directory.topics.resize(asked.size());
  size_t place = 0;
  for (auto& [name, partitions] : asked) {
    DirTopic& answer = directory.topics[place++];
    answer.name = name;
    services.topics.Describe(
        name, [exchange = exchange, &directory, &answer, partitions = std::move(partitions)](
                  const absl::StatusOr<broker::TopicDescription>& described) mutable {
          if (described.ok()) {
            Fill(partitions, *described, directory, answer);
          } else if (!HasGone(described.status())) {
            NoteFailure(directory);
          }
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
  const auto room = std::make_shared<ProducersRoom>();
  std::set<std::pair<std::string_view, int32_t>> seen;
  for (size_t i = 0; i < topics.size(); ++i) {
    for (ProducersAnswer& answer : exchange->response.topics[i].partitions) {
      // Of few bytes that name one partition again and again, a long answer would be made.
      if (!seen.emplace(topics[i].name, answer.partition).second) {
        answer.error_code = Wire(ErrorCode::kInvalidRequest);
        continue;
      }
      const auto source = FindPartition(*image, topics[i].name, answer.partition);
      if (source.ok()) {
        FindProducers(services, exchange, room, *source, answer);
      } else {
        Tell(answer, source.status());
      }
    }
  }
}

}  // namespace talosmq::kafka
