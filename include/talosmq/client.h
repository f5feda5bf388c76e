#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <functional>
#include <memory>
#include <string>

namespace talosmq {

class ClientMetrics;

namespace client {
class ClientCore;
}

/// How to reach a cluster. What is read from files is read when Connect is called.
struct ClientOptions {
  /// "HOST:PORT[,HOST:PORT...]": tried in turn until one answers; a server that says nothing is
  /// left for the next one after 5 s.
  std::string server = "127.0.0.1:9191";
  /// For calls that answer at once and for connecting. 100 ms to 10 min.
  absl::Duration request_timeout = absl::Seconds(30);
  /// PEM file of the authority that the servers' certificates come from. Set: every connection is
  /// TLS, and each server's certificate must name the host it was reached by. Empty: plain.
  std::string tls_ca = {};
  /// PEM files of this client's certificate, with those above it, and of its private key: for
  /// servers that ask for one. Both or neither, and only with tls_ca.
  ///
  /// All three files are read again when they change, for the connections made from then on.
  std::string tls_cert = {};
  std::string tls_key = {};
  /// How old what is known of topics and leaders may become. 1 s to 1 h.
  absl::Duration metadata_age_max = absl::Seconds(30);
  /// Told once when no server answers any more, with the reason, and once with OK when one does
  /// again; producers and consumers go on by themselves. Not told before the first answer. Runs on
  /// the client's own thread and must not block.
  std::function<void(const absl::Status&)> on_connection = {};
  /// Hears what happens, see talosmq/metrics.h. None: nothing is measured.
  std::shared_ptr<ClientMetrics> metrics = nullptr;
};

/// The connections of one application to one cluster, and one thread of its own ("sdk-core") beside
/// those of gRPC; producers, consumers and admins share them. Callbacks of an application run on
/// that thread, so one that blocks holds back all of them.
///
/// Thread-safe. Outlives everything made from it. Nothing of it survives the process.
///
/// fork(): a child has none of these threads, so it must not touch the Client, nor anything made
/// from it, nor destroy them (destructors would wait for ever): it should exec or _exit, or return
/// to code that does not know of them. The parent is not disturbed. A program that forks workers
/// connects in each worker, after the fork, and before it only in processes that will not talk.
///
/// Signals: the SDK sets no handler, changes no disposition and no mask, and a connection that
/// breaks raises no SIGPIPE. Its threads inherit the mask of the thread that calls Connect: block
/// there what your own threads should get. Calls that block do not end for a signal.
class Client {
 public:
  /// Checks the options (kInvalidArgument names key, range and value), connects, and shakes hands:
  /// kUnavailable names every address tried, kUnsupportedVersion what both sides speak. Blocks up
  /// to request_timeout.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(ClientOptions options);

  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  /// Ends the connections and joins the threads.
  ~Client();

  /// Over a core made by hand; for tests and benchmarks, not for applications.
  explicit Client(std::unique_ptr<client::ClientCore> core);
  /// The asynchronous core that the blocking classes stand on; for them, not for applications.
  client::ClientCore& core() { return *core_; }

 private:
  std::unique_ptr<client::ClientCore> core_;
};

}  // namespace talosmq
