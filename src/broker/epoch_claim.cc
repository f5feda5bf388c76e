#include "broker/epoch_claim.h"

#include "base/status.h"
#include "base/text.h"
#include "broker/key_change.h"
#include "metadata/codec.h"
#include "metadata/keys.h"
#include "talosmq/error.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace talosmq::broker {
namespace {

using metadata::PartitionStateRecord;
using metadata::TopicRecord;

absl::Status CheckTopic(const EpochClaim& claim, const std::optional<metadata::KeyValue>& topic) {
  if (!topic.has_value()) {
    return MakeError(Reason::kUnknownTopicId,
                     base::StrCat("partition ", claim.name, ": there is no topic with id ",
                                  claim.partition.topic_id.ToString()));
  }
  TALOSMQ_ASSIGN_OR_RETURN(const auto record, metadata::Decode<TopicRecord>(*topic));
  if (record.state == metadata::TopicState::kActive) return absl::OkStatus();
  return MakeError(Reason::kTopicDeleting,
                   base::StrCat("partition ", claim.name, ": its topic is being deleted"));
}

/// The state as this broker leads it under the next epoch.
absl::StatusOr<PartitionStateRecord> NextState(const EpochClaim& claim,
                                               const std::optional<metadata::KeyValue>& entry) {
  PartitionStateRecord state{
      .leader = claim.leader, .epoch = LeaderEpoch(0), .in_sync = claim.in_sync};
  if (entry.has_value()) {
    TALOSMQ_ASSIGN_OR_RETURN(state, metadata::Decode<PartitionStateRecord>(*entry));
  }
  if (state.leader != claim.self) {
    return MakeNotLeader(
        base::StrCat("partition ", claim.name, ": led by broker ", state.leader.value(),
                     ", this is broker ", claim.self.value()),
        "");
  }
  state.epoch = LeaderEpoch(std::max(state.epoch, claim.above).value() + 1);
  return state;
}

}  // namespace

void ClaimLeaderEpoch(metadata::MetadataStore& store, EpochClaim claim, base::Executor& on,
                      base::Callback<absl::StatusOr<LeaderEpoch>> done) {
  const auto epoch = std::make_shared<LeaderEpoch>();  // Shared by decision and answer.
  const std::string state_key = metadata::PartitionStateKey(claim.partition);
  std::vector<std::string> keys{metadata::TopicKey(claim.partition.topic_id), state_key};
  auto decide =
      [claim = std::move(claim), state_key,
       epoch](const KeyChange::Found& found) -> absl::StatusOr<std::vector<metadata::Operation>> {
    TALOSMQ_RETURN_IF_ERROR(CheckTopic(claim, found[0]));
    TALOSMQ_ASSIGN_OR_RETURN(const PartitionStateRecord state, NextState(claim, found[1]));
    *epoch = state.epoch;
    return std::vector<metadata::Operation>{{.key = state_key, .value = metadata::Encode(state)}};
  };
  ChangeKeys(store, {.keys = std::move(keys), .decide = std::move(decide)}, on,
             [epoch, done = std::move(done)](const absl::Status& status) mutable {
               if (status.ok()) return done(*epoch);
               done(status);
             });
}

}  // namespace talosmq::broker
