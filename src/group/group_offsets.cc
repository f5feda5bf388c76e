#include "group/group_offsets.h"

#include "base/text.h"
#include "talosmq/error.h"

namespace talosmq::group {

absl::Status CheckTarget(const TopicPartition& partition, const CommittedOffset& value,
                         const TopicCatalogue& topics) {
  const auto name = topics.name_of.find(partition.topic_id);
  if (name == topics.name_of.end()) {
    return MakeError(Reason::kUnknownTopicId,
                     base::StrCat("there is no topic ", partition.topic_id.ToString()));
  }
  const int32_t partitions = topics.by_name.find(name->second)->second.partitions;
  const int32_t number = partition.partition.value();
  if (number < 0 || number >= partitions) {
    return MakeError(Reason::kUnknownPartition,
                     base::StrCat("topic ", name->second, " has ", partitions,
                                  " partitions, found partition ", number));
  }
  if (value.offset < Offset(0)) {
    return MakeError(
        Reason::kInvalidArgument,
        base::StrCat(name->second, "/", number, ": expected an offset of at least 0, found ",
                     value.offset.value()));
  }
  if (value.metadata.size() > kMetadataBytesMax) {
    return MakeError(Reason::kInvalidArgument,
                     base::StrCat(name->second, "/", number, ": expected metadata of at most ",
                                  kMetadataBytesMax, " bytes, found ", value.metadata.size()));
  }
  return absl::OkStatus();
}

void GroupOffsets::Replay(const TopicPartition& partition,
                          const std::optional<CommittedOffset>& value) {
  if (value) {
    offsets_.insert_or_assign(partition, *value);
  } else {
    offsets_.erase(partition);
  }
}

absl::Status GroupOffsets::Commit(OffsetCommit commit, Output& output) {
  const auto known = offsets_.find(commit.partition);
  const Offset found = known == offsets_.end() ? Offset(-1) : known->second.offset;
  if (commit.expected && found != *commit.expected) {
    return MakeError(Reason::kConflict,
                     base::StrCat("group ", group_, ", partition ", commit.partition.ToString(),
                                  ": expected committed offset ", commit.expected->value(),
                                  ", found ", found.value()));
  }
  Set(commit.partition, std::move(commit.value), output);
  return absl::OkStatus();
}

void GroupOffsets::Set(const TopicPartition& partition, CommittedOffset value, Output& output) {
  output.changes.push_back(
      OffsetChange{.key = {.group = group_, .partition = partition}, .value = value});
  offsets_.insert_or_assign(partition, std::move(value));
}

Offsets::iterator GroupOffsets::Erase(Offsets::iterator offset, Output& output) {
  output.changes.push_back(
      OffsetChange{.key = {.group = group_, .partition = offset->first}, .value = std::nullopt});
  return offsets_.erase(offset);
}

void GroupOffsets::Expire(absl::Time until, Output& output) {
  for (auto offset = offsets_.begin(); offset != offsets_.end();) {
    offset = offset->second.committed <= until ? Erase(offset, output) : std::next(offset);
  }
}

void GroupOffsets::Forget(const TopicId& topic, Output& output) {
  auto offset = offsets_.lower_bound({.topic_id = topic, .partition = PartitionId(0)});
  while (offset != offsets_.end() && offset->first.topic_id == topic) {
    offset = Erase(offset, output);
  }
}

void GroupOffsets::Forget(const TopicPartition& partition, Output& output) {
  const auto known = offsets_.find(partition);
  if (known != offsets_.end()) Erase(known, output);
}

void GroupOffsets::Clear(Output& output) {
  for (auto offset = offsets_.begin(); offset != offsets_.end();) offset = Erase(offset, output);
}

Offsets GroupOffsets::Of(const std::vector<TopicPartition>& partitions) const {
  Offsets some;
  for (const TopicPartition& partition : partitions) {
    const auto known = offsets_.find(partition);
    if (known != offsets_.end()) some.insert(*known);
  }
  return some;
}

}  // namespace talosmq::group
