#include "controller/placement.h"

#include "base/text.h"
#include "talosmq/error.h"

namespace talosmq::controller {

absl::StatusOr<std::vector<std::vector<BrokerId>>> PlaceReplicas(const PlacementRequest& request) {
  const size_t brokers = request.brokers.size();
  if (request.replicas < 1 || static_cast<size_t>(request.replicas) > brokers) {
    return MakeError(Reason::kInvalidReplicas,
                     base::StrCat("replicas: expected 1 to ", brokers,
                                  " (the number of brokers), found ", request.replicas));
  }
  std::vector<std::vector<BrokerId>> placed(static_cast<size_t>(request.partitions));
  for (size_t i = 0; i < placed.size(); ++i) {
    const size_t turn = static_cast<size_t>(request.first_partition) + i;
    const size_t leader = (turn + request.start) % brokers;
    const size_t shift = brokers > 1 ? turn / brokers % (brokers - 1) : 0;
    placed[i].push_back(request.brokers[leader]);
    for (size_t follower = 1; follower < static_cast<size_t>(request.replicas); ++follower) {
      const size_t step = 1 + (shift + follower - 1) % (brokers - 1);
      placed[i].push_back(request.brokers[(leader + step) % brokers]);
    }
  }
  return placed;
}

}  // namespace talosmq::controller
