#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

namespace talosmq::support {

/// A program that a test started. It is killed when this object goes, and by the kernel when the
/// test dies. Thread-compatible.
class ChildProcess {
 public:
  struct Options {
    std::vector<std::string> command;  ///< The first is the program's path.
    std::string output_file;           ///< Takes stdout and stderr.
  };

  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(const Options& options);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  pid_t pid() const { return pid_; }
  /// A descriptor that becomes readable when the process has ended: for poll().
  int end_fd() const { return end_fd_; }
  void Signal(int signal) const;
  /// The exit status, or 128 + the signal that ended it; an error when it has not ended in time.
  absl::StatusOr<int> Wait(absl::Duration timeout);
  /// What it has printed so far.
  std::string Output() const;

 private:
  ChildProcess(pid_t pid, int end_fd, std::string output_file)
      : pid_(pid), end_fd_(end_fd), output_file_(std::move(output_file)) {}

  const pid_t pid_;
  const int end_fd_;
  const std::string output_file_;
  bool is_reaped_ = false;
};

}  // namespace talosmq::support
