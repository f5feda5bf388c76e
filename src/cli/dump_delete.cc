#include "base/status.h"
#include "cli/commands.h"

#include <string>

namespace talosmq::cli {
namespace {

struct DumpDeleteOptions {
  std::string name;
};

absl::StatusOr<Document> Delete(const std::string& name, Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_RETURN_IF_ERROR(admin->DeleteDump(name));
  return Document{{"dump", name}, {"result", "deleted"}};
}

ExitStatus Run(const DumpDeleteOptions& options, Session& session) {
  return session.Finish(Delete(options.name, session));
}

}  // namespace

void AddDumpDelete(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<DumpDeleteOptions>(
      parent, "delete", "End a job for good; the files that it published stay", Run, selected);
  command->add_option("NAME", options->name, "The job")->required();
  command->footer(
      "Examples:\n"
      "  talosmq dump delete orders-files");
}

}  // namespace talosmq::cli
