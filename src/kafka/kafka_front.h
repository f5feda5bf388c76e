#pragma once

#include "base/tls_watch.h"
#include "kafka/listener_limits.h"
#include "kafka/services.h"

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace talosmq::kafka {

/// One port, for clients of one network.
struct KafkaListener {
  std::string host = "127.0.0.1";
  uint16_t port = 9092;  ///< 0: the kernel's choice.
  /// What clients are told; empty: the address that they have connected to, and the real port.
  std::string advertised_host = {};
  uint16_t advertised_port = 0;
  std::shared_ptr<base::TlsWatch> tls = nullptr;  ///< Null: plain.
  /// Clients log in before anything else is served. Without, they need a certificate of the
  /// authority of `tls`, if it has one.
  bool asks_for_login = false;
};

struct KafkaFrontOptions {
  std::vector<KafkaListener> listeners;  ///< At least one.
  int threads = 2;
  absl::Duration idle_timeout = absl::Minutes(10);
  /// For each MiB of a frame that has begun, and for its rest.
  absl::Duration piece_timeout = absl::Seconds(30);
  /// For all of a frame, without what it waits for memory.
  absl::Duration frame_timeout = absl::Minutes(1);
  /// For any part of an answer, while others wait for room for theirs. Below what clients give a
  /// request, which is 30 s and more.
  absl::Duration answer_timeout = absl::Seconds(10);
  /// From the connection until the login.
  absl::Duration login_timeout = absl::Seconds(30);
  /// Until a failed login is answered, so that guessing takes time.
  absl::Duration failed_login_pause = absl::Seconds(1);
  ListenerLimits::Options limits = {};
};

/// Kafka's protocol on ports of its own, over the same services as gRPC.
/// Thread-safe. Owns ports and threads; borrows the services, which outlive it.
class KafkaFront {
 public:
  /// kUnavailable when an address cannot be listened on.
  static absl::StatusOr<std::unique_ptr<KafkaFront>> Start(const KafkaFrontOptions& options,
                                                           const Services& services);
  virtual ~KafkaFront() = default;

  /// Those that are really listened on, in the order of the listeners.
  virtual const std::vector<uint16_t>& ports() const = 0;
  /// Closes ports and connections; answers that are under way go nowhere. Once; before the
  /// destructor.
  virtual void Stop() = 0;
};

}  // namespace talosmq::kafka
