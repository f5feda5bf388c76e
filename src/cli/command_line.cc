#include "cli/command_line.h"

#include "base/status.h"
#include "base/text.h"
#include "cli/command_tree.h"
#include "cli/usage_error.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace talosmq::cli {
namespace {

constexpr std::string_view kDefaultServer = "127.0.0.1:9191";

void Say(const std::string& text, const Session::Deps& deps) {
  deps.err.Write(base::StrCat("talosmq: ", text, "\n")).IgnoreError();
}

ExitStatus Print(const std::string& text, const Session::Deps& deps) {
  const absl::Status written = deps.out.Write(text);
  if (written.ok() || ReasonOf(written) == Reason::kClosed) return ExitStatus::kDone;
  Say(std::string(base::FromAbsl(written.message())), deps);
  return ExitStatus::kFailed;
}

/// Parses; a status when there is nothing left to do: help was printed, or the usage was wrong.
std::optional<ExitStatus> Parse(CLI::App& app, const std::vector<std::string>& arguments,
                                const Session::Deps& deps) {
  try {
    // CLI11 takes them last one first.
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    return Print(app.help(), deps);
  } catch (const CLI::CallForVersion& version) {
    return Print(base::StrCat(version.what(), "\n"), deps);
  } catch (const CLI::ParseError& error) {
    Say(DescribeUsageError(app, error), deps);
    return ExitStatus::kWrongUsage;
  }
}

}  // namespace

ExitStatus RunCommandLine(const std::vector<std::string>& arguments, const Environment& environment,
                          const Session::Deps& deps) {
  Settings flags;
  Action selected;
  const std::unique_ptr<CLI::App> tree = MakeCommandTree(flags, selected);
  CLI::App& app = *tree;
  if (const std::optional<ExitStatus> ended = Parse(app, arguments, deps)) return *ended;

  const auto settings = ResolveSettings(flags, environment, deps.file_system);
  if (!settings.ok()) {
    Say(std::string(base::FromAbsl(settings.status().message())), deps);
    return ExitStatus::kFailed;
  }
  Session session({.command = CommandPath(app),
                   .client = {.server = settings->server.value_or(std::string(kDefaultServer)),
                              .tls_ca = settings->tls_ca.value_or(""),
                              .tls_cert = settings->tls_cert.value_or(""),
                              .tls_key = settings->tls_key.value_or("")},
                   .form = settings->output.value_or(OutputForm::kTable)},
                  deps);
  return selected(session);
}

}  // namespace talosmq::cli
