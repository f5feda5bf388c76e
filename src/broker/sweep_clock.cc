#include "broker/sweep_clock.h"

#include "base/log.h"
#include "base/text.h"
#include "storage/retention.h"

namespace talosmq::broker {

SweepClock::SweepClock(const base::Clock& clock)
    : clock_(clock),
      now_(clock.Now()),
      last_(clock.Monotonic()),
      believed_since_(clock.Monotonic()) {}

absl::Time SweepClock::Now() {
  const absl::Duration monotonic = clock_.Monotonic();
  const absl::Time system = clock_.Now();
  now_ += monotonic - last_;
  last_ = monotonic;
  const absl::Duration ahead = system - now_;
  if (ahead <= kStepMin) {
    Follow(system);
  } else if (now_ < storage::kEarliestCreation) {
    Follow(system);
    believed_since_ = monotonic;
  } else if (!step_ || absl::AbsDuration(ahead - step_->ahead) > kStepMin) {
    step_ = {.ahead = ahead, .since = monotonic};
    base::LogWarning("broker", "the system clock was set ahead by ", absl::FormatDuration(ahead),
                     "; if it stays there, retention and compaction go by it in ",
                     absl::FormatDuration(kStepDoubt));
  } else if (monotonic - step_->since >= kStepDoubt) {
    Follow(system);
  }
  return now_;
}

void SweepClock::Follow(absl::Time system) {
  now_ = system;
  step_.reset();
}

absl::Time SweepClock::NowForAges() {
  const absl::Time now = Now();
  const bool is_believed =
      now >= storage::kEarliestCreation && clock_.Monotonic() - believed_since_ >= kStartDoubt;
  return is_believed ? now : absl::InfinitePast();
}

}  // namespace talosmq::broker
