#include "base/status.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/dump_document.h"
#include "cli/time_text.h"

#include <string>

namespace talosmq::cli {
namespace {

constexpr absl::Duration kAskAgainAfter = absl::Seconds(1);

struct DumpWatchOptions {
  std::string name;
};

std::string Line(const Document& dump) {
  const auto text = [&dump](const char* key) { return dump[key].get<std::string>(); };
  const auto number = [&dump](const char* key) { return dump[key].get<int64_t>(); };
  std::string line =
      base::StrCat(text("time"), "  ", text("state"), "  lag ", number("lag_records"),
                   " records, published ", number("files_published"), " files, ",
                   number("records_published"), " records, ", number("bytes_published"), " bytes");
  if (!dump["error"].is_null()) line += "  " + text("error");
  return line + "\n";
}

absl::Status Print(const DumpInfo& dump, Session& session) {
  Document document{{"time", TimeText(session.clock().Now())}};
  document.update(SummarizeDump(dump));
  return session.Print(session.form() == OutputForm::kTable
                           ? Line(document)
                           : RenderStreamed(document, session.form()));
}

/// Until Ctrl-C.
absl::Status Watch(const std::string& name, Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  Document told;
  do {
    const absl::StatusOr<DumpInfo> dump = admin->DescribeDump(name);
    const Reason reason = ReasonOf(dump.status());
    if (reason == Reason::kUnavailable || reason == Reason::kDeadlineExceeded) continue;
    if (!dump.ok()) return dump.status();
    if (told == SummarizeDump(*dump)) continue;
    TALOSMQ_RETURN_IF_ERROR(Print(*dump, session));
    told = SummarizeDump(*dump);
  } while (!session.interrupt().WaitFor(kAskAgainAfter));
  return absl::OkStatus();
}

ExitStatus Run(const DumpWatchOptions& options, Session& session) {
  const absl::Status ended = Watch(options.name, session);
  if (ended.ok() || ReasonOf(ended) == Reason::kClosed) return ExitStatus::kDone;
  return session.Fail(ended);
}

}  // namespace

void AddDumpWatch(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<DumpWatchOptions>(
      parent, "watch", "Print how a dump job stands, each time that it has changed", Run, selected);
  command->add_option("NAME", options->name, "The job")->required();
  command->footer(
      "Looks once a second until Ctrl-C; while no server answers, it waits for one. With -o json\n"
      "every change is a line.\n"
      "\n"
      "Examples:\n"
      "  talosmq dump watch orders-files\n"
      "  talosmq dump watch orders-files -o json | jq .lag_records");
}

}  // namespace talosmq::cli
