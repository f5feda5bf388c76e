#pragma once

#include "absl/time/time.h"

namespace talosmq::cli {

/// Ctrl-C (SIGINT) and SIGTERM as something that a command looks at or waits for, so that it ends
/// at a place of its choice. The first signal is noted here; a second one kills the process as it
/// would have without us. One per process, lives for ever. Thread-safe.
class Interrupt {
 public:
  /// Takes the two signals over, and ignores SIGPIPE so that writes tell about a closed pipe.
  static const Interrupt& Install();

  bool IsRaised() const;
  /// Waits so long, or until the first signal; true when it has come.
  bool WaitFor(absl::Duration wait) const;
  /// Becomes readable, and stays so, with the first signal.
  int descriptor() const { return read_end_; }

 private:
  Interrupt();
  int read_end_ = -1;
};

}  // namespace talosmq::cli
