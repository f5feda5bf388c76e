#include "loadgen/pacer.h"

#include "base/mutex.h"

namespace talosmq::loadgen {

Pacer::Pacer(const base::Clock& clock, double rate_per_second)
    : clock_(clock), began_(clock.Monotonic()), interval_(absl::Seconds(1) / rate_per_second) {}

absl::Duration Pacer::DueTime(int64_t turn) const { return began_ + turn * interval_; }

void Pacer::WaitFor(int64_t turn) const {
  const absl::Duration due = DueTime(turn);
  base::Mutex mutex;
  base::CondVar nobody_signals;
  const base::MutexLock lock(mutex);
  for (absl::Duration left = due - clock_.Monotonic(); left > absl::ZeroDuration();
       left = due - clock_.Monotonic()) {
    nobody_signals.WaitFor(mutex, left);
  }
}

}  // namespace talosmq::loadgen
