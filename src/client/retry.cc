#include "client/retry.h"

#include "talosmq/error.h"

namespace talosmq::client {

bool IsTransient(const absl::Status& status) {
  const Reason reason = ReasonOf(status);
  return reason == Reason::kNotLeader || reason == Reason::kFencedEpoch ||
         reason == Reason::kUnknownEpoch || reason == Reason::kOverloaded ||
         reason == Reason::kUnavailable || reason == Reason::kShuttingDown ||
         reason == Reason::kNotEnoughReplicas || reason == Reason::kMetadataUnavailable ||
         reason == Reason::kStorageFenced || reason == Reason::kStorageFull ||
         reason == Reason::kCoordinatorNotAvailable;
}

}  // namespace talosmq::client
