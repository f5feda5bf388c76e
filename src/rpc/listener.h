#pragma once

#include "base/executor.h"

#include "absl/status/statusor.h"

#include <functional>
#include <memory>
#include <string>

namespace talosmq::rpc {

/// The socket of the gRPC port and the thread that accepts on it. gRPC 1.51 would do that by
/// itself, but takes connections without bound, and closes its port for good once descriptors have
/// run out (CVE-2023-4785).
///
/// Invariant: descriptors from descriptor_max on stay free for files: the kernel gives the lowest
/// free one, so a connection that gets such a one is one too many, and is closed at once.
/// Thread-compatible. Owns the socket and the thread.
class Listener {
 public:
  /// Takes over the descriptor of a connection.
  using Accept = std::function<void(int descriptor)>;

  /// Listens on HOST:PORT; kUnavailable, naming it, when that cannot be done.
  static absl::StatusOr<std::unique_ptr<Listener>> Open(const std::string& address);
  /// After Stop().
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int port() const;
  /// From now on `accept` is called for each connection, on the listener's own thread. Once.
  void Start(Accept accept);
  /// Closes the port; `accept` is not called any more. May be repeated.
  void Stop();

 private:
  Listener(int socket, int stop_event);

  void Run(const Accept& accept);
  /// Waits for a connection; false when it is time to stop.
  bool WaitForConnection() const;
  void Serve(int descriptor, const Accept& accept);

  int socket_;            ///< -1 once it is closed.
  const int stop_event_;  ///< An eventfd, readable from Stop() on.
  const int descriptor_max_;
  bool is_told_ = false;  ///< That connections are turned away; until there was room again.
  base::ThreadExecutor executor_{{.name = "grpc-accept"}};
};

}  // namespace talosmq::rpc
