#include "base/clock.h"

#include <ctime>

namespace talosmq::base {
namespace {

absl::Duration Read(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return absl::DurationFromTimespec(now);
}

}  // namespace

absl::Time SystemClock::Now() const { return absl::UnixEpoch() + Read(CLOCK_REALTIME); }

absl::Time SystemClock::CoarseNow() const {
  return absl::UnixEpoch() + Read(CLOCK_REALTIME_COARSE);
}

absl::Duration SystemClock::Monotonic() const { return Read(CLOCK_BOOTTIME); }

}  // namespace talosmq::base
