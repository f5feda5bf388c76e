#pragma once

#include "base/clock.h"

#include "absl/time/time.h"

#include <cstdint>

namespace talosmq::loadgen {

/// An open-loop schedule: turn i is due i / rate after the start, however late the turns before it
/// were, so that a stall shows in the latencies of all that it held up. Thread-compatible.
class Pacer {
 public:
  /// Starts now, by the monotonic clock.
  Pacer(const base::Clock& clock, double rate_per_second);

  /// When the turn is due, on the monotonic clock.
  absl::Duration DueTime(int64_t turn) const;
  /// Waits until it is due; not at all when it is late.
  void WaitFor(int64_t turn) const;

 private:
  const base::Clock& clock_;
  const absl::Duration began_;
  const absl::Duration interval_;
};

}  // namespace talosmq::loadgen
