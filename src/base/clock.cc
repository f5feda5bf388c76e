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

int64_t SystemClock::CoarseUnixMillis() const {
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

absl::Duration SystemClock::Monotonic() const { return Read(CLOCK_BOOTTIME); }

}  // namespace talosmq::base
