#include "base/status.h"
#include "cli/commands.h"

#include <string>

namespace talosmq::cli {
namespace {

struct TopicDeleteOptions {
  std::string name;
};

absl::StatusOr<Document> Delete(const std::string& name, Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_RETURN_IF_ERROR(admin->DeleteTopic(name));
  return Document{{"topic", name}, {"result", "deleted"}};
}

ExitStatus Run(const TopicDeleteOptions& options, Session& session) {
  return session.Finish(Delete(options.name, session));
}

}  // namespace

void AddTopicDelete(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<TopicDeleteOptions>(
      parent, "delete", "Delete a topic with everything in it, for good", Run, selected);
  command->add_option("NAME", options->name, "The topic")->required();
  command->footer(
      "Examples:\n"
      "  talosmq topic delete orders");
}

}  // namespace talosmq::cli
