#pragma once

#include "base/clock.h"

#include "absl/time/time.h"

#include <optional>

namespace talosmq::broker {

/// The time that the ages of segments and tombstones are measured by: the system clock, as far as
/// it can be believed. A wrong one must delete nothing at once, and nothing for ever (R24).
///
///   system clock   at start  : followed, but for kStartDoubt nothing goes by age
///                  set back  : followed at once, since it makes everything younger
///                  set ahead : not followed; Now() goes on with the monotonic clock, until the new
///                              time has stood for kStepDoubt. From a time before this program was
///                              written it is followed at once, as at the start
///
/// Example: at 12:00 the clock is set to 12:00 of next year
///   -> until 12:00 of the next day Now() says 12:01, 12:02 and so on; then next year
///
/// Both doubts give those who look after the machine, and NTP, time to put the clock right.
/// Confined to the admin executor.
class SweepClock {
 public:
  static constexpr absl::Duration kStartDoubt = absl::Hours(1);
  static constexpr absl::Duration kStepDoubt = absl::Hours(24);
  /// A system clock that is corrected gets ahead by so much between two sweeps.
  static constexpr absl::Duration kStepMin = absl::Minutes(1);

  explicit SweepClock(const base::Clock& clock);

  absl::Time Now();
  /// Now(), or InfinitePast while nothing may go by age.
  absl::Time NowForAges();

 private:
  void Follow(absl::Time system);

  const base::Clock& clock_;
  absl::Time now_;       ///< At last_.
  absl::Duration last_;  ///< Of the monotonic clock, as the ones below.
  absl::Duration believed_since_;
  /// How far the system clock is ahead of now_, and since when; nothing while it is followed.
  struct Step {
    absl::Duration ahead;
    absl::Duration since;
  };
  std::optional<Step> step_;
};

}  // namespace talosmq::broker
