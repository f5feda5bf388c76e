#pragma once

#include "group/group_requests.h"
#include "group/output.h"
#include "group/topic_catalogue.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/time/time.h"

#include <map>
#include <optional>
#include <string>
#include <utility>

namespace talosmq::group {

/// Whether this may be committed, whoever does it. kUnknownTopicId, kUnknownPartition;
/// kInvalidArgument: an offset below 0, or too much metadata.
absl::Status CheckTarget(const TopicPartition& partition, const CommittedOffset& value,
                         const TopicCatalogue& topics);

/// The committed offsets of one group. Invariant: what it holds is what its changes make, in their
/// order. Confined to its coordinator.
class GroupOffsets {
 public:
  explicit GroupOffsets(std::string group) : group_(std::move(group)) {}

  /// What the log holds; nothing: a tombstone.
  void Replay(const TopicPartition& partition, const std::optional<CommittedOffset>& value);

  /// kConflict: another offset is committed than the one expected.
  absl::Status Commit(OffsetCommit commit, Output& output);
  void Set(const TopicPartition& partition, CommittedOffset value, Output& output);
  /// Those that were committed by then go.
  void Expire(absl::Time until, Output& output);
  /// Those of the topic go.
  void Forget(const TopicId& topic, Output& output);
  void Forget(const TopicPartition& partition, Output& output);
  void Clear(Output& output);

  bool empty() const { return offsets_.empty(); }
  const Offsets& all() const { return offsets_; }
  Offsets Of(const std::vector<TopicPartition>& partitions) const;

 private:
  Offsets::iterator Erase(Offsets::iterator offset, Output& output);

  const std::string group_;
  Offsets offsets_;
};

}  // namespace talosmq::group
