#include "base/status.h"
#include "cli/commands.h"
#include "cli/group_document.h"

#include <vector>

namespace talosmq::cli {
namespace {

struct GroupListOptions {};

absl::StatusOr<Document> List(Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_ASSIGN_OR_RETURN(const std::vector<GroupSummary> groups, admin->ListGroups());
  Document rows = Document::array();
  for (const GroupSummary& group : groups) rows.push_back(SummarizeGroup(group));
  if (rows.empty()) {
    session.Note("there are no groups; `talosmq consume TOPIC -g GROUP` makes one");
  }
  return rows;
}

ExitStatus Run(const GroupListOptions&, Session& session) { return session.Finish(List(session)); }

}  // namespace

void AddGroupList(CLI::App& parent, Action& selected) {
  auto [command, options] =
      AddCommand<GroupListOptions>(parent, "list", "List the consumer groups", Run, selected);
  command->footer(
      "Examples:\n"
      "  talosmq group list");
}

}  // namespace talosmq::cli
