#include "base/status.h"
#include "cli/commands.h"

#include <string>

namespace talosmq::cli {
namespace {

struct UserDeleteOptions {
  std::string name;
};

absl::StatusOr<Document> Delete(const std::string& name, Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_RETURN_IF_ERROR(admin->DeleteUser(name));
  return Document{{"user", name}, {"result", "deleted"}};
}

ExitStatus Run(const UserDeleteOptions& options, Session& session) {
  return session.Finish(Delete(options.name, session));
}

}  // namespace

void AddUserDelete(CLI::App& parent, Action& selected) {
  auto [command, options] =
      AddCommand<UserDeleteOptions>(parent, "delete", "Delete a user", Run, selected);
  command->add_option("NAME", options->name, "The user")->required();
  command->footer(
      "Connections on which it has logged in end with their next request.\n"
      "\n"
      "Examples:\n"
      "  talosmq user delete shop");
}

}  // namespace talosmq::cli
