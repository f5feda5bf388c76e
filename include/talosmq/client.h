#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <functional>
#include <memory>
#include <string>

namespace talosmq {

namespace client {
class ClientCore;
}

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
};

/// The connections of one application to one cluster, and one thread of its own ("sdk-core");
/// producers, consumers and admins share them. Thread-safe. Outlives everything made from it.
class Client {
 public:
  /// Checks the options (kInvalidArgument names key, range and value), connects, and shakes hands:
  /// kUnavailable names every address tried, kUnsupportedVersion what both sides speak.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(ClientOptions options);

  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  /// Over a core made by hand; for tests and benchmarks, not for applications.
  explicit Client(std::unique_ptr<client::ClientCore> core);
  /// The asynchronous core that the blocking classes stand on; for them, not for applications.
  client::ClientCore& core() { return *core_; }

 private:
  std::unique_ptr<client::ClientCore> core_;
};

}  // namespace talosmq
