#include "base/status.h"
#include "cli/commands.h"
#include "cli/dump_document.h"

#include <vector>

namespace talosmq::cli {
namespace {

struct DumpListOptions {};

absl::StatusOr<Document> List(Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_ASSIGN_OR_RETURN(const std::vector<DumpInfo> dumps, admin->ListDumps());
  Document rows = Document::array();
  for (const DumpInfo& dump : dumps) rows.push_back(SummarizeDump(dump));
  if (rows.empty()) {
    session.Note("there are no dump jobs; `talosmq dump create --help` shows how to make one");
  }
  return rows;
}

ExitStatus Run(const DumpListOptions&, Session& session) { return session.Finish(List(session)); }

}  // namespace

void AddDumpList(CLI::App& parent, Action& selected) {
  auto [command, options] =
      AddCommand<DumpListOptions>(parent, "list", "List the dump jobs", Run, selected);
  command->footer(
      "Examples:\n"
      "  talosmq dump list");
}

}  // namespace talosmq::cli
