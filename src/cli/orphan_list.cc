#include "base/status.h"
#include "cli/commands.h"

#include "absl/strings/numbers.h"

#include <algorithm>
#include <cstdint>
#include <string>

namespace talosmq::cli {
namespace {

struct OrphanListOptions {};

/// The server names an orphan "<topic id>/<partition>".
Document DescribeOrphan(const std::string& name) {
  const size_t slash = std::min(name.find('/'), name.size());
  int32_t partition = 0;
  const bool has_partition =
      absl::SimpleAtoi(name.substr(std::min(slash + 1, name.size())), &partition);
  return {{"topic_id", name.substr(0, slash)},
          {"partition", has_partition ? Document(partition) : Document()}};
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
      "metadata store.\n"
      "\n"
      "Examples:\n"
      "  talosmq orphan list\n"
      "  talosmq orphan list -o json | jq -r '.[].topic_id'");
}

}  // namespace talosmq::cli
