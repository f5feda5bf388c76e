#include "client/metadata_cache.h"

#include "base/status.h"
#include "base/text.h"
#include "client/client_core.h"
#include "client/error_message.h"
#include "talosmq/error.h"
#include "talosmq/v1/topic.pb.h"

#include <utility>

namespace talosmq::client {
namespace {

constexpr std::string_view kGetMetadata = "/talosmq.v1.TopicService/GetMetadata";

std::string AddressOf(const v1::GetMetadataResponse& response, int32_t broker) {
  for (const v1::BrokerMetadata& candidate : response.brokers()) {
    if (candidate.broker() == broker) return candidate.address();
  }
  return {};
}

/// The one topic that was asked for.
absl::StatusOr<TopicImagePtr> ReadTopic(const v1::GetMetadataResponse& response,
                                        Reason reason_when_deleting) {
  if (response.topics_size() != 1) {
    return MakeError(Reason::kInternal,
                     base::StrCat("metadata: expected one topic, found ", response.topics_size()));
  }
  const v1::TopicMetadata& topic = response.topics(0);
  if (topic.has_error()) return StatusOf(topic.error());
  if (topic.state() == v1::TOPIC_STATE_DELETING) {
    return MakeError(reason_when_deleting,
                     base::StrCat("topic ", topic.name(), " is being deleted"));
  }
  const std::optional<TopicId> id = TopicId::FromBytes(topic.topic_id());
  if (!id.has_value() || topic.partitions_size() == 0) {
    return MakeError(Reason::kInternal,
                     base::StrCat("metadata of topic ", topic.name(),
                                  ": expected an id of 16 bytes and partitions, found ",
                                  topic.topic_id().size(), " and ", topic.partitions_size()));
  }
  auto image = std::make_shared<TopicImage>();
  image->name = topic.name();
  image->id = *id;
  image->partitions.reserve(static_cast<size_t>(topic.partitions_size()));
  for (const v1::PartitionMetadata& partition : topic.partitions()) {
    image->partitions.push_back({.broker = BrokerId(partition.leader()),
                                 .epoch = LeaderEpoch(partition.leader_epoch()),
                                 .address = AddressOf(response, partition.leader())});
  }
  return image;
}

}  // namespace

void MetadataCache::FindByName(std::string name, Done done) {
  v1::GetMetadataRequest request;
  request.add_names(std::move(name));
  core_.CallTyped<v1::GetMetadataResponse>(
      kGetMetadata, request, CallPolicy::kAnyServer,
      [done = std::move(done)](absl::StatusOr<v1::GetMetadataResponse> response) mutable {
        done(response.ok() ? ReadTopic(*response, Reason::kTopicDeleting)
                           : absl::StatusOr<TopicImagePtr>(response.status()));
      });
}

void MetadataCache::Refresh(TopicId id, Done done) {
  std::vector<Done>& waiting = refreshing_[id];
  waiting.push_back(std::move(done));
  if (waiting.size() > 1) return;
  v1::GetMetadataRequest request;
  request.add_topic_ids(std::string(id.bytes()));
  core_.CallTyped<v1::GetMetadataResponse>(
      kGetMetadata, request, CallPolicy::kAnyServer,
      [this, id](const absl::StatusOr<v1::GetMetadataResponse>& response) {
        OnRefreshed(id, response.ok() ? ReadTopic(*response, Reason::kUnknownTopicId)
                                      : absl::StatusOr<TopicImagePtr>(response.status()));
      });
}

void MetadataCache::OnRefreshed(TopicId id, const absl::StatusOr<TopicImagePtr>& image) {
  const auto entry = refreshing_.find(id);
  std::vector<Done> waiting = std::move(entry->second);
  refreshing_.erase(entry);
  for (Done& done : waiting) done(image);
}

}  // namespace talosmq::client
