#include "base/status.h"
#include "base/text.h"
#include "cli/commands.h"

#include <optional>
#include <string>
#include <vector>

namespace talosmq::cli {
namespace {

struct PartitionListOptions {
  std::optional<std::string> topic;
};

Document Numbers(const std::vector<BrokerId>& brokers) {
  Document numbers = Document::array();
  for (const BrokerId broker : brokers) numbers.push_back(broker.value());
  return numbers;
}

void AddRows(const TopicInfo& topic, Document& rows) {
  for (const PartitionInfo& partition : topic.partitions) {
    const std::string error(base::FromAbsl(partition.status.message()));
    rows.push_back({{"topic", topic.name},
                    {"partition", partition.partition.value()},
                    {"leader", partition.leader.value()},
                    {"leader_epoch", partition.leader_epoch.value()},
                    {"replicas", Numbers(partition.replicas)},
                    {"in_sync", Numbers(partition.in_sync)},
                    {"error", error.empty() ? Document() : Document(error)}});
  }
}

absl::StatusOr<std::vector<std::string>> NamesOf(const PartitionListOptions& options,
                                                 Admin& admin) {
  std::vector<std::string> names;
  if (options.topic.has_value()) {
    names.push_back(*options.topic);
    return names;
  }
  TALOSMQ_ASSIGN_OR_RETURN(const std::vector<TopicSummary> topics, admin.ListTopics());
  for (const TopicSummary& topic : topics) {
    if (!topic.is_deleting) names.push_back(topic.name);
  }
  return names;
}

absl::StatusOr<Document> List(const PartitionListOptions& options, Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesOf(options, *admin));
  Document rows = Document::array();
  for (const std::string& name : names) {
    const absl::StatusOr<TopicInfo> topic = admin->DescribeTopic(name);
    if (topic.ok()) {
      AddRows(*topic, rows);
    } else if (options.topic.has_value() || ReasonOf(topic.status()) != Reason::kUnknownTopic) {
      return topic.status();
    }
    // Else it was deleted since the names were listed.
  }
  if (rows.empty()) {
    session.Note(
        "there are no partitions, as there are no topics; `talosmq topic create NAME` "
        "makes one");
  }
  return rows;
}

ExitStatus Run(const PartitionListOptions& options, Session& session) {
  return session.Finish(List(options, session));
}

}  // namespace

void AddPartitionList(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<PartitionListOptions>(
      parent, "list", "List partitions with their leaders and replicas", Run, selected);
  command->add_option("TOPIC", options->topic, "Of this one only; default: of every topic");
  command->footer(
      "Examples:\n"
      "  talosmq partition list\n"
      "  talosmq partition list orders -o json");
}

}  // namespace talosmq::cli
