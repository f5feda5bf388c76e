#include "base/status.h"
#include "cli/commands.h"
#include "cli/time_text.h"

#include <string>
#include <string_view>
#include <vector>

namespace talosmq::cli {
namespace {

struct TopicDescribeOptions {
  std::string name;
};

Document Numbers(const std::vector<BrokerId>& brokers) {
  Document numbers = Document::array();
  for (const BrokerId broker : brokers) numbers.push_back(broker.value());
  return numbers;
}

Document Ranges(const std::vector<CorruptRange>& ranges) {
  Document listed = Document::array();
  for (const CorruptRange& range : ranges) {
    listed.push_back({{"first_offset", range.first.value()}, {"next_offset", range.next.value()}});
  }
  return listed;
}

/// Offsets of a partition that could not answer are void, so they are shown as null.
Document DescribePartition(const PartitionInfo& partition) {
  const bool answered = partition.status.ok();
  const auto known = [answered](int64_t value) { return answered ? Document(value) : Document(); };
  return {{"partition", partition.partition.value()},
          {"leader", partition.leader.value()},
          {"leader_epoch", partition.leader_epoch.value()},
          {"replicas", Numbers(partition.replicas)},
          {"in_sync", Numbers(partition.in_sync)},
          {"log_start_offset", known(partition.log_start.value())},
          {"high_watermark", known(partition.high_watermark.value())},
          {"log_end_offset", known(partition.log_end.value())},
          {"size_bytes", known(partition.size_bytes)},
          {"live_records", known(partition.live_records)},
          {"lifetime_records", known(partition.lifetime_records)},
          {"lifetime_bytes", known(partition.lifetime_bytes)},
          {"skipped", Ranges(partition.skipped)},
          {"error", answered ? Document()
                             : Document(std::string(base::FromAbsl(partition.status.message())))}};
}

Document LabelsOf(const std::vector<TopicConfig>& configs) {
  constexpr std::string_view kPrefix = "label.";
  Document labels = Document::object();
  for (const TopicConfig& config : configs) {
    if (!config.key.starts_with(kPrefix)) continue;
    labels[config.key.substr(kPrefix.size())] = config.value;
  }
  return labels;
}

absl::StatusOr<Document> Describe(const std::string& name, Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_ASSIGN_OR_RETURN(const TopicInfo topic, admin->DescribeTopic(name));
  Document configs = Document::array();
  for (const TopicConfig& config : topic.configs) {
    configs.push_back(
        {{"key", config.key}, {"value", config.value}, {"is_default", config.is_default}});
  }
  Document partitions = Document::array();
  for (const PartitionInfo& partition : topic.partitions) {
    partitions.push_back(DescribePartition(partition));
  }
  return Document{{"topic", topic.name},
                  {"topic_id", topic.id.ToString()},
                  {"state", topic.is_deleting ? "deleting" : "active"},
                  {"created", TimeText(topic.created)},
                  {"live_records", topic.totals.live_records},
                  {"live_bytes", topic.totals.live_bytes},
                  {"lifetime_records", topic.totals.lifetime_records},
                  {"lifetime_bytes", topic.totals.lifetime_bytes},
                  {"labels", LabelsOf(topic.configs)},
                  {"configs", std::move(configs)},
                  {"partitions", std::move(partitions)}};
}

ExitStatus Run(const TopicDescribeOptions& options, Session& session) {
  return session.Finish(Describe(options.name, session));
}

}  // namespace

void AddTopicDescribe(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<TopicDescribeOptions>(
      parent, "describe", "Show a topic with its settings and partitions", Run, selected);
  command->add_option("NAME", options->name, "The topic")->required();
  command->footer(
      "Examples:\n"
      "  talosmq topic describe orders\n"
      "  talosmq topic describe orders -o json | jq '.partitions[].high_watermark'");
}

}  // namespace talosmq::cli
