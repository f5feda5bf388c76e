#pragma once

#include "metadata/metadata_store.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <vector>

namespace talosmq::metadata {

struct StoredLease {
  LeaseId id = LeaseId::kNone;
  absl::Duration time_to_live;
};

/// Everything that a store knows but for its history.
struct StoreState {
  Revision revision = Revision::kNone;
  LeaseId last_lease = LeaseId::kNone;  ///< Ids up to here were given out.
  std::vector<KeyValue> entries;
  std::vector<StoredLease> leases;
};

/// What a round of calls has changed, to be made durable together.
struct StoreChanges {
  std::vector<WatchEvent> events;  ///< In the order of their revisions.
  std::vector<StoredLease> granted;
  std::vector<LeaseId> ended;
  Revision revision = Revision::kNone;  ///< After all of them.
  LeaseId last_lease = LeaseId::kNone;

  bool empty() const { return events.empty() && granted.empty() && ended.empty(); }
};

/// Where a StoreEngine keeps its state. Called by one thread at a time; may block on the disk.
class StateWriter {
 public:
  virtual ~StateWriter() = default;
  /// All of it is durable, or none is after a crash. After an error comes Reload() until it works.
  virtual absl::Status Write(const StoreChanges& changes) = 0;
  /// The state as it is, with or without the write that failed; an error while no write would work.
  virtual absl::StatusOr<StoreState> Reload() = 0;
};

}  // namespace talosmq::metadata
