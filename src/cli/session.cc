#include "cli/session.h"

#include "base/status.h"
#include "base/text.h"
#include "cli/advice.h"

#include <utility>

namespace talosmq::cli {

absl::StatusOr<Client*> Session::Connect() {
  if (client_ == nullptr) {
    TALOSMQ_ASSIGN_OR_RETURN(client_, Client::Connect(options_.client));
  }
  return client_.get();
}

absl::StatusOr<std::unique_ptr<Admin>> Session::ConnectAdmin() {
  TALOSMQ_ASSIGN_OR_RETURN(Client* const client, Connect());
  return Admin::Create(*client);
}

ExitStatus Session::Finish(const absl::StatusOr<Document>& answer) {
  if (!answer.ok()) return Fail(answer.status());
  const absl::Status written = deps_.out.Write(RenderDocument(*answer, options_.form));
  // Whoever asked has stopped listening (`| head`): nothing is wrong and nothing is to be said.
  if (!written.ok() && ReasonOf(written) != Reason::kClosed) return Fail(written);
  return ExitStatus::kDone;
}

ExitStatus Session::Fail(const absl::Status& status) {
  const Reason reason = ReasonOf(status);
  std::string text(base::FromAbsl(status.message()));
  const bool is_about_server =
      reason == Reason::kUnavailable || reason == Reason::kDeadlineExceeded;
  if (is_about_server && text.find(options_.client.server) == std::string::npos) {
    text += " (server " + options_.client.server + ")";
  }
  const std::string_view advice = AdviceFor(reason);
  if (!advice.empty()) text += base::StrCat("\n  ", advice);
  Note(text);
  return ExitStatus::kFailed;
}

ExitStatus Session::FailUsage(std::string_view what) {
  Note(base::StrCat(what, "\n  `talosmq ", options_.command, " --help` shows how it is used"));
  return ExitStatus::kWrongUsage;
}

void Session::Note(std::string_view text) {
  // Nowhere is left to complain about a broken standard error.
  deps_.err.Write(base::StrCat("talosmq ", options_.command, ": ", text, "\n")).IgnoreError();
}

}  // namespace talosmq::cli
