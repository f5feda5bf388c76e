#include "base/status.h"
#include "cli/commands.h"

#include <string>

namespace talosmq::cli {
namespace {

struct DumpPauseOptions {
  std::string name;
};

absl::StatusOr<Document> Pause(const std::string& name, Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_RETURN_IF_ERROR(admin->PauseDump(name));
  return Document{{"dump", name}, {"result", "paused"}};
}

ExitStatus Run(const DumpPauseOptions& options, Session& session) {
  return session.Finish(Pause(options.name, session));
}

}  // namespace

void AddDumpPause(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<DumpPauseOptions>(
      parent, "pause", "Publish what is open, then stop writing until resumed", Run, selected);
  command->add_option("NAME", options->name, "The job")->required();
  command->footer(
      "Examples:\n"
      "  talosmq dump pause orders-files");
}

}  // namespace talosmq::cli
