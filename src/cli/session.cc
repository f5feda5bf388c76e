#include "cli/session.h"

#include "base/loopback.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/advice.h"

#include "absl/strings/str_split.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace talosmq::cli {
namespace {

ForcedEnd::Plan EndAtOnce(std::string words) {
  return {.after = absl::Milliseconds(200), .words = [words = std::move(words)] { return words; }};
}

}  // namespace

Session::Session(Options options, Deps deps)
    : options_(std::move(options)),
      deps_(deps),
      forced_end_(EndAtOnce("interrupted before it was done"),
                  {.interrupt = deps_.interrupt,
                   .clock = deps_.clock,
                   .say = [this](std::string_view text) { Note(text); }}) {}

bool Session::IsOverheard() const {
  if (!options_.client.tls_ca.empty()) return false;
  const std::vector<std::string> servers = absl::StrSplit(options_.client.server, ',');
  return !std::ranges::all_of(servers, [](std::string_view server) {
    std::string_view host = server.substr(0, server.rfind(':'));
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    return base::IsLoopbackHost(host);
  });
}

absl::StatusOr<Client*> Session::Connect() {
  if (client_ == nullptr) {
    ClientOptions options = options_.client;
    options.on_connection = [this](const absl::Status& status) {
      notes_.Post([this, status] { OnConnection(status); });
    };
    const std::string words =
        base::StrCat("interrupted while waiting for an answer of the server ", options.server);
    FollowWhenInterrupted(EndAtOnce(words));
    TALOSMQ_ASSIGN_OR_RETURN(client_, Client::Connect(std::move(options)));
  }
  return client_.get();
}

void Session::OnConnection(const absl::Status& status) {
  Note(status.ok()
           ? "the connection is back"
           : base::StrCat("the connection is lost and will be tried again until it is back: ",
                          base::FromAbsl(status.message())));
}

void Session::FollowWhenInterrupted(std::optional<ForcedEnd::Plan> plan) {
  forced_end_.Follow(std::move(plan));
}

absl::Status Session::Print(std::string_view text) {
  const std::optional<base::Gate::Pass> pass = forced_end_.EnterOutput();
  if (!pass.has_value()) return MakeError(Reason::kCancelled, "interrupted");
  return deps_.out.Write(text);
}

absl::StatusOr<std::unique_ptr<Admin>> Session::ConnectAdmin() {
  TALOSMQ_ASSIGN_OR_RETURN(Client* const client, Connect());
  return Admin::Create(*client);
}

ExitStatus Session::Finish(const absl::StatusOr<Document>& answer) {
  if (!answer.ok()) return Fail(answer.status());
  const absl::Status written = Print(RenderDocument(*answer, options_.form));
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
