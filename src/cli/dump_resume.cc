#include "base/status.h"
#include "cli/commands.h"

#include <string>

namespace talosmq::cli {
namespace {

struct DumpResumeOptions {
  std::string name;
};

absl::StatusOr<Document> Resume(const std::string& name, Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_RETURN_IF_ERROR(admin->ResumeDump(name));
  return Document{{"dump", name}, {"result", "running"}};
}

ExitStatus Run(const DumpResumeOptions& options, Session& session) {
  return session.Finish(Resume(options.name, session));
}

}  // namespace

void AddDumpResume(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<DumpResumeOptions>(
      parent, "resume", "Let a paused or failed job go on where it stopped", Run, selected);
  command->add_option("NAME", options->name, "The job")->required();
  command->footer(
      "Examples:\n"
      "  talosmq dump resume orders-files");
}

}  // namespace talosmq::cli
