#include "client/client_core.h"

#include "base/text.h"
#include "client/server_list.h"
#include "talosmq/error.h"

#include <algorithm>
#include <utility>

namespace talosmq::client {
namespace {

/// How long a server may say nothing while another one could be asked.
constexpr absl::Duration kSilenceMax = absl::Seconds(5);

}  // namespace

/// One call and how far it came through the list of servers.
struct ClientCore::PendingCall {
  std::string_view method;
  std::string body;
  CallPolicy policy;
  Transport::Reply done;
  absl::Duration deadline;  ///< By the monotonic clock.
  size_t first = 0;         ///< Index of the server it began with.
  size_t tried = 0;
  absl::Duration asked;  ///< When the server was that is being tried.
  std::string failures;
};

ClientCore::ClientCore(ClientOptions options, std::unique_ptr<Transport> transport,
                       const Deps& deps)
    : options_(std::move(options)),
      servers_(ParseServerList(options_.server).value()),
      deps_(deps),
      transport_(std::move(transport)),
      metadata_(*this),
      produce_sessions_(*this),
      heartbeat_sessions_(*transport_, deps_.executor) {}

ClientCore::~ClientCore() = default;

absl::Status ClientCore::UnreadableReply(std::string_view method) {
  return MakeError(Reason::kInternal,
                   base::StrCat(method, ": the server's reply is not the message expected"));
}

void ClientCore::Call(std::string_view method, std::string body, CallPolicy policy,
                      Transport::Reply done) {
  auto call = std::make_shared<PendingCall>(
      PendingCall{.method = method,
                  .body = std::move(body),
                  .policy = policy,
                  .done = std::move(done),
                  .deadline = deps_.clock.Monotonic() + options_.request_timeout,
                  .asked = {},
                  .failures = {}});
  deps_.executor.Post([this, call = std::move(call)]() mutable {
    call->first = preferred_;
    TryNextServer(std::move(call));
  });
}

absl::Duration ClientCore::answer_wait_max() const {
  if (servers_.size() == 1) return options_.request_timeout;
  return std::min(options_.request_timeout / static_cast<int64_t>(servers_.size()), kSilenceMax);
}

void ClientCore::TryNextServer(std::shared_ptr<PendingCall> call) {
  const size_t server = (call->first + call->tried) % servers_.size();
  call->asked = deps_.clock.Monotonic();
  const absl::Duration left = call->deadline - call->asked;
  ++call->tried;
  const bool is_last = call->policy == CallPolicy::kOnce || call->tried == servers_.size();
  // A server that hangs must leave time for the others.
  const auto share = static_cast<int64_t>(is_last ? 1 : servers_.size() - call->tried + 1);
  const absl::Duration patience =
      std::min(left / share, is_last ? absl::InfiniteDuration() : kSilenceMax);
  CallRequest request{.address = servers_[server],
                      .method = call->method,
                      .body = call->body,
                      .timeout = std::max(patience, absl::Milliseconds(1))};
  const bool is_heartbeat = call->policy == CallPolicy::kHeartbeat;
  auto reply = [this, call = std::move(call), server](absl::StatusOr<std::string> body) mutable {
    deps_.executor.Post([this, call = std::move(call), server, body = std::move(body)]() mutable {
      OnReply(std::move(call), server, std::move(body));
    });
  };
  if (is_heartbeat) {
    heartbeat_sessions_.Send(request, std::move(reply));
  } else {
    transport_->Call(std::move(request), std::move(reply));
  }
}

void ClientCore::OnReply(std::shared_ptr<PendingCall> call, size_t server,
                         absl::StatusOr<std::string> body) {
  const Reason reason = ReasonOf(body.status());
  if (metrics() != nullptr) {
    metrics()->OnRequestEnded({.method = call->method,
                               .server = servers_[server],
                               .latency = deps_.clock.Monotonic() - call->asked,
                               .reason = reason});
  }
  const bool unreachable = reason == Reason::kUnavailable || reason == Reason::kShuttingDown ||
                           reason == Reason::kDeadlineExceeded;
  if (!unreachable) {
    preferred_ = server;
    if (reason != Reason::kCancelled && reason != Reason::kClosed) TellReturn();
    call->done(std::move(body));
    return;
  }
  preferred_ = (server + 1) % servers_.size();
  call->failures += base::StrCat(call->failures.empty() ? "" : "; ", servers_[server], ": ",
                                 base::FromAbsl(body.status().message()));
  const bool time_left = deps_.clock.Monotonic() < call->deadline;
  if (call->policy != CallPolicy::kOnce && call->tried < servers_.size() && time_left) {
    TryNextServer(std::move(call));
    return;
  }
  const absl::Status status =
      MakeError(reason, base::StrCat("no server answered (", call->failures, ")"));
  if (call->policy != CallPolicy::kOnce) TellLoss(status);
  call->done(status);
}

void ClientCore::TellLoss(const absl::Status& why) {
  if (contact_ != Contact::kReached) return;
  contact_ = Contact::kLost;
  if (options_.on_connection) options_.on_connection(why);
}

void ClientCore::TellReturn() {
  const Contact before = std::exchange(contact_, Contact::kReached);
  if (before == Contact::kLost && options_.on_connection) options_.on_connection(absl::OkStatus());
}

}  // namespace talosmq::client
