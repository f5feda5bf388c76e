#include "base/status.h"
#include "cli/commands.h"

#include <string>

namespace talosmq::cli {
namespace {

struct GroupDeleteOptions {
  std::string group;
};

absl::StatusOr<Document> Delete(const std::string& group, Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_RETURN_IF_ERROR(admin->DeleteGroup(group));
  return Document{{"group", group}, {"result", "deleted"}};
}

ExitStatus Run(const GroupDeleteOptions& options, Session& session) {
  return session.Finish(Delete(options.group, session));
}

}  // namespace

void AddGroupDelete(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<GroupDeleteOptions>(
      parent, "delete", "Delete a group without members and its offsets, for good", Run, selected);
  command->add_option("GROUP", options->group, "The group")->required();
  command->footer(
      "Examples:\n"
      "  talosmq group delete billing");
}

}  // namespace talosmq::cli
