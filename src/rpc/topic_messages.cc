#include "rpc/topic_messages.h"

#include "base/text.h"
#include "rpc/error_status.h"

#include <algorithm>
#include <set>
#include <utility>

namespace talosmq::rpc {
namespace {

/// Length of a foreign name or id that is repeated in an error.
constexpr size_t kQuotedBytesMax = 64;

void FillPartition(const broker::PartitionDescription& partition, v1::PartitionInfo& to) {
  to.set_partition(partition.partition.value());
  if (!partition.status.ok()) FillError(partition.status, *to.mutable_error());
  to.set_leader(partition.leader.value());
  to.set_leader_epoch(partition.epoch.value());
  for (const BrokerId replica : partition.replicas) to.add_replicas(replica.value());
  for (const BrokerId replica : partition.in_sync) to.add_in_sync(replica.value());
  to.set_log_start_offset(partition.log_start.value());
  to.set_high_watermark(partition.high_watermark.value());
  to.set_log_end_offset(partition.log_end.value());
  to.set_size_bytes(partition.size_bytes);
  to.set_live_records(partition.high_watermark - partition.log_start);
  to.set_lifetime_records(partition.log_end.value());
  to.set_lifetime_bytes(partition.lifetime_bytes);
  for (const CorruptRange& range : partition.skipped) FillRange(range, *to.add_skipped());
}

void AddTo(v1::TopicTotals& totals, const v1::PartitionInfo& partition) {
  if (partition.has_error()) return;
  totals.set_live_records(totals.live_records() + partition.live_records());
  totals.set_live_bytes(totals.live_bytes() + partition.size_bytes());
  totals.set_lifetime_records(totals.lifetime_records() + partition.lifetime_records());
  totals.set_lifetime_bytes(totals.lifetime_bytes() + partition.lifetime_bytes());
}

void FillFoundByName(const metadata::ClusterImage& image, const std::string& name,
                     v1::TopicMetadata& to) {
  const auto topic = image.FindTopic(std::string_view(name));
  if (topic != nullptr) {
    FillMetadata(*topic, to);
    return;
  }
  to.set_name(name);
  FillError(MakeError(Reason::kUnknownTopic,
                      base::StrCat("there is no topic ", base::Printable(name, kQuotedBytesMax))),
            *to.mutable_error());
}

void FillFoundById(const metadata::ClusterImage& image, const std::string& bytes,
                   v1::TopicMetadata& to) {
  const std::optional<TopicId> id = TopicId::FromBytes(bytes);
  const auto topic = id.has_value() ? image.FindTopic(*id) : nullptr;
  if (topic != nullptr) {
    FillMetadata(*topic, to);
    return;
  }
  to.set_topic_id(bytes);
  FillError(MakeError(Reason::kUnknownTopicId,
                      base::StrCat("there is no topic with the id ",
                                   id.has_value() ? id->ToString()
                                                  : base::Printable(bytes, kQuotedBytesMax))),
            *to.mutable_error());
}

}  // namespace

v1::TopicState ToMessage(metadata::TopicState state) {
  switch (state) {
    case metadata::TopicState::kActive:
      return v1::TOPIC_STATE_ACTIVE;
    case metadata::TopicState::kDeleting:
      return v1::TOPIC_STATE_DELETING;
  }
  return v1::TOPIC_STATE_ACTIVE;
}

void FillDescription(const broker::TopicDescription& description, v1::DescribeTopicResponse& to) {
  const metadata::TopicImage& topic = *description.topic;
  to.set_name(topic.name);
  to.set_topic_id(std::string(topic.id.bytes()));
  to.set_state(ToMessage(topic.state));
  to.set_created_ms(absl::ToUnixMillis(topic.created));
  for (const broker::ConfigEntry& entry : description.configs) {
    v1::TopicConfig& config = *to.add_configs();
    config.set_key(entry.key);
    config.set_value(entry.value);
    config.set_is_default(entry.is_default);
  }
  for (const auto& partition : description.partitions) {
    v1::PartitionInfo& filled = *to.add_partitions();
    FillPartition(partition, filled);
    AddTo(*to.mutable_totals(), filled);
  }
}

void FillSummary(const metadata::TopicImage& topic, v1::TopicSummary& to) {
  to.set_name(topic.name);
  to.set_topic_id(std::string(topic.id.bytes()));
  to.set_state(ToMessage(topic.state));
  to.set_partitions(static_cast<int32_t>(topic.partitions.size()));
  to.set_replicas(topic.partitions.empty()
                      ? 0
                      : static_cast<int32_t>(topic.partitions.front().replicas.size()));
  to.set_is_internal(topic.is_internal);
  for (const auto& [key, value] : topic.labels()) {
    (*to.mutable_labels())[key] = value;
  }
}

void FillList(const metadata::ClusterImage& image, const v1::ListTopicsRequest& request,
              v1::ListTopicsResponse& to) {
  for (const auto& [id, topic] : image.topics_by_id) {
    if (topic->is_internal && !request.include_internal()) continue;
    v1::TopicSummary summary;
    FillSummary(*topic, summary);
    const bool is_wanted = std::all_of(
        request.labels().begin(), request.labels().end(), [&summary](const auto& filter) {
          const auto label = summary.labels().find(filter.key());
          return label != summary.labels().end() &&
                 (!filter.has_value() || label->second == filter.value());
        });
    if (is_wanted) *to.add_topics() = std::move(summary);
  }
  std::stable_sort(to.mutable_topics()->begin(), to.mutable_topics()->end(),
                   [](const auto& a, const auto& b) { return a.name() < b.name(); });
}

void FillMetadata(const metadata::TopicImage& topic, v1::TopicMetadata& to) {
  to.set_name(topic.name);
  to.set_topic_id(std::string(topic.id.bytes()));
  to.set_state(ToMessage(topic.state));
  for (const metadata::PartitionImage& partition : topic.partitions) {
    v1::PartitionMetadata& added = *to.add_partitions();
    added.set_leader(partition.leader.value());
    added.set_leader_epoch(partition.epoch.value());
  }
}

void FillMetadata(const metadata::ClusterImage& image, const v1::GetMetadataRequest& request,
                  v1::GetMetadataResponse& to) {
  to.set_cluster_id(image.cluster_id);
  for (const auto& [id, broker] : image.brokers) {
    v1::BrokerMetadata& added = *to.add_brokers();
    added.set_broker(id.value());
    added.set_address(broker.grpc_address);
  }
  const std::set<std::string> names(request.names().begin(), request.names().end());
  for (const std::string& name : names) FillFoundByName(image, name, *to.add_topics());
  const std::set<std::string> ids(request.topic_ids().begin(), request.topic_ids().end());
  for (const std::string& id : ids) FillFoundById(image, id, *to.add_topics());
}

}  // namespace talosmq::rpc
