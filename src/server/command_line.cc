#include "server/command_line.h"

#include "base/text.h"
#include "server/server.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <utility>

namespace talosmq::server {
namespace {

constexpr int kWrongUsage = 2;

constexpr char kExamples[] =
    "Examples:\n"
    "  talosmqd                                        a durable single node on 127.0.0.1:9191\n"
    "  talosmqd --data-dir /srv/talosmq                somewhere else\n"
    "  talosmqd --config /etc/talosmq/talosmqd.yaml --set log.level=debug\n"
    "  talosmqd --set grpc.listen=127.0.0.1:0          a port of the kernel's choice, told in the\n"
    "                                                  log and in <data dir>/listeners.json\n"
    "  talosmqd --print-config > talosmqd.yaml         every setting with its meaning\n"
    "\n"
    "SIGTERM and SIGINT make everything durable, close, and exit with status 0.";

ParsedCommandLine WrongUsage(std::string_view words) {
  std::fprintf(stderr, "talosmqd: %s\nRun talosmqd --help for help.\n", std::string(words).c_str());
  return {.command = std::nullopt, .exit_status = kWrongUsage};
}

}  // namespace

ParsedCommandLine ParseCommandLine(int argc, const char* const* argv) {
  CLI::App app("talosmqd: the TalosMQ server. Without arguments a single durable node.");
  app.footer(kExamples);
  app.set_version_flag("--version", base::StrCat("talosmqd ", Version()));
  std::string config_file;
  std::string data_dir;
  std::string roles;
  std::vector<std::string> settings;
  bool prints_config = false;
  app.add_option("--config", config_file, "A YAML file with settings")->type_name("FILE");
  const CLI::Option* const data_dir_option =
      app.add_option("--data-dir", data_dir, "Where everything durable lies (data_dir)")
          ->type_name("DIR");
  const CLI::Option* const roles_option =
      app.add_option("--roles", roles, "A list of broker, controller, sink (roles)")
          ->type_name("LIST");
  app.add_option("--set", settings, "A setting; overrides the file; may be repeated")
      ->type_name("key=value")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_flag("--print-config", prints_config, "Print all settings in force and exit");
  // CLI11 tells its results by exceptions; they end here.
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    app.exit(success);
    return {.command = std::nullopt, .exit_status = 0};
  } catch (const CLI::ParseError& error) {
    return WrongUsage(error.what());
  }
  CommandLine command;
  command.action = prints_config ? CommandLine::Action::kPrintConfig : CommandLine::Action::kServe;
  command.config_file = config_file;
  for (const std::string& setting : settings) {
    absl::StatusOr<ConfigEntry> entry = ParseSetting(setting);
    if (!entry.ok()) return WrongUsage(base::FromAbsl(entry.status().message()));
    command.settings.push_back(*std::move(entry));
  }
  if (data_dir_option->count() > 0) {
    command.settings.push_back({"data_dir", data_dir, "--data-dir"});
  }
  if (roles_option->count() > 0) command.settings.push_back({"roles", roles, "--roles"});
  return {.command = std::move(command), .exit_status = 0};
}

}  // namespace talosmq::server
