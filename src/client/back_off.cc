#include "client/back_off.h"

#include "talosmq/error.h"

#include <algorithm>
#include <cstdint>

namespace talosmq::client {
namespace {

constexpr absl::Duration kPauseMin = absl::Milliseconds(10);
constexpr absl::Duration kPauseMax = absl::Seconds(1);
constexpr int kDoublingsMax = 10;
/// Longer is not believed.
constexpr absl::Duration kAskedMax = absl::Seconds(10);

/// What the server asks for and up to half as much again.
absl::Duration PauseAskedFor(const absl::Status& why, base::Random& random) {
  const absl::Duration asked =
      std::min(RetryAfterOf(why).value_or(absl::ZeroDuration()), kAskedMax);
  return asked / 2 + Jitter(asked * 2, random) / 2;
}

}  // namespace

absl::Duration Jitter(absl::Duration pause, base::Random& random) {
  const double fraction = static_cast<double>(random.Next() >> 11) / 9007199254740992.0;
  return pause * (0.5 + fraction / 2);
}

absl::Duration BackOff(int failures, const absl::Status& why, base::Random& random) {
  const int64_t doubled = int64_t{1} << std::clamp(failures, 0, kDoublingsMax);
  const absl::Duration pause = Jitter(std::min(kPauseMin * doubled, kPauseMax), random);
  return std::max(pause, PauseAskedFor(why, random));
}

}  // namespace talosmq::client
