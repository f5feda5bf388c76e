#include "base/status.h"
#include "cli/commands.h"
#include "cli/key_value.h"

#include <map>
#include <string>
#include <vector>

namespace talosmq::cli {
namespace {

struct TopicAlterOptions {
  std::string name;
  std::map<std::string, std::string> set;
  std::vector<std::string> unset;
};

absl::StatusOr<Document> Alter(const TopicAlterOptions& options, Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_RETURN_IF_ERROR(admin->AlterTopic(options.name, options.set, options.unset));
  return Document{{"topic", options.name},
                  {"set", Document(options.set)},
                  {"unset", options.unset},
                  {"result", "altered"}};
}

ExitStatus Run(const TopicAlterOptions& options, Session& session) {
  if (options.set.empty() && options.unset.empty()) {
    return session.FailUsage("nothing to change; give -c key=value or --unset key");
  }
  return session.Finish(Alter(options, session));
}

}  // namespace

void AddTopicAlter(CLI::App& parent, Action& selected) {
  auto [command, options] =
      AddCommand<TopicAlterOptions>(parent, "alter", "Change settings of a topic", Run, selected);
  command->add_option("NAME", options->name, "The topic")->required();
  auto& set = options->set;
  AddRepeated(
      *command, "-c,--config", ParseKeyValue,
      [&set](KeyValue pair) { set[std::move(pair.key)] = std::move(pair.value); },
      "A setting; may be given several times, the others stay")
      ->type_name("KEY=VALUE");
  command->add_option("--unset", options->unset, "A setting to put back to its default; likewise")
      ->allow_extra_args(false)
      ->type_name("KEY");
  command->footer(
      "Examples:\n"
      "  talosmq topic alter orders -c segment.bytes=67108864\n"
      "  talosmq topic alter orders --unset segment.bytes");
}

}  // namespace talosmq::cli
