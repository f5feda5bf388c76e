#include "base/status.h"
#include "cli/commands.h"
#include "cli/time_text.h"

namespace talosmq::cli {
namespace {

struct UserListOptions {};

absl::StatusOr<Document> List(Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_ASSIGN_OR_RETURN(const auto users, admin->ListUsers());
  Document rows = Document::array();
  for (const UserInfo& user : users) {
    rows.push_back({{"user", user.name}, {"created", TimeText(user.created)}});
  }
  if (rows.empty()) session.Note("there are no users; 'talosmq user create NAME' makes one");
  return rows;
}

ExitStatus Run(const UserListOptions&, Session& session) { return session.Finish(List(session)); }

}  // namespace

void AddUserList(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<UserListOptions>(
      parent, "list", "List who may log in to the Kafka ports that ask for it", Run, selected);
  command->footer(
      "Examples:\n"
      "  talosmq user list\n"
      "  talosmq user list -o json | jq -r '.[].user'");
}

}  // namespace talosmq::cli
