#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "base/random.h"
#include "client/back_off.h"
#include "client/heartbeat_session.h"
#include "client/metadata_cache.h"
#include "client/produce_sessions.h"
#include "client/transport.h"
#include "talosmq/client.h"
#include "talosmq/metrics.h"

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace talosmq::client {

/// What a call does when a server cannot be reached.
enum class CallPolicy {
  kAnyServer,  ///< Changes nothing, or nothing that matters twice: asks the next server.
  kOnce,       ///< Goes to one server once; the next call tries the next one.
  kHeartbeat,  ///< As kAnyServer, by the stream that the heartbeats of this client share.
};

/// The asynchronous core of one Client: how to reach the servers, and what is known of them.
///
/// Invariant: every callback given to it runs exactly once, on executor(), unless the core is
/// destroyed first.
/// Thread-safe, but for metadata() and produce_sessions(), which are confined to executor().
/// Everything made on top of it must be gone, or closed, before it goes; the executor must have
/// stopped, or run no more, when the core's memory goes (see ThreadedCore in connect.cc).
class ClientCore {
 public:
  struct Deps {
    base::Executor& executor;
    const base::Clock& clock;
    base::Random& random;
  };

  /// `options` are checked already.
  ClientCore(ClientOptions options, std::unique_ptr<Transport> transport, const Deps& deps);
  ClientCore(const ClientCore&) = delete;
  ClientCore& operator=(const ClientCore&) = delete;
  virtual ~ClientCore();

  /// Calls a server of the list: the one that answered last, then by `policy` the others, all
  /// within request_timeout. kUnavailable names every address that was tried.
  void Call(std::string_view method, std::string body, CallPolicy policy, Transport::Reply done);

  /// The same with messages: `Response` is parsed, kInternal when that fails.
  template <typename Response, typename Request>
  void CallTyped(std::string_view method, const Request& request, CallPolicy policy,
                 base::Callback<absl::StatusOr<Response>> done) {
    Call(method, request.SerializeAsString(), policy,
         [method, done = std::move(done)](absl::StatusOr<std::string> body) mutable {
           done(Parse<Response>(method, body));
         });
  }

  const ClientOptions& options() const { return options_; }
  /// How long a server may take for the answer of one call before the next one is asked.
  absl::Duration answer_wait_max() const;
  /// The application's; null when it has none.
  ClientMetrics* metrics() { return options_.metrics.get(); }
  base::Executor& executor() { return deps_.executor; }
  const base::Clock& clock() const { return deps_.clock; }
  /// On the executor.
  base::Random& random() { return deps_.random; }
  /// See BackOff. On the executor.
  absl::Duration PauseAfter(int failures, const absl::Status& why) {
    return BackOff(failures, why, deps_.random);
  }
  Transport& transport() { return *transport_; }
  MetadataCache& metadata() { return metadata_; }
  ProduceSessions& produce_sessions() { return produce_sessions_; }

 private:
  struct PendingCall;

  template <typename Response>
  static absl::StatusOr<Response> Parse(std::string_view method,
                                        const absl::StatusOr<std::string>& body) {
    if (!body.ok()) return body.status();
    Response response;
    if (!response.ParseFromString(*body)) return UnreadableReply(method);
    return response;
  }
  static absl::Status UnreadableReply(std::string_view method);

  void TryNextServer(std::shared_ptr<PendingCall> call);
  void OnReply(std::shared_ptr<PendingCall> call, size_t server, absl::StatusOr<std::string> body);
  void TellLoss(const absl::Status& why);
  void TellReturn();

  const ClientOptions options_;
  const std::vector<std::string> servers_;
  const Deps deps_;
  std::unique_ptr<Transport> transport_;
  /// Index of the server that calls begin with. Confined to the executor.
  size_t preferred_ = 0;
  /// Whether the last call, but for one of our own cancelling, got an answer. Confined likewise.
  enum class Contact { kNone, kReached, kLost } contact_ = Contact::kNone;
  MetadataCache metadata_;
  ProduceSessions produce_sessions_;
  HeartbeatSessions heartbeat_sessions_;
};

}  // namespace talosmq::client
