#pragma once

#include "base/clock.h"
#include "base/tls_watch.h"
#include "broker/cluster.h"
#include "http/prometheus_registry.h"

#include "absl/status/statusor.h"

#include <memory>
#include <string>

namespace talosmq::http {

struct HttpFrontOptions {
  std::string host = "127.0.0.1";
  int port = 9192;                                ///< 0: the kernel's choice.
  std::shared_ptr<base::TlsWatch> tls = nullptr;  ///< Null: the port is plain.
};

/// The HTTP port: GET /metrics for Prometheus and GET /health as JSON, 200 when there is no
/// problem and 503 when there is one. One request a connection. With TLS and an authority a client
/// without a certificate of it does not get past the handshake.
///
/// Thread-safe. Owns the port and its threads; borrows what is in Dependencies, which outlives it.
class HttpFront {
 public:
  struct Dependencies {
    broker::ClusterService& cluster;
    const PrometheusRegistry& metrics;
    const base::Clock& clock;
  };

  /// kUnavailable when the address cannot be listened on.
  static absl::StatusOr<std::unique_ptr<HttpFront>> Start(HttpFrontOptions options,
                                                          Dependencies dependencies);
  virtual ~HttpFront() = default;

  /// The port that is really listened on.
  virtual int port() const = 0;
  /// Closes the port, reads no more and waits for the answers under way. Once; before the
  /// destructor.
  virtual void Stop() = 0;
};

}  // namespace talosmq::http
