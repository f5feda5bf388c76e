#pragma once

#include "absl/time/time.h"

#include <algorithm>
#include <utility>

namespace talosmq::sink {

/// How long to wait before the next attempt: 100 ms, doubled with each failure up to 10 s.
/// Thread-compatible.
class BackOff {
 public:
  absl::Duration Next() { return std::exchange(next_, std::min(next_ * 2, kMax)); }
  void Reset() { next_ = kFirst; }

 private:
  static constexpr absl::Duration kFirst = absl::Milliseconds(100);
  static constexpr absl::Duration kMax = absl::Seconds(10);
  absl::Duration next_ = kFirst;
};

}  // namespace talosmq::sink
