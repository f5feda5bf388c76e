#include "base/status.h"
#include "cli/commands.h"
#include "cli/password_input.h"
#include "talosmq/error.h"

#include <string>

namespace talosmq::cli {
namespace {

struct UserCreateOptions {
  std::string name;
  std::string password_file = "-";
};

absl::StatusOr<Document> Create(const UserCreateOptions& options, Session& session) {
  if (session.IsOverheard()) {
    return MakeError(Reason::kInvalidArgument,
                     "what the server gets of a password must not be heard by others: expected "
                     "--tls-ca, or a server on this machine");
  }
  TALOSMQ_ASSIGN_OR_RETURN(const std::string password,
                           ReadPassword(options.password_file, session));
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_RETURN_IF_ERROR(admin->CreateUser(options.name, password));
  return Document{{"user", options.name}, {"result", "created"}};
}

ExitStatus Run(const UserCreateOptions& options, Session& session) {
  return session.Finish(Create(options, session));
}

}  // namespace

void AddUserCreate(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<UserCreateOptions>(
      parent, "create", "Make a user for the Kafka ports that ask for a login", Run, selected);
  command->add_option("NAME", options->name, "1 to 128 letters, digits, '.', '_', '-' and '@'")
      ->required();
  command
      ->add_option("--password-file", options->password_file,
                   "Its first line is the password, 8 to 128 printable ASCII characters; default: "
                   "-, standard input, which a terminal does not show")
      ->type_name("FILE");
  command->footer(
      "The password stays here: the server gets, and keeps, only what it can check one with.\n"
      "Whoever hears that, and a login, can log in, so it goes to another machine by TLS only.\n"
      "To change it, delete the user and make it anew, which ends its connections.\n"
      "\n"
      "Examples:\n"
      "  talosmq user create shop\n"
      "  talosmq user create shop --password-file /run/secrets/shop");
}

}  // namespace talosmq::cli
