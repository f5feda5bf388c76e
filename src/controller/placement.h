#pragma once

#include "talosmq/ids.h"

#include "absl/status/statusor.h"

#include <vector>

namespace talosmq::controller {

struct PlacementRequest {
  std::vector<BrokerId> brokers;  ///< Those that may be chosen, in id order.
  int32_t first_partition = 0;
  int32_t partitions = 0;
  int32_t replicas = 0;
  /// Where the round begins, so that topics do not all begin with the same broker.
  uint64_t start = 0;
};

/// The replicas of each partition, the preferred leader first: leaders go round the brokers, and so
/// do the followers, one step further each time the leaders come round again.
/// kInvalidReplicas when there are fewer brokers than replicas.
absl::StatusOr<std::vector<std::vector<BrokerId>>> PlaceReplicas(const PlacementRequest& request);

}  // namespace talosmq::controller
