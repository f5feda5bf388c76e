#include "cli/commands.h"
#include "cli/log_document.h"
#include "inspect/inspect.h"

#include <string>

namespace talosmq::cli {
namespace {

struct LogVerifyOptions {
  std::string directory;
};

ExitStatus Run(const LogVerifyOptions& options, Session& session) {
  return FinishReport(inspect::VerifyDirectory(session.file_system(), options.directory,
                                               inspect::Detail::kSegments),
                      session);
}

}  // namespace

void AddLogVerify(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<LogVerifyOptions>(
      parent, "verify", "Check every byte that was recorded as durable; status 1 when one is wrong",
      Run, selected);
  command->add_option("DIR", options->directory, "A data directory or a log's folder below it")
      ->required();
  command->footer(
      "Reads only and takes no lock. Beside a running server it checks up to the flushed point "
      "and\n"
      "says so.\n"
      "\n"
      "Examples:\n"
      "  talosmq log verify /var/lib/talosmq");
}

}  // namespace talosmq::cli
