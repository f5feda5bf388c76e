#pragma once

#include "base/executor.h"
#include "metadata/metadata_store.h"
#include "talosmq/ids.h"

#include "absl/status/statusor.h"

#include <string>
#include <vector>

namespace talosmq::broker {

/// What a broker says when it wants to append to a log that it has opened.
struct EpochClaim {
  TopicPartition partition;
  std::string name;  ///< "orders/3", for messages.
  /// As the image shows them; they hold when nobody has led the partition yet.
  BrokerId leader;
  std::vector<BrokerId> in_sync;
  BrokerId self;
  LeaderEpoch above;  ///< Epochs up to here are in the log or were used by this process.
};

/// Moves the partition's state key to the next epoch by compare-and-set, so that no other
/// incarnation has used it or will. Answers on `on`: kNotLeader when another broker leads,
/// kUnknownTopicId or kTopicDeleting when there is nothing to lead, kMetadataUnavailable when the
/// store cannot say. An epoch whose claim failed is never used; the next claim takes a higher one.
void ClaimLeaderEpoch(metadata::MetadataStore& store, EpochClaim claim, base::Executor& on,
                      base::Callback<absl::StatusOr<LeaderEpoch>> done);

}  // namespace talosmq::broker
