#include "group/native_group.h"

#include "base/status.h"
#include "base/text.h"
#include "group/topic_patterns.h"
#include "talosmq/error.h"

#include "absl/strings/str_format.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

namespace talosmq::group {
namespace {

constexpr size_t kMemberIdBytesMax = 100;
constexpr PartitionId kLastPartition{std::numeric_limits<int32_t>::max()};

MemberChange Gone(const std::string& group, const std::string& member) {
  return {.key = {.group = group, .member = member}, .value = std::nullopt};
}

absl::Duration EndOfWait(absl::Duration now, absl::Duration wait) {
  const absl::Duration end = now + wait;
  return wait < 2 * kWaitGrid ? end : absl::Floor(end, kWaitGrid);
}

}  // namespace

void NativeGroup::Replay(const std::string& id, const MemberRecord& record) {
  for (const OwnedPartition& owned : record.owned) {
    if (record.presence == Presence::kVacant) {
      target_.emplace(owned.partition, id);
    } else {
      owners_.emplace(owned.partition,
                      Owner{.member = id, .since = owned.since, .claim = owned.claim});
    }
  }
  if (!record.instance_id.empty()) by_instance_[record.instance_id] = id;
  last_joined_ = std::max(last_joined_, record.joined);
  members_.emplace(id, Member{.record = record});
}

void NativeGroup::Start(Now now, const TopicCatalogue& topics) {
  SubscribedTopicsCache subscribed(topics);
  for (auto& [id, member] : members_) {
    member.lease_end = now.monotonic + member.record.lease;
    member.topics = subscribed.Of(member.record);
    SetDeadline(id, member);
  }
  Deal(topics);
}

void NativeGroup::Advance(Now now, const TopicCatalogue& topics, Output& output) {
  has_new_generation_ = false;
  const size_t members_before = members_.size();
  while (const auto due = deadlines_.TakeDue(now.monotonic)) {
    OnDue(members_.find(*due), now, output);
  }
  if (members_.size() < members_before) return RebalanceSoon(now, topics, output);
  if (deal_due_ <= now.monotonic) Rebalance(now, topics, output);
}

void NativeGroup::OnDue(Members::iterator member, Now now, Output& output) {
  auto& [id, state] = *member;
  if (state.lease_end > now.monotonic) {
    if (state.parked) Answer(id, state, AssignedTo(id, state), output);
    SetDeadline(id, state);
    return;
  }
  ++context_.counts.expiries;
  if (!state.record.instance_id.empty() && state.record.presence == Presence::kLive) {
    Vacate(member, now, output);
  } else {
    Remove(member, UnknownMember(id), now, output);
  }
}

void NativeGroup::Heartbeat(HeartbeatRequest request, Now now, const TopicCatalogue& topics,
                            HeartbeatDone done, Output& output) {
  has_new_generation_ = false;
  const auto refuse = [&](const absl::Status& why) {
    AddReply(output, std::move(done), absl::StatusOr<HeartbeatReply>(why));
  };
  if (request.subscription) {
    const absl::Status status = CheckSubscription(*request.subscription);
    if (!status.ok()) return refuse(status);
  }
  auto found = members_.find(request.member_id);
  bool is_new = false;
  if (found == members_.end() || found->second.record.presence == Presence::kVacant) {
    auto joined = Join(request, topics, output);
    if (!joined.ok()) return refuse(joined.status());
    found = *joined;
    is_new = true;
  }
  auto& [id, member] = *found;
  if (request.sequence <= member.sequence && !is_new) {
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
  bool is_dealt_anew = is_new;
  if (!is_new && request.subscription &&
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
  const absl::Duration wait =
      std::clamp(request.wait, absl::ZeroDuration(), member.record.lease / 3);
  member.parked = Parked{.done = std::move(done),
                         .until = EndOfWait(now.monotonic, wait),
                         .generation = request.generation};
  Release(id, member, request, output);
  if (is_dealt_anew) {
    RebalanceSoon(now, topics, output);
  } else {
    Deliver(id, member, output);
  }
  SetDeadline(id, member);
  // What a new member was given at once is recorded with it.
  if (is_new && member.record.owned.empty()) Record(id, member, output);
}

absl::Status NativeGroup::CheckJoin(const HeartbeatRequest& request,
                                    Members::const_iterator before) const {
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
  const bool is_back = before != members_.end();
  if (is_back && before->second.record.presence == Presence::kLive) {
    return refuse(Reason::kInstanceInUse, "instance id ", request.instance_id,
                  " is that of member ", before->first,
                  ", which has neither left nor let its lease end");
  }
  const size_t others = members_.size() - (is_back ? 1 : 0);
  if (others > 0 && request.subscription->assignor != record_.assignor) {
    return refuse(Reason::kInconsistentProtocol, "its members use assignor ",
                  static_cast<int>(record_.assignor), ", the one that joins asks for ",
                  static_cast<int>(request.subscription->assignor));
  }
  if (others >= static_cast<size_t>(context_.options.members_max)) {
    return refuse(Reason::kGroupFull, "it has ", others, " members, as many as it may");
  }
  return absl::OkStatus();
}

absl::StatusOr<NativeGroup::Members::iterator> NativeGroup::Join(const HeartbeatRequest& request,
                                                                 const TopicCatalogue& topics,
                                                                 Output& output) {
  const auto before = WithInstance(request.instance_id);
  TALOSMQ_RETURN_IF_ERROR(CheckJoin(request, before));
  std::string id = request.member_id;
  if (id.empty()) {
    id = absl::StrFormat("%s-%016x%016x", request.client_id, context_.random.Next(),
                         context_.random.Next());
  }
  std::vector<TopicPartition> place;
  if (before != members_.end()) {
    place = before->second.target;
    Erase(before, output);
  }
  // A vacant member that comes under the same id, and another instance id, begins anew.
  if (const auto same = members_.find(id); same != members_.end()) Erase(same, output);
  for (const TopicPartition& partition : place) target_[partition] = id;
  Member member;
  member.record = {.instance_id = request.instance_id,
                   .client_id = request.client_id,
                   .host = request.host,
                   .lease = request.lease,
                   .joined = ++last_joined_};
  Subscribe(member, *request.subscription, topics);
  member.target = std::move(place);
  if (members_.empty()) {
    record_.kind = GroupKind::kNative;
    record_.assignor = request.subscription->assignor;
  }
  if (!request.instance_id.empty()) by_instance_[request.instance_id] = id;
  NewGeneration(output);
  return members_.emplace(std::move(id), std::move(member)).first;
}

NativeGroup::Members::iterator NativeGroup::WithInstance(const std::string& instance_id) {
  const auto id = by_instance_.find(instance_id);
  return id != by_instance_.end() ? members_.find(id->second) : members_.end();
}

void NativeGroup::Subscribe(Member& member, const Subscription& subscription,
                            const TopicCatalogue& topics) {
  member.record.topics = subscription.topics;
  member.record.patterns = subscription.patterns;
  member.topics = SubscribedTopics(subscription.topics, subscription.patterns, topics);
}

absl::Status NativeGroup::Leave(const LeaveRequest& request, Now now, const TopicCatalogue& topics,
                                Output& output) {
  has_new_generation_ = false;
  const auto member = members_.find(request.member_id);
  if (member == members_.end()) return UnknownMember(request.member_id);
  if (request.keeps_partitions && !member->second.record.instance_id.empty()) {
    Vacate(member, now, output);
    return absl::OkStatus();
  }
  Remove(member, UnknownMember(request.member_id), now, output);
  RebalanceSoon(now, topics, output);
  return absl::OkStatus();
}

void NativeGroup::Vacate(Members::iterator member, Now now, Output& output) {
  auto& [id, state] = *member;
  Refuse(state, UnknownMember(id), output);
  EndOwnership(state);
  state.record.presence = Presence::kVacant;
  state.lease_end = now.monotonic + state.record.lease;
  SetDeadline(id, state);
  Record(id, state, output);
  DeliverAll(output);
}

void NativeGroup::Remove(Members::iterator member, const absl::Status& why, Now now,
                         Output& output) {
  Refuse(member->second, why, output);
  Erase(member, output);
  if (members_.empty()) {
    record_.emptied = now.wall;
    has_new_generation_ = false;  // So that the group is recorded once more.
  }
  NewGeneration(output);
}

void NativeGroup::Erase(Members::iterator member, Output& output) {
  const auto& [id, state] = *member;
  EndOwnership(state);
  for (const TopicPartition& partition : state.target) target_.erase(partition);
  by_instance_.erase(state.record.instance_id);
  deadlines_.Clear(id);
  output.changes.push_back(Gone(context_.group, id));
  members_.erase(member);
}

void NativeGroup::EndOwnership(const Member& member) {
  if (member.record.presence == Presence::kVacant) return;
  for (const OwnedPartition& owned : member.record.owned) owners_.erase(owned.partition);
}

void NativeGroup::OnTopics(const TopicCatalogue& topics, Now now, Output& output) {
  SubscribedTopicsCache subscribed(topics);
  bool is_changed = !IsTargetOf(topics);
  for (auto& [id, member] : members_) {
    std::vector<TopicId> now_subscribed = subscribed.Of(member.record);
    if (now_subscribed == member.topics) continue;
    member.topics = std::move(now_subscribed);
    is_changed = true;
  }
  if (is_changed) deal_due_ = now.monotonic;
  Advance(now, topics, output);
}

bool NativeGroup::IsTargetOf(const TopicCatalogue& topics) const {
  for (auto next = target_.begin(); next != target_.end();) {
    const TopicId topic = next->first.topic_id;
    const auto name = topics.name_of.find(topic);
    if (name == topics.name_of.end()) return false;
    next = target_.upper_bound({.topic_id = topic, .partition = kLastPartition});
    const int32_t dealt = std::prev(next)->first.partition.value() + 1;
    if (dealt != topics.by_name.find(name->second)->second.partitions) return false;
  }
  return true;
}

void NativeGroup::Reclaim(const std::vector<TopicPartition>& partitions, Output& output) {
  has_new_generation_ = false;
  std::set<std::string> losers;
  for (const TopicPartition& partition : partitions) {
    const auto owner = owners_.find(partition);
    if (owner == owners_.end()) continue;
    owner->second.claim = Claim::kReclaimed;
    std::vector<OwnedPartition>& owned = members_.at(owner->second.member).record.owned;
    std::ranges::lower_bound(owned, partition, {}, &OwnedPartition::partition)->claim =
        Claim::kReclaimed;
    losers.insert(owner->second.member);
  }
  for (const std::string& loser : losers) Record(loser, members_.at(loser), output);
  DeliverAll(output);
}

void NativeGroup::RebalanceSoon(Now now, const TopicCatalogue& topics, Output& output) {
  deal_due_ = std::min(deal_due_, last_deal_ + kDealWindow);
  if (deal_due_ <= now.monotonic) Rebalance(now, topics, output);
}

void NativeGroup::Rebalance(Now now, const TopicCatalogue& topics, Output& output) {
  last_deal_ = now.monotonic;
  deal_due_ = absl::InfiniteDuration();
  if (members_.empty()) return;
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
    const auto target = target_.find(owned.partition);
    // Who has not heard yet that it owns a partition may still hear it.
    const bool is_heard = request.generation >= owned.since;
    if (!is_heard || std::ranges::binary_search(request.owned, owned.partition)) {
      return false;
    }
    owners_.erase(owned.partition);
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
    const int32_t generation = NewGeneration(output);
    for (const TopicPartition& partition : free) {
      owners_.emplace(partition, Owner{.member = id, .since = generation});
      member.record.owned.push_back({.partition = partition, .since = generation});
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
    if (owner != owners_.end() && owner->second.member == id &&
        owner->second.claim == Claim::kHeld) {
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
  if (owner->second.member != member) {
    return refuse(Reason::kNotOwner, "expected member ", member, " as its owner, found ",
                  owner->second.member);
  }
  if (owner->second.claim == Claim::kReclaimed) {
    return refuse(Reason::kNotOwner, "a reset has taken it back from member ", member);
  }
  if (generation < owner->second.since || generation > record_.generation) {
    return refuse(Reason::kIllegalGeneration, "expected a generation from ", owner->second.since,
                  " to ", record_.generation, ", found ", generation);
  }
  return absl::OkStatus();
}

GroupState NativeGroup::state() const {
  if (members_.empty()) return GroupState::kEmpty;
  if (deal_due_ != absl::InfiniteDuration()) return GroupState::kRebalancing;
  for (const auto& [partition, id] : target_) {
    const auto owner = owners_.find(partition);
    if (owner == owners_.end() || owner->second.member != id ||
        owner->second.claim == Claim::kReclaimed) {
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

int32_t NativeGroup::NewGeneration(Output& output) {
  if (has_new_generation_) return record_.generation;
  has_new_generation_ = true;
  ++record_.generation;
  output.changes.push_back(GroupChange{.key = {.group = context_.group}, .value = record_});
  return record_.generation;
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
  size_t instances = 0;
  for (const auto& [id, member] : members_) {
    if (!member.record.instance_id.empty()) ++instances;
    if (!member.record.instance_id.empty() && by_instance_.at(member.record.instance_id) != id) {
      return broken("instance id ", member.record.instance_id, " is not that of ", id);
    }
    if (member.record.presence == Presence::kVacant) continue;
    owned += member.record.owned.size();
    for (const OwnedPartition& partition : member.record.owned) {
      const auto owner = owners_.find(partition.partition);
      if (owner == owners_.end() || owner->second.member != id ||
          owner->second.since != partition.since || owner->second.claim != partition.claim) {
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
  if (instances != by_instance_.size()) return broken("an instance id is that of nobody");
  if (owned != owners_.size()) {
    return broken(owners_.size(), " partitions have owners, who have ", owned);
  }
  return absl::OkStatus();
}

}  // namespace talosmq::group
