#include "broker/epoch_claim.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace talosmq::broker {

void ClaimLeaderEpoch(metadata::MetadataStore& store, EpochClaim claim, base::Executor& on,
                      base::Callback<absl::StatusOr<LeaderEpoch>> done) {
  const auto epoch = std::make_shared<LeaderEpoch>();  // Shared by decision and answer.
  auto raise = [above = claim.above, epoch](metadata::PartitionStateRecord& state) {
    state.epoch = LeaderEpoch(std::max(state.epoch, above).value() + 1);
    *epoch = state.epoch;
    return absl::OkStatus();
  };
  ChangePartitionState(
      store, std::move(claim.partition), std::move(raise), on,
      [epoch, done = std::move(done)](const absl::StatusOr<metadata::Revision>& at) mutable {
        if (at.ok()) return done(*epoch);
        done(at.status());
      });
}

}  // namespace talosmq::broker
