#include "cli/commands.h"
#include "cli/log_document.h"
#include "inspect/inspect.h"

#include <string>

namespace talosmq::cli {
namespace {

struct LogInspectOptions {
  std::string directory;
  bool lists_batches = false;
};

ExitStatus Run(const LogInspectOptions& options, Session& session) {
  const inspect::Detail detail =
      options.lists_batches ? inspect::Detail::kBatches : inspect::Detail::kSegments;
  return FinishReport(inspect::InspectDirectory(session.file_system(), options.directory, detail),
                      session);
}

}  // namespace

void AddLogInspect(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<LogInspectOptions>(
      parent, "inspect", "Show the segments of a data directory or of one log", Run, selected);
  command->add_option("DIR", options->directory, "A data directory or a log's folder below it")
      ->required();
  command->add_flag("-b,--batches", options->lists_batches, "Each batch, too");
  command->footer(
      "Reads only and takes no lock, so it may run beside a server.\n"
      "\n"
      "Examples:\n"
      "  talosmq log inspect /var/lib/talosmq\n"
      "  talosmq log inspect /var/lib/talosmq/topics/TOPIC_ID/0 -b -o json");
}

}  // namespace talosmq::cli
