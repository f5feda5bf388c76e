#pragma once

#include "absl/time/time.h"

#include <cstdint>

namespace talosmq::group {

struct CoordinatorOptions {
  absl::Duration lease_min = absl::Seconds(1);
  absl::Duration lease_max = absl::Minutes(10);
  absl::Duration offsets_retention = absl::Hours(24 * 7);
  int32_t members_max = 10'000;  ///< Of one group.
  /// Classic: what a member may ask for.
  absl::Duration session_timeout_min = absl::Seconds(6);
  absl::Duration session_timeout_max = absl::Minutes(30);
  /// Classic: how long the first join of an empty group waits for others.
  absl::Duration initial_rebalance_delay = absl::Seconds(3);
};

}  // namespace talosmq::group
