#pragma once

#include "support/child_process.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

namespace talosmq::support {

/// A real talosmqd on ports of the kernel's choice. Killed when this object goes.
/// Thread-compatible.
class ServerProcess {
 public:
  struct Options {
    std::string program;                 ///< Path of talosmqd.
    std::string data_dir;                ///< Made when missing; its log is DATA_DIR.log.
    std::vector<std::string> arguments;  ///< Further ones.
  };

  /// Returns when listeners.json tells the ports; an error, with what the server printed, when it
  /// ended before.
  static absl::StatusOr<std::unique_ptr<ServerProcess>> Start(const Options& options);

  const std::string& grpc_address() const { return grpc_address_; }  ///< HOST:PORT.
  const std::string& http_address() const { return http_address_; }
  const std::string& kafka_address() const { return kafka_address_; }  ///< Of its first listener.
  pid_t pid() const { return process_->pid(); }
  std::string Output() const { return process_->Output(); }

  void Signal(int signal) const { process_->Signal(signal); }
  /// Waits for the end that a signal or the server itself has begun; the exit status.
  absl::StatusOr<int> WaitForEnd();
  /// SIGTERM; OK when it ended with status 0.
  absl::Status Terminate();
  /// SIGKILL, and waits for it.
  void Kill();

 private:
  explicit ServerProcess(std::unique_ptr<ChildProcess> process) : process_(std::move(process)) {}
  absl::Status WaitForListeners(int directory_watch);
  absl::Status ReadListeners(const std::string& path);

  std::unique_ptr<ChildProcess> process_;
  std::string grpc_address_;
  std::string http_address_;
  std::string kafka_address_;
};

}  // namespace talosmq::support
