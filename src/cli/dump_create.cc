#include "base/status.h"
#include "cli/commands.h"
#include "cli/dump_document.h"
#include "cli/key_value.h"

#include <string>

namespace talosmq::cli {
namespace {

struct DumpCreateOptions {
  DumpDefinition dump;
  std::string mode = "row";
};

absl::StatusOr<Document> Create(const DumpDefinition& dump, Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_RETURN_IF_ERROR(admin->CreateDump(dump));
  return Document{
      {"dump", dump.name}, {"topic", dump.topic}, {"target", dump.target}, {"result", "created"}};
}

ExitStatus Run(const DumpCreateOptions& options, Session& session) {
  return session.Finish(Create(options.dump, session));
}

}  // namespace

void AddDumpCreate(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<DumpCreateOptions>(
      parent, "create", "Start a job that writes a topic to files", Run, selected);
  DumpDefinition& dump = options->dump;
  command->add_option("NAME", dump.name, "The job's name")->required();
  command->add_option("--topic", dump.topic, "What to write")->required()->type_name("TOPIC");
  command->add_option("--to", dump.target, "Where to: file:///DIRECTORY on the server's machine")
      ->required()
      ->type_name("URL");
  AddParsed(*command, "--format", dump.format, ParseDumpFormat,
            "json: an object a line with offset, time, key, value; raw: a value a line")
      ->required()
      ->type_name("json|raw");
  command->add_option("--mode", options->mode, "row: a record becomes a row; default row")
      ->check(CLI::Validator(
          [](std::string& mode) {
            return mode == "row" ? "" : "'" + mode + "' is no mode of a dump; there is row";
          },
          std::string()))
      ->type_name("row");
  AddRepeated(
      *command, "-c,--config", ParseKeyValue,
      [&dump](KeyValue pair) { dump.configs[std::move(pair.key)] = std::move(pair.value); },
      "When a file is closed and published: roll.bytes (default 134217728), roll.records "
      "(1000000) or roll.ms (60000); at records that cannot be read: on_corrupt=fail, the default, "
      "or skip; may be given several times")
      ->type_name("KEY=VALUE");
  command->footer(
      "Examples:\n"
      "  talosmq dump create orders-files --topic orders --to file:///srv/orders --format json\n"
      "  talosmq dump create o2 --topic orders --to file:///srv/raw --format raw -c roll.ms=60000");
}

}  // namespace talosmq::cli
