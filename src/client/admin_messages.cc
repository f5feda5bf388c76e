#include "client/admin_messages.h"

#include "base/status.h"
#include "base/text.h"
#include "client/error_message.h"
#include "talosmq/error.h"

namespace talosmq::client {
namespace {

PartitionInfo ReadPartition(const v1::PartitionInfo& partition) {
  PartitionInfo info;
  info.partition = PartitionId(partition.partition());
  if (partition.has_error()) info.status = StatusOf(partition.error());
  info.leader = BrokerId(partition.leader());
  info.leader_epoch = LeaderEpoch(partition.leader_epoch());
  for (const int32_t broker : partition.replicas()) info.replicas.emplace_back(broker);
  for (const int32_t broker : partition.in_sync()) info.in_sync.emplace_back(broker);
  info.log_start = Offset(partition.log_start_offset());
  info.high_watermark = Offset(partition.high_watermark());
  info.log_end = Offset(partition.log_end_offset());
  info.size_bytes = partition.size_bytes();
  info.live_records = partition.live_records();
  info.lifetime_records = partition.lifetime_records();
  info.lifetime_bytes = partition.lifetime_bytes();
  for (const v1::CorruptRange& range : partition.skipped()) {
    info.skipped.push_back(RangeOf(range));
  }
  return info;
}

/// kRunning for a state that this SDK does not know: the job exists and has not failed.
DumpState ReadState(v1::DumpState state) {
  if (state == v1::DUMP_STATE_PAUSED) return DumpState::kPaused;
  if (state == v1::DUMP_STATE_FAILED) return DumpState::kFailed;
  return DumpState::kRunning;
}

v1::DumpFormat WriteFormat(DumpFormat format) {
  switch (format) {
    case DumpFormat::kJson:
      return v1::DUMP_FORMAT_JSON;
    case DumpFormat::kRaw:
      return v1::DUMP_FORMAT_RAW;
  }
  return v1::DUMP_FORMAT_UNSPECIFIED;
}

}  // namespace

absl::StatusOr<TopicId> ReadTopicId(const std::string& bytes) {
  const std::optional<TopicId> id = TopicId::FromBytes(bytes);
  if (id.has_value()) return *id;
  return MakeError(Reason::kInternal,
                   base::StrCat("topic id: expected 16 bytes, found ", bytes.size()));
}

absl::StatusOr<TopicSummary> ReadTopicSummary(const v1::TopicSummary& topic) {
  TALOSMQ_ASSIGN_OR_RETURN(const TopicId id, ReadTopicId(topic.topic_id()));
  return TopicSummary{.name = topic.name(),
                      .id = id,
                      .is_deleting = topic.state() == v1::TOPIC_STATE_DELETING,
                      .partitions = topic.partitions(),
                      .replicas = topic.replicas(),
                      .is_internal = topic.is_internal(),
                      .labels = {topic.labels().begin(), topic.labels().end()}};
}

absl::StatusOr<TopicInfo> ReadTopicInfo(const v1::DescribeTopicResponse& topic) {
  TALOSMQ_ASSIGN_OR_RETURN(const TopicId id, ReadTopicId(topic.topic_id()));
  TopicInfo info{.name = topic.name(),
                 .id = id,
                 .is_deleting = topic.state() == v1::TOPIC_STATE_DELETING,
                 .created = absl::FromUnixMillis(topic.created_ms()),
                 .configs = {},
                 .partitions = {},
                 .totals = {.live_records = topic.totals().live_records(),
                            .live_bytes = topic.totals().live_bytes(),
                            .lifetime_records = topic.totals().lifetime_records(),
                            .lifetime_bytes = topic.totals().lifetime_bytes()}};
  for (const v1::TopicConfig& config : topic.configs()) {
    info.configs.push_back(
        {.key = config.key(), .value = config.value(), .is_default = config.is_default()});
  }
  for (const v1::PartitionInfo& partition : topic.partitions()) {
    info.partitions.push_back(ReadPartition(partition));
  }
  return info;
}

ClusterInfo ReadClusterInfo(const v1::DescribeClusterResponse& cluster) {
  ClusterInfo info{.cluster_id = cluster.cluster_id(),
                   .metadata_store = cluster.metadata_store(),
                   .data_directory = cluster.data_directory(),
                   .brokers = {},
                   .topics = cluster.topics(),
                   .partitions = cluster.partitions()};
  for (const v1::BrokerDescription& broker : cluster.brokers()) {
    info.brokers.push_back({.id = BrokerId(broker.broker()),
                            .address = broker.address(),
                            .version = broker.version(),
                            .boot_counter = broker.boot_counter()});
  }
  return info;
}

ClusterHealth ReadClusterHealth(const v1::CheckHealthResponse& health) {
  ClusterHealth result{.is_healthy = health.is_healthy(),
                       .problems = {},
                       .warnings = {},
                       .orphans = {health.orphans().begin(), health.orphans().end()}};
  for (const v1::HealthProblem& problem : health.problems()) {
    result.problems.push_back({.object = problem.object(), .problem = problem.problem()});
  }
  for (const v1::HealthProblem& warning : health.warnings()) {
    result.warnings.push_back({.object = warning.object(), .problem = warning.problem()});
  }
  return result;
}

absl::StatusOr<DumpInfo> ReadDumpInfo(const v1::DumpDescription& dump) {
  TALOSMQ_ASSIGN_OR_RETURN(const TopicId topic_id, ReadTopicId(dump.topic_id()));
  const v1::DumpDefinition& definition = dump.definition();
  DumpInfo info{
      .definition = {.name = definition.name(),
                     .topic = definition.topic(),
                     .target = definition.target(),
                     .format = definition.format() == v1::DUMP_FORMAT_RAW ? DumpFormat::kRaw
                                                                          : DumpFormat::kJson,
                     .configs = {definition.configs().begin(), definition.configs().end()}},
      .topic_id = topic_id,
      .state = ReadState(dump.state()),
      .error = dump.error(),
      .partitions = {},
      .files_published = dump.files_published(),
      .records_published = dump.records_published(),
      .bytes_published = dump.bytes_published(),
      .offsets_skipped = dump.offsets_skipped()};
  for (const v1::DumpPartition& partition : dump.partitions()) {
    info.partitions.push_back({.partition = PartitionId(partition.partition()),
                               .next_offset = Offset(partition.next_offset()),
                               .high_watermark = Offset(partition.high_watermark()),
                               .lag_records = partition.lag_records()});
  }
  return info;
}

void WriteDumpDefinition(const DumpDefinition& dump, v1::DumpDefinition& message) {
  message.set_name(dump.name);
  message.set_topic(dump.topic);
  message.set_target(dump.target);
  message.set_format(WriteFormat(dump.format));
  message.mutable_configs()->insert(dump.configs.begin(), dump.configs.end());
}

}  // namespace talosmq::client
