#include "cli/command_line.h"

#include "base/status.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/usage_error.h"
#include "client/server_list.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace talosmq::cli {
namespace {

constexpr std::string_view kDefaultServer = "127.0.0.1:9191";

CLI::App& AddGroup(CLI::App& app, const std::string& name, const std::string& description) {
  CLI::App* const group = app.add_subcommand(name, description);
  group->require_subcommand(1);
  return *group;
}

void AddGlobalFlags(CLI::App& app, Settings& flags) {
  app.add_option("--server", flags.server,
                 "HOST:PORT[,HOST:PORT...] of the cluster, tried in turn; else TALOSMQ_SERVER, the "
                 "config file, or 127.0.0.1:9191")
      ->check(CLI::Validator(
          [](std::string& servers) {
            const absl::Status status = client::ParseServerList(servers).status();
            return std::string(base::FromAbsl(status.message()));
          },
          std::string()));
  AddParsed(app, "-o,--output", flags.output, ParseOutputForm,
            "table (default), json or yaml; may stand before or after the command");
  app.add_option("--tls-ca", flags.tls_ca,
                 "PEM file of the authority of the servers' certificates; connects with TLS");
  app.add_option("--tls-cert", flags.tls_cert,
                 "PEM file of your certificate, for servers that ask for one");
  app.add_option("--tls-key", flags.tls_key, "PEM file of the private key of --tls-cert");
  app.set_version_flag("--version", "talosmq " TALOSMQ_VERSION, "Print the version and end");
  app.set_help_flag("-h,--help", "Print this help and end");
}

void AddCommands(CLI::App& app, Action& selected) {
  CLI::App& topic = AddGroup(app, "topic", "Make, show, change and delete topics");
  AddTopicCreate(topic, selected);
  AddTopicList(topic, selected);
  AddTopicDescribe(topic, selected);
  AddTopicAlter(topic, selected);
  AddTopicAddPartitions(topic, selected);
  AddTopicDelete(topic, selected);

  AddProduce(app, selected);
  AddConsume(app, selected);

  CLI::App& dump = AddGroup(app, "dump", "Jobs in the server that write topics to files");
  AddDumpCreate(dump, selected);
  AddDumpList(dump, selected);
  AddDumpDescribe(dump, selected);
  AddDumpPause(dump, selected);
  AddDumpResume(dump, selected);
  AddDumpDelete(dump, selected);

  CLI::App& cluster = AddGroup(app, "cluster", "The brokers and how they are");
  AddClusterDescribe(cluster, selected);
  AddClusterHealth(cluster, selected);

  CLI::App& log = AddGroup(app, "log", "Look at a data directory on this machine");
  AddLogInspect(log, selected);
  AddLogVerify(log, selected);

  CLI::App& bench = AddGroup(app, "bench", "Measure a server");
  AddBenchProduce(bench, selected);
  AddBenchConsume(bench, selected);
  AddBenchLatency(bench, selected);
  AddBenchCeiling(bench, selected);

  CLI::App& completion = AddGroup(app, "completion", "Complete commands and flags in the shell");
  AddCompletion(completion, selected);
}

void SayUsage(const std::string& text, const Session::Deps& deps) {
  deps.err.Write(base::StrCat("talosmq: ", text, "\n")).IgnoreError();
}

/// Parses; a status when there is nothing left to do: help was printed, or the usage was wrong.
std::optional<ExitStatus> Parse(CLI::App& app, const std::vector<std::string>& arguments,
                                const Session::Deps& deps) {
  try {
    // CLI11 takes them last one first.
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    deps.out.Write(app.help()).IgnoreError();
  } catch (const CLI::CallForVersion& version) {
    deps.out.Write(base::StrCat(version.what(), "\n")).IgnoreError();
  } catch (const CLI::ParseError& error) {
    SayUsage(DescribeUsageError(app, error), deps);
    return ExitStatus::kWrongUsage;
  }
  return ExitStatus::kDone;
}

}  // namespace

ExitStatus RunCommandLine(const std::vector<std::string>& arguments, const Environment& environment,
                          const Session::Deps& deps) {
  CLI::App app("The command line of TalosMQ, a durable log-structured message queue.", "talosmq");
  // What a command does not know is looked for above it; so global flags may follow the command.
  app.fallthrough();
  app.require_subcommand(1);
  app.footer(
      "Exit status: 0 done, 1 failed, 2 wrong usage.\n"
      "Defaults come from TALOSMQ_SERVER and from the file that TALOSMQ_CONFIG names, or\n"
      "~/.config/talosmq/config.yaml, with the keys server, output,\n"
      "tls_ca, tls_cert and tls_key.\n"
      "\n"
      "Examples:\n"
      "  talosmq topic create orders\n"
      "  echo hello | talosmq produce orders\n"
      "  talosmq consume orders -e");
  Settings flags;
  Action selected;
  AddGlobalFlags(app, flags);
  AddCommands(app, selected);
  if (const std::optional<ExitStatus> ended = Parse(app, arguments, deps)) return *ended;

  const auto settings = ResolveSettings(flags, environment, deps.file_system);
  if (!settings.ok()) {
    SayUsage(std::string(base::FromAbsl(settings.status().message())), deps);
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
