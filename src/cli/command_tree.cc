#include "cli/command_tree.h"

#include "base/status.h"
#include "base/text.h"
#include "cli/commands.h"
#include "client/server_list.h"

#include <string>

namespace talosmq::cli {
namespace {

CLI::App& AddGroup(CLI::App& app, const std::string& name, const std::string& description) {
  CLI::App* const group = app.add_subcommand(name, description);
  group->require_subcommand(1);
  return *group;
}

void AddGlobalFlags(CLI::App& app, Settings& flags) {
  app.add_option("--server", flags.server,
                 "Servers of the cluster, tried in turn; default: TALOSMQ_SERVER, the config file, "
                 "or 127.0.0.1:9191")
      ->type_name("HOST:PORT,...")
      ->check(CLI::Validator(
          [](std::string& servers) {
            const absl::Status status = client::ParseServerList(servers).status();
            return std::string(base::FromAbsl(status.message()));
          },
          std::string()));
  AddParsed(app, "-o,--output", flags.output, ParseOutputForm,
            "The form of the answer; may stand before or after the command, as all of these may. "
            "Default table")
      ->type_name("table|json|yaml");
  app.add_option(
         "--tls-ca", flags.tls_ca,
         "PEM file of the authority of the servers' certificates; connects with TLS. Default: "
         "without TLS")
      ->type_name("FILE");
  app.add_option("--tls-cert", flags.tls_cert,
                 "PEM file of your certificate, for servers that ask for one; default: none")
      ->type_name("FILE");
  app.add_option("--tls-key", flags.tls_key,
                 "PEM file of the private key of --tls-cert; default: none")
      ->type_name("FILE");
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
  AddTopicTrim(topic, selected);
  AddTopicDelete(topic, selected);

  AddProduce(app, selected);
  AddConsume(app, selected);

  CLI::App& group = AddGroup(app, "group", "Consumer groups: members, offsets, lag");
  AddGroupList(group, selected);
  AddGroupDescribe(group, selected);
  AddGroupReset(group, selected);
  AddGroupDelete(group, selected);

  CLI::App& dump = AddGroup(app, "dump", "Jobs in the server that write topics to files");
  AddDumpCreate(dump, selected);
  AddDumpList(dump, selected);
  AddDumpDescribe(dump, selected);
  AddDumpWatch(dump, selected);
  AddDumpPause(dump, selected);
  AddDumpResume(dump, selected);
  AddDumpDelete(dump, selected);

  CLI::App& cluster = AddGroup(app, "cluster", "The brokers and how they are");
  AddClusterDescribe(cluster, selected);
  AddClusterHealth(cluster, selected);

  CLI::App& broker = AddGroup(app, "broker", "The servers of the cluster");
  AddBrokerList(broker, selected);

  CLI::App& partition = AddGroup(app, "partition", "The partitions of all topics");
  AddPartitionList(partition, selected);
  AddPartitionSkipCorrupt(partition, selected);

  CLI::App& orphan = AddGroup(app, "orphan", "Logs on disk that belong to no topic");
  AddOrphanList(orphan, selected);
  AddOrphanDelete(orphan, selected);

  CLI::App& user = AddGroup(app, "user", "Who may log in to the Kafka ports that ask for it");
  AddUserCreate(user, selected);
  AddUserList(user, selected);
  AddUserDelete(user, selected);

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

/// The name of an argument says what it is; a type after it would only repeat that.
void LeaveOutTypesOfArguments(CLI::App& command) {
  for (CLI::Option* option : command.get_options()) {
    if (option->get_positional()) option->type_name("");
  }
  for (CLI::App* below : command.get_subcommands({})) LeaveOutTypesOfArguments(*below);
}

}  // namespace

std::unique_ptr<CLI::App> MakeCommandTree(Settings& flags, Action& selected) {
  auto tree = std::make_unique<CLI::App>(
      "The command line of TalosMQ, a durable log-structured message queue.", "talosmq");
  CLI::App& app = *tree;
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
  AddGlobalFlags(app, flags);
  AddCommands(app, selected);
  LeaveOutTypesOfArguments(app);
  return tree;
}

}  // namespace talosmq::cli
