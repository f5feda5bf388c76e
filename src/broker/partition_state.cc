#include "broker/partition_state.h"

#include "base/status.h"
#include "base/text.h"
#include "broker/key_change.h"
#include "metadata/codec.h"
#include "metadata/keys.h"
#include "talosmq/error.h"

#include <optional>
#include <utility>

namespace talosmq::broker {
namespace {

using metadata::PartitionStateRecord;
using metadata::TopicRecord;

absl::Status CheckTopic(const LedPartition& partition,
                        const std::optional<metadata::KeyValue>& topic) {
  if (!topic.has_value()) {
    return MakeError(Reason::kUnknownTopicId,
                     base::StrCat("partition ", partition.name, ": there is no topic with id ",
                                  partition.id.topic_id.ToString()));
  }
  TALOSMQ_ASSIGN_OR_RETURN(const auto record, metadata::Decode<TopicRecord>(*topic));
  if (record.state == metadata::TopicState::kActive) return absl::OkStatus();
  return MakeError(Reason::kTopicDeleting,
                   base::StrCat("partition ", partition.name, ": its topic is being deleted"));
}

absl::StatusOr<PartitionStateRecord> StateOf(const LedPartition& partition,
                                             const std::optional<metadata::KeyValue>& entry) {
  PartitionStateRecord state{
      .leader = partition.leader, .epoch = LeaderEpoch(0), .in_sync = partition.in_sync};
  if (entry.has_value()) {
    TALOSMQ_ASSIGN_OR_RETURN(state, metadata::Decode<PartitionStateRecord>(*entry));
  }
  if (state.leader == partition.self) return state;
  return MakeNotLeader(
      base::StrCat("partition ", partition.name, ": led by broker ", state.leader.value(),
                   ", this is broker ", partition.self.value()),
      "");
}

}  // namespace

void ChangePartitionState(metadata::MetadataStore& store, LedPartition partition,
                          StateChange change, base::Executor& on,
                          base::Callback<absl::StatusOr<metadata::Revision>> done) {
  const std::string state_key = metadata::PartitionStateKey(partition.id);
  std::vector<std::string> keys{metadata::TopicKey(partition.id.topic_id), state_key};
  auto decide =
      [partition = std::move(partition), change = std::move(change), state_key](
          const KeyChange::Found& found) -> absl::StatusOr<std::vector<metadata::Operation>> {
    TALOSMQ_RETURN_IF_ERROR(CheckTopic(partition, found[0]));
    TALOSMQ_ASSIGN_OR_RETURN(PartitionStateRecord state, StateOf(partition, found[1]));
    TALOSMQ_RETURN_IF_ERROR(change(state));
    return std::vector<metadata::Operation>{{.key = state_key, .value = metadata::Encode(state)}};
  };
  ChangeKeys(store, {.keys = std::move(keys), .decide = std::move(decide)}, on, std::move(done));
}

}  // namespace talosmq::broker
