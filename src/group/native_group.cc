#include "group/native_group.h"

#include "base/status.h"
#include "base/text.h"
#include "group/topic_patterns.h"
#include "talosmq/error.h"

#include "absl/strings/str_format.h"

#include <algorithm>
#include <utility>

namespace talosmq::group {
namespace {

constexpr size_t kMemberIdBytesMax = 100;

MemberChange Gone(const std::string& group, const std::string& member) {
  return {.key = {.group = group, .member = member}, .value = std::nullopt};
}

}  // namespace

void NativeGroup::Replay(const std::string& member, const std::optional<MemberRecord>& record) {
  const auto known = members_.find(member);
  if (known != members_.end()) {
    for (const OwnedPartition& owned : known->second.record.owned) owners_.erase(owned.partition);
    members_.erase(known);
  }
  if (!record) return;
  for (const OwnedPartition& owned : record->owned) {
    owners_.insert_or_assign(owned.partition, Owner{.member = member, .since = owned.since});
  }
  last_joined_ = std::max(last_joined_, record->joined);
  members_.emplace(member, Member{.record = *record});
}

void NativeGroup::Start(Now now, const TopicCatalogue& topics) {
  for (auto& [id, member] : members_) {
    member.lease_end = now.monotonic + member.record.lease;
    member.topics = SubscribedTopics(member.record.topics, member.record.patterns, topics);
    SetDeadline(id, member);
  }
  Deal(topics);
}

void NativeGroup::Advance(Now now, const TopicCatalogue& topics, Output& output) {
  while (const auto due = deadlines_.TakeDue(now.monotonic)) {
    OnDue(members_.find(*due), now, topics, output);
  }
}

void NativeGroup::OnDue(Members::iterator member, Now now, const TopicCatalogue& topics,
                        Output& output) {
  auto& [id, state] = *member;
  if (state.lease_end > now.monotonic) {
    if (state.parked) Answer(id, state, AssignedTo(id, state), output);
    SetDeadline(id, state);
    return;
  }
  ++context_.counts.expiries;
  if (!state.record.instance_id.empty() && state.record.presence == Presence::kLive) {
    Vacate(member, now, output);
    return;
  }
  Remove(member, UnknownMember(id), now, output);
  Rebalance(topics, output);
}

void NativeGroup::Heartbeat(HeartbeatRequest request, Now now, const TopicCatalogue& topics,
                            HeartbeatDone done, Output& output) {
  const auto refuse = [&](const absl::Status& why) {
    AddReply(output, std::move(done), absl::StatusOr<HeartbeatReply>(why));
  };
  if (request.subscription) {
    const absl::Status status = CheckSubscription(*request.subscription);
    if (!status.ok()) return refuse(status);
  }
  auto found = members_.find(request.member_id);
  bool is_dealt_anew = false;
  if (found == members_.end() || found->second.record.presence == Presence::kVacant) {
    auto joined = Join(request, topics, output);
    if (!joined.ok()) return refuse(joined.status());
    found = *joined;
    is_dealt_anew = true;
  }
  auto& [id, member] = *found;
  if (request.sequence <= member.sequence && !is_dealt_anew) {
    return refuse(
        MakeError(Reason::kConflict,
                  base::StrCat("member ", id, " of group ", context_.group, ": heartbeat ",
                               request.sequence, " comes behind number ", member.sequence)));
  }
  member.sequence = request.sequence;
  Refuse(
      member,
      MakeError(Reason::kConflict, base::StrCat("member ", id, " of group ", context_.group,
                                                ": overtaken by its heartbeat ", request.sequence)),
      output);
  member.lease_end = now.monotonic + member.record.lease;
  if (!is_dealt_anew && request.subscription &&
      (request.subscription->topics != member.record.topics ||
       request.subscription->patterns != member.record.patterns)) {
    Subscribe(member, *request.subscription, topics);
    Record(id, member, output);
    is_dealt_anew = true;
  }
  std::ranges::sort(request.owned);
  if (!member.told_generation) {
    member.told = request.owned;
    member.told_generation = request.generation;
  }
  if (request.generation == 0) member.told_generation = -1;
  member.parked = Parked{.done = std::move(done),
                         .until = now.monotonic + std::clamp(request.wait, absl::ZeroDuration(),
                                                             member.record.lease / 3),
                         .generation = request.generation};
  if (is_dealt_anew) Deal(topics);
  Release(id, member, request, output);
  if (is_dealt_anew) {
    DeliverAll(output);
  } else {
    Deliver(id, member, output);
    SetDeadline(id, member);
  }
}

absl::Status NativeGroup::CheckJoin(const HeartbeatRequest& request) const {
  const auto refuse = [&](Reason reason, const auto&... what) {
    return MakeError(reason, base::StrCat("group ", context_.group, ": ", what...));
  };
  if (request.generation != 0) return UnknownMember(request.member_id);
  if (!request.subscription) {
    return refuse(Reason::kInvalidArgument, "a member that joins says what it subscribes to");
  }
  if (request.member_id.size() > kMemberIdBytesMax ||
      request.instance_id.size() > kMemberIdBytesMax ||
      request.client_id.size() > kMemberIdBytesMax) {
    return refuse(Reason::kInvalidArgument, "ids of a member have at most ", kMemberIdBytesMax,
                  " bytes");
  }
  if (request.lease < context_.options.lease_min || request.lease > context_.options.lease_max) {
    return refuse(Reason::kInvalidSessionTimeout, "expected a lease of ",
                  absl::FormatDuration(context_.options.lease_min), " to ",
                  absl::FormatDuration(context_.options.lease_max), ", found ",
                  absl::FormatDuration(request.lease));
  }
  if (!members_.empty() && request.subscription->assignor != record_.assignor) {
    return refuse(Reason::kInconsistentProtocol, "its members use assignor ",
                  static_cast<int>(record_.assignor), ", the one that joins asks for ",
                  static_cast<int>(request.subscription->assignor));
  }
  if (members_.size() >= static_cast<size_t>(context_.options.members_max)) {
    return refuse(Reason::kGroupFull, "it has ", members_.size(), " members, as many as it may");
  }
  return absl::OkStatus();
}

absl::StatusOr<NativeGroup::Members::iterator> NativeGroup::Join(const HeartbeatRequest& request,
                                                                 const TopicCatalogue& topics,
                                                                 Output& output) {
  TALOSMQ_RETURN_IF_ERROR(CheckJoin(request));
  std::string id = request.member_id;
  if (id.empty()) {
    id = absl::StrFormat("%s-%016x%016x", request.client_id, context_.random.Next(),
                         context_.random.Next());
  }
  Member member;
  member.record = {.instance_id = request.instance_id,
                   .client_id = request.client_id,
                   .host = request.host,
                   .lease = request.lease,
                   .joined = ++last_joined_};
  const auto before =
      request.instance_id.empty() ? members_.end() : WithInstance(request.instance_id);
  if (before != members_.end()) {
    if (before->second.record.presence == Presence::kLive) {
      return MakeError(Reason::kInstanceInUse,
                       base::StrCat("group ", context_.group, ": instance id ", request.instance_id,
                                    " is that of member ", before->first,
                                    ", which has neither left nor let its lease end"));
    }
    for (const TopicPartition& partition : before->second.target) target_[partition] = id;
    output.changes.push_back(Gone(context_.group, before->first));
    deadlines_.Clear(before->first);
    members_.erase(before);
  }
  if (members_.empty()) record_.assignor = request.subscription->assignor;
  Subscribe(member, *request.subscription, topics);
  const auto joined = members_.insert_or_assign(std::move(id), std::move(member)).first;
  Record(joined->first, joined->second, output);
  ++record_.generation;
  RecordGroup(output);
  return joined;
}

NativeGroup::Members::iterator NativeGroup::WithInstance(const std::string& instance_id) {
  return std::ranges::find_if(members_, [&](const auto& member) {
    return member.second.record.instance_id == instance_id;
  });
}

void NativeGroup::Subscribe(Member& member, const Subscription& subscription,
                            const TopicCatalogue& topics) {
  member.record.topics = subscription.topics;
  member.record.patterns = subscription.patterns;
  member.topics = SubscribedTopics(subscription.topics, subscription.patterns, topics);
}

absl::Status NativeGroup::Leave(const LeaveRequest& request, Now now, const TopicCatalogue& topics,
                                Output& output) {
  const auto member = members_.find(request.member_id);
  if (member == members_.end()) return UnknownMember(request.member_id);
  if (request.keeps_partitions && !member->second.record.instance_id.empty()) {
    Vacate(member, now, output);
    return absl::OkStatus();
  }
  Remove(member, UnknownMember(request.member_id), now, output);
  Rebalance(topics, output);
  return absl::OkStatus();
}

void NativeGroup::Vacate(Members::iterator member, Now now, Output& output) {
  auto& [id, state] = *member;
  Refuse(state, UnknownMember(id), output);
  for (const OwnedPartition& owned : state.record.owned) owners_.erase(owned.partition);
  state.record.owned.clear();
  state.record.presence = Presence::kVacant;
  state.lease_end = now.monotonic + state.record.lease;
  SetDeadline(id, state);
  Record(id, state, output);
  DeliverAll(output);
}

void NativeGroup::Remove(Members::iterator member, const absl::Status& why, Now now,
                         Output& output) {
  auto& [id, state] = *member;
  Refuse(state, why, output);
  for (const OwnedPartition& owned : state.record.owned) owners_.erase(owned.partition);
  deadlines_.Clear(id);
  output.changes.push_back(Gone(context_.group, id));
  members_.erase(member);
  if (members_.empty()) record_.emptied = now.wall;
  ++record_.generation;
  RecordGroup(output);
}

void NativeGroup::OnTopics(const TopicCatalogue& topics, Now now, Output& output) {
  for (auto& [id, member] : members_) {
    member.topics = SubscribedTopics(member.record.topics, member.record.patterns, topics);
  }
  Rebalance(topics, output);
  Advance(now, topics, output);
}

void NativeGroup::Reclaim(const std::vector<TopicPartition>& partitions, Output& output) {
  for (const TopicPartition& partition : partitions) {
    const auto owner = owners_.find(partition);
    if (owner != owners_.end()) owner->second.is_reclaimed = true;
  }
  DeliverAll(output);
}

void NativeGroup::Rebalance(const TopicCatalogue& topics, Output& output) {
  Deal(topics);
  DeliverAll(output);
}

void NativeGroup::Deal(const TopicCatalogue& topics) {
  ++context_.counts.rebalances;
  std::vector<AssignedMember> members;
  for (const auto& [id, member] : members_) members.push_back({.id = id, .topics = member.topics});
  Assignment current = target_;
  for (const auto& [partition, owner] : owners_) current.insert_or_assign(partition, owner.member);
  target_ = Assign(record_.assignor, topics, members, current, lags_);
  for (auto& [id, member] : members_) member.target.clear();
  for (const auto& [partition, id] : target_) members_.at(id).target.push_back(partition);
}

void NativeGroup::DeliverAll(Output& output) {
  for (auto& [id, member] : members_) {
    if (!member.parked) continue;
    Deliver(id, member, output);
    SetDeadline(id, member);
  }
}

void NativeGroup::Release(const std::string& id, Member& member, const HeartbeatRequest& request,
                          Output& output) {
  std::set<std::string> takers;
  const auto is_released = [&](const OwnedPartition& owned) {
    const auto owner = owners_.find(owned.partition);
    const auto target = target_.find(owned.partition);
    // Who has not heard yet that it owns a partition may still hear it.
    const bool is_heard = request.generation >= owned.since;
    if (!is_heard || std::ranges::binary_search(request.owned, owned.partition)) {
      return false;
    }
    owners_.erase(owner);
    if (target != target_.end() && target->second != id) takers.insert(target->second);
    return true;
  };
  if (std::erase_if(member.record.owned, is_released) == 0) return;
  Record(id, member, output);
  for (const std::string& taker : takers) {
    Member& other = members_.at(taker);
    if (!other.parked) continue;
    Deliver(taker, other, output);
    SetDeadline(taker, other);
  }
}

void NativeGroup::Deliver(const std::string& id, Member& member, Output& output) {
  std::vector<TopicPartition> free;
  for (const TopicPartition& partition : member.target) {
    if (!owners_.contains(partition)) free.push_back(partition);
  }
  if (!free.empty()) {
    ++record_.generation;
    RecordGroup(output);
    for (const TopicPartition& partition : free) {
      owners_.emplace(partition, Owner{.member = id, .since = record_.generation});
      member.record.owned.push_back({.partition = partition, .since = record_.generation});
    }
    std::ranges::sort(member.record.owned, {}, &OwnedPartition::partition);
    Record(id, member, output);
    context_.counts.moves += static_cast<int64_t>(free.size());
  }
  std::vector<TopicPartition> assigned = AssignedTo(id, member);
  if (assigned != member.told || member.parked->generation != member.told_generation) {
    Answer(id, member, std::move(assigned), output);
  }
}

std::vector<TopicPartition> NativeGroup::AssignedTo(const std::string& id,
                                                    const Member& member) const {
  std::vector<TopicPartition> assigned;
  for (const TopicPartition& partition : member.target) {
    const auto owner = owners_.find(partition);
    if (owner != owners_.end() && owner->second.member == id && !owner->second.is_reclaimed) {
      assigned.push_back(partition);
    }
  }
  return assigned;
}

void NativeGroup::Answer(const std::string& id, Member& member,
                         std::vector<TopicPartition> assigned, Output& output) {
  member.told = assigned;
  member.told_generation = record_.generation;
  HeartbeatReply reply{.member_id = id,
                       .generation = record_.generation,
                       .lease = member.record.lease,
                       .assigned = std::move(assigned)};
  AddReply(output, std::move(member.parked->done),
           absl::StatusOr<HeartbeatReply>(std::move(reply)));
  member.parked.reset();
}

void NativeGroup::Refuse(Member& member, const absl::Status& why, Output& output) {
  if (!member.parked) return;
  AddReply(output, std::move(member.parked->done), absl::StatusOr<HeartbeatReply>(why));
  member.parked.reset();
}

void NativeGroup::Abandon(const absl::Status& why, Output& output) {
  for (auto& [id, member] : members_) Refuse(member, why, output);
}

absl::Status NativeGroup::CheckCommit(const std::string& member, int32_t generation,
                                      const TopicPartition& partition) const {
  const auto known = members_.find(member);
  if (known == members_.end() || known->second.record.presence == Presence::kVacant)
    return UnknownMember(member);
  const auto refuse = [&](Reason reason, const auto&... what) {
    return MakeError(reason, base::StrCat("group ", context_.group, ", partition ",
                                          partition.ToString(), ": ", what...));
  };
  const auto owner = owners_.find(partition);
  if (owner == owners_.end()) {
    return refuse(Reason::kNotOwner, "expected member ", member, " as its owner, found none");
  }
  if (owner->second.member != member || owner->second.is_reclaimed) {
    return refuse(
        Reason::kNotOwner, "expected member ", member, " as its owner, found ",
        owner->second.is_reclaimed ? "that a reset has taken it back" : owner->second.member);
  }
  if (generation < owner->second.since || generation > record_.generation) {
    return refuse(Reason::kIllegalGeneration, "expected a generation from ", owner->second.since,
                  " to ", record_.generation, ", found ", generation);
  }
  return absl::OkStatus();
}

GroupState NativeGroup::state() const {
  if (members_.empty()) return GroupState::kEmpty;
  for (const auto& [partition, id] : target_) {
    const auto owner = owners_.find(partition);
    if (owner == owners_.end() || owner->second.member != id || owner->second.is_reclaimed) {
      return GroupState::kRebalancing;
    }
  }
  return owners_.size() == target_.size() ? GroupState::kStable : GroupState::kRebalancing;
}

std::map<std::string, MemberRecord> NativeGroup::members() const {
  std::map<std::string, MemberRecord> records;
  for (const auto& [id, member] : members_) records.emplace(id, member.record);
  return records;
}

void NativeGroup::SetDeadline(const std::string& id, const Member& member) {
  deadlines_.Set(
      id, member.parked ? std::min(member.parked->until, member.lease_end) : member.lease_end);
}

void NativeGroup::Record(const std::string& id, const Member& member, Output& output) const {
  output.changes.push_back(
      MemberChange{.key = {.group = context_.group, .member = id}, .value = member.record});
}

void NativeGroup::RecordGroup(Output& output) const {
  output.changes.push_back(GroupChange{.key = {.group = context_.group}, .value = record_});
}

absl::Status NativeGroup::UnknownMember(const std::string& id) const {
  return MakeError(
      Reason::kUnknownMember,
      base::StrCat("group ", context_.group, " has no member ", base::Printable(id, 100),
                   ": it never joined, has left, or its lease has ended"));
}

absl::Status NativeGroup::Check() const {
  const auto broken = [&](const auto&... what) {
    return MakeError(Reason::kInternal, base::StrCat("group ", context_.group, ": ", what...));
  };
  size_t owned = 0;
  for (const auto& [id, member] : members_) {
    owned += member.record.owned.size();
    for (const OwnedPartition& partition : member.record.owned) {
      const auto owner = owners_.find(partition.partition);
      if (owner == owners_.end() || owner->second.member != id ||
          owner->second.since != partition.since) {
        return broken("member ", id, " has ", partition.partition.ToString(),
                      ", which is not its own");
      }
      if (partition.since > record_.generation) {
        return broken(partition.partition.ToString(), " is owned since generation ",
                      partition.since, ", which is to come");
      }
    }
    for (const TopicPartition& partition : member.target) {
      const auto target = target_.find(partition);
      if (target == target_.end() || target->second != id) {
        return broken("member ", id, " is to have ", partition.ToString(),
                      ", which is meant for another");
      }
    }
  }
  if (owned != owners_.size()) {
    return broken(owners_.size(), " partitions have owners, who have ", owned);
  }
  return absl::OkStatus();
}

}  // namespace talosmq::group
