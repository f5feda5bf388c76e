#pragma once

#include "base/executor.h"
#include "metadata/metadata_store.h"
#include "metadata/records.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <functional>
#include <string>
#include <vector>

namespace talosmq::broker {

/// A partition as a broker knows it that takes itself for its leader.
struct LedPartition {
  TopicPartition id;
  std::string name;  ///< "orders/3", for messages.
  /// As the image shows them; they hold when nobody has led the partition yet.
  BrokerId leader;
  std::vector<BrokerId> in_sync;
  BrokerId self;
};

/// Changes a state in place; its error ends the change. Called anew each time somebody else was
/// faster.
using StateChange = std::function<absl::Status(metadata::PartitionStateRecord& state)>;

/// Changes the partition's state key by compare-and-set and answers on `on` with the revision that
/// shows it: kNotLeader when another broker leads, kUnknownTopicId or kTopicDeleting when there is
/// nothing to lead, kMetadataUnavailable when the store cannot say.
void ChangePartitionState(metadata::MetadataStore& store, LedPartition partition,
                          StateChange change, base::Executor& on,
                          base::Callback<absl::StatusOr<metadata::Revision>> done);

}  // namespace talosmq::broker
