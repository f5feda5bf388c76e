#pragma once

#include "absl/time/time.h"

#include <cstdint>

namespace talosmq::base {

/// Where time comes from; the only place that reads the machine's clocks is SystemClock.
/// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  /// What people call the time; may jump. For record timestamps, names and logs only.
  virtual absl::Time Now() const = 0;
  /// Now() in milliseconds since 1970, as of the last tick of the machine's timer: up to 10 ms
  /// behind and a tenth of the price. For stamping millions of records a second.
  virtual int64_t CoarseUnixMillis() const { return absl::ToUnixMillis(Now()); }
  /// Time since an unspecified point; never goes back, and goes on while the machine is suspended:
  /// who sleeps past the end of a lease must see that when it wakes. For deadlines, leases and
  /// waits.
  virtual absl::Duration Monotonic() const = 0;
};

class SystemClock final : public Clock {
 public:
  absl::Time Now() const override;
  int64_t CoarseUnixMillis() const override;
  absl::Duration Monotonic() const override;
};

}  // namespace talosmq::base
