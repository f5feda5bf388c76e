#pragma once

#include "base/clock.h"

#include <atomic>
#include <cstdint>

namespace talosmq::support {

/// A clock that stands until it is told to go. Thread-safe.
class ManualClock final : public base::Clock {
 public:
  /// Begins at 2026-01-01T00:00:00Z with a monotonic time of one hour.
  ManualClock() = default;

  absl::Time Now() const override { return absl::FromUnixNanos(now_ns_.load()); }
  absl::Duration Monotonic() const override { return absl::Nanoseconds(monotonic_ns_.load()); }

  /// Both clocks go on.
  void Advance(absl::Duration by) {
    now_ns_ += absl::ToInt64Nanoseconds(by);
    monotonic_ns_ += absl::ToInt64Nanoseconds(by);
  }
  /// Somebody sets the wall clock.
  void SetNow(absl::Time now) { now_ns_ = absl::ToUnixNanos(now); }

 private:
  static constexpr int64_t kStartNs = int64_t{1'767'225'600} * 1'000'000'000;
  std::atomic<int64_t> now_ns_{kStartNs};
  std::atomic<int64_t> monotonic_ns_{int64_t{3600} * 1'000'000'000};
};

}  // namespace talosmq::support
