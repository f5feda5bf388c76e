#include "support/group_checkers.h"

#include "base/text.h"

#include <algorithm>

namespace talosmq::support {
namespace {

absl::Status Violated(const TopicPartition& partition, const auto&... what) {
  return absl::InternalError(base::StrCat(partition.ToString(), ": ", what...));
}

}  // namespace

uint64_t OffsetsChecker::Asked(const TopicPartition& partition, int64_t offset) {
  Asks& asks = asks_[partition];
  asks.open.push_back({.number = ++asks.last, .offset = offset});
  return asks.last;
}

void OffsetsChecker::Acknowledged(const TopicPartition& partition, uint64_t number) {
  std::deque<Ask>& open = asks_[partition].open;
  while (open.front().number < number) open.pop_front();
}

void OffsetsChecker::Refused(const TopicPartition& partition, uint64_t number) {
  std::erase_if(asks_[partition].open, [&](const Ask& ask) { return ask.number == number; });
}

absl::Status OffsetsChecker::Check(const TopicPartition& partition, int64_t found) const {
  const auto asks = asks_.find(partition);
  if (asks == asks_.end()) {
    if (found == kNothing) return absl::OkStatus();
    return Violated(partition, "nobody ever committed, found offset ", found);
  }
  const std::deque<Ask>& open = asks->second.open;
  if (std::ranges::find(open, found, &Ask::offset) != open.end()) return absl::OkStatus();
  return Violated(partition, "expected committed offset ", open.front().offset, " or one of the ",
                  open.size() - 1, " asked for since, found ", found);
}

absl::Status OneOwnerChecker::Took(const TopicPartition& partition, const std::string& member,
                                   int32_t generation, absl::Duration now) {
  partitions_[partition].workers.emplace(member, generation);
  partitions_[partition].last = {.member = member, .generation = generation, .at = now};
  return Works(partition, member, now);
}

absl::Status OneOwnerChecker::Works(const TopicPartition& partition, const std::string& member,
                                    absl::Duration now) const {
  for (const auto& [other, generation] : partitions_.at(partition).workers) {
    const auto lease = leases_.find(other);
    if (other == member || lease == leases_.end() || lease->second <= now) continue;
    return Violated(partition, member, " and ", other, ", which has it since generation ",
                    generation, ", work on it at ", absl::FormatDuration(now));
  }
  return absl::OkStatus();
}

void OneOwnerChecker::LetGo(const TopicPartition& partition, const std::string& member) {
  partitions_[partition].workers.erase(member);
}

void OneOwnerChecker::Leased(const std::string& member, absl::Duration until) {
  leases_[member] = until;
}

void OneOwnerChecker::Gone(const std::string& member) {
  leases_.erase(member);
  for (auto& [partition, state] : partitions_) state.workers.erase(member);
}

void OneOwnerChecker::Reclaimed(const TopicPartition& partition, absl::Duration evaluated) {
  absl::Duration& reclaimed = partitions_[partition].reclaimed;
  reclaimed = std::max(reclaimed, evaluated);
}

absl::Status OneOwnerChecker::Committed(const TopicPartition& partition, const std::string& member,
                                        int32_t generation, absl::Duration evaluated) const {
  const auto known = partitions_.find(partition);
  if (known == partitions_.end()) return Violated(partition, "committed, and nobody had it");
  const Taking& last = known->second.last;
  if (last.at >= evaluated) return absl::OkStatus();  // Taken over since.
  if (last.member != member || generation < last.generation) {
    return Violated(partition, member, " of generation ", generation,
                    " committed what was taken by ", last.member, " in generation ",
                    last.generation);
  }
  if (last.at < known->second.reclaimed && known->second.reclaimed < evaluated) {
    return Violated(partition, member, " committed what a reset had taken back from it");
  }
  return absl::OkStatus();
}

}  // namespace talosmq::support
