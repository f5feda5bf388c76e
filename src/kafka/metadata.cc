#include "broker/topic_name.h"
#include "kafka/error_code.h"
#include "kafka/handlers.h"
#include "kafka/topic_lookup.h"

#include "absl/container/flat_hash_set.h"

#include <string>
#include <utility>
#include <vector>

namespace talosmq::kafka {
namespace {

using TopicAnswer = MetadataResponse::Topic;

using MetadataPtr = ExchangePtr<MetadataRequest, MetadataResponse>;

constexpr int16_t kFirstVersionByTopicId = 12;
constexpr int16_t kFirstVersionWithAutoCreation = 4;
constexpr absl::Duration kCreationPatience = absl::Seconds(5);
constexpr size_t kCreationsMax = 100;  // For one request.

std::vector<int32_t> Numbers(const std::vector<BrokerId>& brokers) {
  std::vector<int32_t> numbers;
  for (const BrokerId broker : brokers) numbers.push_back(broker.value());
  return numbers;
}

TopicAnswer Describe(const metadata::TopicImage& topic) {
  TopicAnswer answer;
  answer.name = topic.name;
  answer.topic_id = topic.id;
  answer.is_internal = topic.is_internal;
  for (size_t i = 0; i < topic.partitions.size(); ++i) {
    const metadata::PartitionImage& partition = topic.partitions[i];
    // Nobody has led it yet: the first request makes its first replica the leader.
    const bool is_led = partition.epoch > LeaderEpoch(0);
    answer.partitions.push_back(
        {.error_code = Wire(ErrorCode::kNone),
         .partition = static_cast<int32_t>(i),
         .leader_id = is_led ? partition.leader.value() : partition.replicas.front().value(),
         .leader_epoch = is_led ? partition.epoch.value() : -1,
         .replica_nodes = Numbers(partition.replicas),
         .isr_nodes = Numbers(is_led ? partition.in_sync : partition.replicas),
         .offline_replicas = {}});
  }
  return answer;
}

TopicAnswer Refusal(std::optional<std::string_view> name, const TopicId& id, ErrorCode code) {
  TopicAnswer answer;
  answer.error_code = Wire(code);
  answer.topic_id = id;
  answer.name = name ? std::optional<std::string>(*name) : std::nullopt;
  return answer;
}

/// A client asks again about a topic without a leader: so it is told where another attempt may
/// make the topic, or find it made by somebody else. Any other error is its own.
ErrorCode CreationErrorOf(const absl::Status& status) {
  const ErrorCode code = ErrorCodeOf(status);
  const bool may_come = status.ok() || code == ErrorCode::kTopicAlreadyExists ||
                        code == ErrorCode::kRequestTimedOut ||
                        ReasonOf(status) == Reason::kConflict;
  return may_come ? ErrorCode::kLeaderNotAvailable : code;
}

TopicAnswer Find(const metadata::ClusterImage& image, const MetadataRequest::Topic& asked,
                 int16_t version) {
  if (!asked.name) {
    if (version < kFirstVersionByTopicId) return Refusal("", {}, ErrorCode::kInvalidRequest);
    const auto topic = image.FindTopic(asked.topic_id);
    if (topic == nullptr || topic->state != metadata::TopicState::kActive) {
      return Refusal(std::nullopt, asked.topic_id, ErrorCode::kUnknownTopicId);
    }
    return Describe(*topic);
  }
  if (!broker::CheckTopicName(*asked.name).ok()) {
    return Refusal(asked.name, {}, ErrorCode::kInvalidTopic);
  }
  const auto topic = FindTopic(image, *asked.name);
  return topic.ok() ? Describe(**topic) : Refusal(asked.name, {}, ErrorCodeOf(topic.status()));
}

bool MayCreate(const Services& services, const MetadataRequest& request, int16_t version) {
  const bool is_allowed =
      version < kFirstVersionWithAutoCreation || request.allow_auto_topic_creation;
  return services.settings.creates_topics && is_allowed;
}

/// Makes the topic of the answer at `place`, with defaults, and tells of it.
void Create(const Services& services, MetadataPtr exchange, size_t place) {
  const std::string name = *exchange->response.topics[place].name;
  services.topics.Create(
      {.name = name}, services.clock.Monotonic() + kCreationPatience,
      [topics = &services.topics, exchange = std::move(exchange), place,
       name](const absl::StatusOr<std::shared_ptr<const metadata::TopicImage>>& created) mutable {
        TopicAnswer& answer = exchange->response.topics[place];
        // Somebody else may have made it meanwhile.
        const auto topic = FindTopic(*topics->image(), name);
        answer =
            topic.ok() ? Describe(**topic) : Refusal(name, {}, CreationErrorOf(created.status()));
        exchange.reset();
      });
}

/// The topics that are not there, up to kCreationsMax; the next request finds those, and has the
/// others made.
void CreateMissing(const Services& services, const MetadataPtr& exchange) {
  size_t creations = 0;
  std::vector<TopicAnswer>& topics = exchange->response.topics;
  for (size_t i = 0; i < topics.size(); ++i) {
    if (topics[i].error_code != Wire(ErrorCode::kUnknownTopicOrPartition)) continue;
    topics[i].error_code = Wire(ErrorCode::kLeaderNotAvailable);
    if (creations++ < kCreationsMax) Create(services, exchange, i);
  }
}

}  // namespace

void Handle(const Services& services, MetadataPtr exchange) {
  const auto image = services.topics.image();
  const MetadataRequest& request = exchange->request;
  MetadataResponse& response = exchange->response;
  const broker::ServerInfo self = services.cluster.GetServerInfo();
  const Endpoint& endpoint = exchange->caller().endpoint;
  response.brokers.push_back(
      {.node_id = self.broker.value(), .host = endpoint.host, .port = endpoint.port, .rack = {}});
  response.cluster_id = self.cluster_id;
  response.controller_id = self.broker.value();
  const bool wants_all = !request.topics || (exchange->version() == 0 && request.topics->empty());
  if (wants_all) {
    for (const auto& [name, topic] : image->topics_by_name) {
      if (topic->state == metadata::TopicState::kActive)
        response.topics.push_back(Describe(*topic));
    }
    return;
  }
  // A topic named again takes a few bytes of a request, and many times that of an answer.
  absl::flat_hash_set<std::pair<std::optional<std::string_view>, TopicId>> told;
  for (const MetadataRequest::Topic& asked : *request.topics) {
    if (!told.emplace(asked.name, asked.name ? TopicId() : asked.topic_id).second) continue;
    response.topics.push_back(Find(*image, asked, exchange->version()));
  }
  if (MayCreate(services, request, exchange->version())) CreateMissing(services, exchange);
}

}  // namespace talosmq::kafka
