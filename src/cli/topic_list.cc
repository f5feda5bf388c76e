#include "base/status.h"
#include "cli/commands.h"

#include <string>
#include <vector>

namespace talosmq::cli {
namespace {

struct TopicListOptions {};

absl::StatusOr<Document> List(Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_ASSIGN_OR_RETURN(const std::vector<TopicSummary> topics, admin->ListTopics());
  Document rows = Document::array();
  for (const TopicSummary& topic : topics) {
    rows.push_back({{"topic", topic.name},
                    {"topic_id", topic.id.ToString()},
                    {"state", topic.is_deleting ? "deleting" : "active"},
                    {"partitions", topic.partitions},
                    {"replicas", topic.replicas},
                    {"is_internal", topic.is_internal}});
  }
  if (rows.empty()) session.Note("there are no topics; `talosmq topic create NAME` makes one");
  return rows;
}

ExitStatus Run(const TopicListOptions&, Session& session) { return session.Finish(List(session)); }

}  // namespace

void AddTopicList(CLI::App& parent, Action& selected) {
  auto [command, options] =
      AddCommand<TopicListOptions>(parent, "list", "List the topics", Run, selected);
  command->footer(
      "Examples:\n"
      "  talosmq topic list\n"
      "  talosmq topic list -o json");
}

}  // namespace talosmq::cli
