#include "base/status.h"
#include "cli/commands.h"

#include <optional>
#include <string>

namespace talosmq::cli {
namespace {

struct OrphanListOptions {};

/// The server names an orphan "<topic id>/<partition>".
Document DescribeOrphan(const std::string& id) {
  const std::optional<TopicPartition> log = TopicPartition::Parse(id);
  return {{"id", id},
          {"topic_id", log ? Document(log->topic_id.ToString()) : Document()},
          {"partition", log ? Document(log->partition.value()) : Document()}};
}

absl::StatusOr<Document> List(Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_ASSIGN_OR_RETURN(const ClusterHealth health, admin->CheckHealth());
  Document rows = Document::array();
  for (const std::string& orphan : health.orphans) rows.push_back(DescribeOrphan(orphan));
  if (rows.empty()) session.Note("there are no orphans: every log on disk belongs to a topic");
  return rows;
}

ExitStatus Run(const OrphanListOptions&, Session& session) { return session.Finish(List(session)); }

}  // namespace

void AddOrphanList(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<OrphanListOptions>(
      parent, "list", "List the logs on disk that belong to no topic", Run, selected);
  command->footer(
      "The server keeps them until an operator decides, for they may be what is left of a lost\n"
      "metadata store. 'talosmq orphan delete ID' deletes one.\n"
      "\n"
      "Examples:\n"
      "  talosmq orphan list\n"
      "  talosmq orphan list -o json | jq -r '.[].id'");
}

}  // namespace talosmq::cli
