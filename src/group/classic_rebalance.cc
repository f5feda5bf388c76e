// What follows from members that come, go and stay away: the phases of a rebalance.

#include "base/check.h"
#include "base/text.h"
#include "group/classic_group.h"
#include "group/classic_replies.h"

#include <algorithm>
#include <utility>

namespace talosmq::group {

void ClassicGroup::PrepareRebalance(const Event& event) {
  const absl::Status why = Error(Reason::kRebalanceInProgress, "is rebalancing; join again");
  for (auto& [id, member] : members_) {
    if (member.sync != nullptr) {
      FailSync(event.output, member.sync, why);
      Renew(id, event.now);
    }
    member.owes_sync = false;
  }
  const absl::Duration timeout = members_.rebalance_timeout();
  absl::Duration wait = timeout;
  initial_wait_left_.reset();
  if (state_ == State::kEmpty && options_.initial_rebalance_delay > absl::ZeroDuration()) {
    wait = std::min(options_.initial_rebalance_delay, timeout);
    initial_wait_left_ = timeout - wait;
    newcomer_in_wait_ = false;
  }
  phase_ends_ = event.now.monotonic + wait;
  state_ = State::kPreparing;
  record_.phase = ClassicPhase::kRebalancing;
  WriteGroup(event);
}

void ClassicGroup::CompleteJoinIfAllAreThere(const Event& event) {
  if (state_ != State::kPreparing) return;
  const bool are_all_there =
      !initial_wait_left_ && told_ids_.empty() && parked_joins_ == members_.size();
  if (members_.empty() || are_all_there) CompleteJoin(event);
}

void ClassicGroup::CompleteJoin(const Event& event) {
  std::vector<std::string> absent;
  for (const auto& [id, member] : members_) {
    if (member.join == nullptr && member.record.instance_id.empty()) absent.push_back(id);
  }
  for (const std::string& id : absent) Remove(id, event);
  if (members_.empty()) return BecomeEmpty(event);
  if (parked_joins_ == 0) {
    // Only static members, all of them away: their sessions say how long they are waited for.
    phase_ends_ = event.now.monotonic + members_.rebalance_timeout();
    return;
  }
  BeginGeneration(event);
}

void ClassicGroup::BecomeEmpty(const Event& event) {
  state_ = State::kEmpty;
  phase_ends_ = absl::InfiniteDuration();
  initial_wait_left_.reset();
  ++record_.generation;
  record_.protocol.clear();
  record_.leader.clear();
  record_.phase = ClassicPhase::kRebalancing;
  record_.emptied = event.now.wall;
  WriteGroup(event);
}

void ClassicGroup::BeginGeneration(const Event& event) {
  state_ = State::kCompleting;
  phase_ends_ = event.now.monotonic + members_.rebalance_timeout();
  initial_wait_left_.reset();
  ++record_.generation;
  std::optional<std::string> protocol = members_.Vote();
  TALOSMQ_CHECK(protocol.has_value()) << group_;  // Who shares none was not admitted.
  record_.protocol = *std::move(protocol);
  ElectLeader();
  WriteGroup(event);
  for (auto& [id, member] : members_) {
    if (member.join != nullptr) AnswerJoin(id, event);
  }
}

void ClassicGroup::ElectLeader() {
  const ClassicMember* leader = members_.Find(record_.leader);
  if (leader != nullptr && leader->join != nullptr) return;
  leader = nullptr;
  for (const auto& [id, member] : members_) {
    if (member.join == nullptr) continue;
    if (leader != nullptr && leader->record.joined < member.record.joined) continue;
    leader = &member;
    record_.leader = id;
  }
}

void ClassicGroup::Tick(Now now, Output& output) {
  const Event event{.now = now, .output = output};
  const size_t members_before = members_.size();
  while (const std::optional<std::string> id = sessions_.TakeDue(now.monotonic)) {
    if (told_ids_.erase(*id) == 0) Remove(*id, event);
  }
  RebalanceIfBelow(members_before, event);
  if (phase_ends_ <= now.monotonic) OnPhaseDeadline(event);
}

absl::Duration ClassicGroup::next_tick() const { return std::min(sessions_.first(), phase_ends_); }

void ClassicGroup::OnPhaseDeadline(const Event& event) {
  if (state_ != State::kPreparing) return RemoveWhoOwesSync(event);
  if (initial_wait_left_ > absl::ZeroDuration() && newcomer_in_wait_) {
    const absl::Duration wait = std::min(options_.initial_rebalance_delay, *initial_wait_left_);
    *initial_wait_left_ -= wait;
    newcomer_in_wait_ = false;
    phase_ends_ = event.now.monotonic + wait;
    return;
  }
  CompleteJoin(event);
}

void ClassicGroup::RemoveWhoOwesSync(const Event& event) {
  phase_ends_ = absl::InfiniteDuration();
  const size_t members_before = members_.size();
  std::vector<std::string> late;
  for (const auto& [id, member] : members_) {
    if (member.owes_sync) late.push_back(id);
  }
  for (const std::string& id : late) Remove(id, event);
  RebalanceIfBelow(members_before, event);
}

void ClassicGroup::Remove(const std::string& id, const Event& event) {
  ClassicMember member = members_.Take(id);
  const absl::Status gone =
      Error(Reason::kUnknownMember, base::StrCat("has no member \"", id, "\" any more"));
  if (member.join != nullptr) {
    FailJoin(event.output, member.join, id, gone);
    --parked_joins_;
  }
  if (member.sync != nullptr) FailSync(event.output, member.sync, gone);
  sessions_.Clear(id);
  event.output.changes.emplace_back(
      MemberChange{.key = {.group = group_, .member = id}, .value = std::nullopt});
}

void ClassicGroup::RebalanceIfBelow(size_t members_before, const Event& event) {
  const bool is_between = state_ == State::kCompleting || state_ == State::kStable;
  if (is_between && members_.size() < members_before) PrepareRebalance(event);
  CompleteJoinIfAllAreThere(event);
}

void ClassicGroup::Renew(const std::string& id, Now now) {
  const ClassicMember& member = *members_.Find(id);
  if (!member.is_parked()) sessions_.Set(id, now.monotonic + member.record.lease);
}

void ClassicGroup::WriteGroup(const Event& event) {
  event.output.changes.emplace_back(GroupChange{.key = {.group = group_}, .value = record_});
}

void ClassicGroup::WriteMember(const std::string& id, MemberRecord record, const Event& event) {
  event.output.changes.emplace_back(
      MemberChange{.key = {.group = group_, .member = id}, .value = record});
  members_.Put(id, std::move(record));
}

void ClassicGroup::AnswerJoin(const std::string& id, const Event& event) {
  ClassicMember& member = *members_.Find(id);
  AddReply(event.output, std::exchange(member.join, nullptr),
           ClassicJoinOutcome{.status = absl::OkStatus(), .reply = JoinReply(id)});
  --parked_joins_;
  member.is_new = false;
  member.owes_sync = true;
  Renew(id, event.now);
}

void ClassicGroup::AnswerSync(const std::string& id, const Event& event) {
  ClassicMember& member = *members_.Find(id);
  AddReply(
      event.output, std::exchange(member.sync, nullptr),
      absl::StatusOr<ClassicSyncReply>(ClassicSyncReply{.protocol_type = record_.protocol_type,
                                                        .protocol = record_.protocol,
                                                        .assignment = member.record.assignment}));
  Renew(id, event.now);
}

ClassicJoinReply ClassicGroup::JoinReply(const std::string& id) const {
  ClassicJoinReply reply{.generation = record_.generation,
                         .protocol_type = record_.protocol_type,
                         .protocol = record_.protocol,
                         .leader = record_.leader,
                         .member_id = id};
  if (id != record_.leader) return reply;
  for (const auto& [member_id, member] : members_) {
    reply.members.push_back({.member_id = member_id,
                             .instance_id = member.record.instance_id,
                             .metadata = member.record.protocols.at(record_.protocol)});
  }
  return reply;
}

void ClassicGroup::Abandon(const absl::Status& why, Output& output) {
  for (auto& [id, member] : members_) {
    if (member.join != nullptr) FailJoin(output, member.join, id, why);
    if (member.sync != nullptr) FailSync(output, member.sync, why);
  }
}

absl::Status ClassicGroup::Check() const {
  const auto violated = [this](std::string_view what) {
    return absl::InternalError(base::StrCat("group \"", group_, "\": ", what));
  };
  if (const absl::Status counted = members_.Check(); !counted.ok()) return counted;
  if (members_.empty() != (state_ == State::kEmpty)) return violated("empty and not Empty");
  size_t parked_joins = 0;
  for (const auto& [id, member] : members_) {
    if (member.join != nullptr) ++parked_joins;
    if (member.join != nullptr && state_ != State::kPreparing) {
      return violated(base::StrCat("a join of ", id, " waits outside Preparing"));
    }
    if (member.sync != nullptr && state_ != State::kCompleting) {
      return violated(base::StrCat("a sync of ", id, " waits outside Completing"));
    }
    if (sessions_.Has(id) != (!member.is_parked() || member.is_new)) {
      return violated(base::StrCat(id, " is parked and has a session, or neither"));
    }
  }
  if (parked_joins != parked_joins_) return violated("joins that wait are not counted");
  if (sessions_.size() > members_.size() + told_ids_.size()) return violated("a session too many");
  if (state_ == State::kEmpty || state_ == State::kPreparing) return absl::OkStatus();
  if (members_.Find(record_.leader) == nullptr) return violated("the leader is no member");
  for (const auto& [id, member] : members_) {
    if (!member.record.protocols.contains(record_.protocol)) {
      return violated(base::StrCat(id, " lacks the protocol ", record_.protocol));
    }
  }
  return absl::OkStatus();
}

}  // namespace talosmq::group
