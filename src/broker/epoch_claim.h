#pragma once

#include "base/executor.h"
#include "broker/partition_state.h"
#include "metadata/metadata_store.h"
#include "talosmq/ids.h"

#include "absl/status/statusor.h"

namespace talosmq::broker {

/// What a broker says when it wants to append to a log that it has opened.
struct EpochClaim {
  LedPartition partition;
  LeaderEpoch above;  ///< Epochs up to here are in the log or were used by this process.
};

/// Moves the partition's state key to the next epoch, so that no other incarnation has used it or
/// will. Answers on `on`, with the errors of ChangePartitionState. An epoch whose claim failed is
/// never used; the next claim takes a higher one.
void ClaimLeaderEpoch(metadata::MetadataStore& store, EpochClaim claim, base::Executor& on,
                      base::Callback<absl::StatusOr<LeaderEpoch>> done);

}  // namespace talosmq::broker
