#include "group/classic_group.h"

#include "base/status.h"
#include "base/text.h"
#include "group/classic_replies.h"

#include <algorithm>
#include <utility>

namespace talosmq::group {
namespace {

MemberRecord RecordOf(const ClassicJoinRequest& request) {
  MemberRecord record{.instance_id = request.instance_id,
                      .client_id = request.client_id,
                      .host = request.host,
                      .lease = request.session_timeout,
                      .rebalance_timeout = request.rebalance_timeout > absl::ZeroDuration()
                                               ? request.rebalance_timeout
                                               : request.session_timeout};
  for (const ClassicProtocol& protocol : request.protocols) {
    if (!record.protocols.emplace(protocol.name, protocol.metadata).second) continue;
    record.preference.push_back(protocol.name);
  }
  return record;
}

}  // namespace

ClassicGroup::ClassicGroup(Context context)
    : group_(std::move(context.group)), options_(context.options), random_(context.random) {}

void ClassicGroup::Replay(const std::string& member, const std::optional<MemberRecord>& record) {
  if (record) {
    members_.Put(member, *record);
    next_joined_ = std::max(next_joined_, record->joined + 1);
  } else if (members_.Find(member) != nullptr) {
    members_.Take(member);
  }
}

void ClassicGroup::Start(Now now) {
  if (members_.empty()) return;
  for (const auto& [id, member] : members_) {
    sessions_.Set(id, now.monotonic + member.record.lease);
  }
  state_ = record_.phase == ClassicPhase::kStable ? State::kStable : State::kPreparing;
  if (state_ == State::kPreparing) phase_ends_ = now.monotonic + members_.rebalance_timeout();
}

absl::Status ClassicGroup::Error(Reason reason, std::string_view what) const {
  return MakeError(reason, base::StrCat("group \"", group_, "\": ", what));
}

absl::Status ClassicGroup::CheckJoin(const Joining& joining) const {
  const ClassicJoinRequest& request = joining.request;
  if (request.group.empty()) return MakeError(Reason::kInvalidGroup, "the group has no name");
  if (request.session_timeout < options_.session_timeout_min ||
      request.session_timeout > options_.session_timeout_max) {
    return Error(Reason::kInvalidSessionTimeout,
                 base::StrCat("expected a session timeout of ",
                              absl::FormatDuration(options_.session_timeout_min), " to ",
                              absl::FormatDuration(options_.session_timeout_max), ", found ",
                              absl::FormatDuration(request.session_timeout)));
  }
  const size_t bytes = MemberBytes(request.member_id, joining.record);
  if (bytes + request.protocol_type.size() > kClassicJoinBytesMax) {
    return Error(
        Reason::kInvalidArgument,
        base::StrCat("expected a join of at most ", kClassicJoinBytesMax, " bytes, found ", bytes));
  }
  const std::string replaced =
      request.member_id.empty() ? members_.MemberOf(request.instance_id) : request.member_id;
  const size_t bytes_after = members_.bytes() - members_.BytesOf(replaced) + bytes;
  if (bytes_after > kClassicGroupBytesMax / 2) {
    return Error(Reason::kGroupFull,
                 base::StrCat("expected at most ", kClassicGroupBytesMax / 2,
                              " bytes of protocols of all members, found ", bytes_after));
  }
  if (request.protocol_type.empty() || request.protocols.empty()) {
    return Error(Reason::kInconsistentProtocol,
                 "expected a protocol type and at least one protocol, found none");
  }
  if (joining.record.protocols.contains("")) {
    return Error(Reason::kInconsistentProtocol, "expected protocols with names, found one without");
  }
  if (members_.empty()) return absl::OkStatus();
  if (request.protocol_type != record_.protocol_type) {
    return Error(Reason::kInconsistentProtocol,
                 base::StrCat("expected the protocol type \"", record_.protocol_type,
                              "\", found \"", request.protocol_type, "\""));
  }
  if (!members_.AllHaveOneOf(joining.record.protocols)) {
    return Error(Reason::kInconsistentProtocol,
                 "expected a protocol that all members have, found none");
  }
  return absl::OkStatus();
}

absl::Status ClassicGroup::CheckMember(const std::string& member_id,
                                       const std::string& instance_id) const {
  if (!instance_id.empty()) {
    const std::string owner = members_.MemberOf(instance_id);
    if (!owner.empty() && owner != member_id) {
      return Error(Reason::kMemberFenced,
                   base::StrCat("instance id \"", instance_id, "\" is of member \"", owner,
                                "\", found \"", member_id, "\""));
    }
    if (owner == member_id && !owner.empty()) return absl::OkStatus();
  } else if (members_.Find(member_id) != nullptr) {
    return absl::OkStatus();
  }
  return Error(Reason::kUnknownMember, base::StrCat("has no member \"", member_id, "\""));
}

absl::Status ClassicGroup::CheckGeneration(int32_t generation) const {
  if (generation == record_.generation) return absl::OkStatus();
  return Error(Reason::kIllegalGeneration,
               base::StrCat("expected generation ", record_.generation, ", found ", generation));
}

bool ClassicGroup::HasRoom() const {
  return members_.size() + told_ids_.size() < static_cast<size_t>(options_.members_max);
}

std::string ClassicGroup::NewMemberId(const ClassicJoinRequest& request) {
  const std::string& name = request.instance_id.empty() ? request.client_id : request.instance_id;
  return base::StrCat(name, "-", base::NewTopicId(random_).ToString());
}

void ClassicGroup::Join(ClassicJoinRequest request, Now now, ClassicJoinDone done, Output& output) {
  const Event event{.now = now, .output = output};
  MemberRecord record = RecordOf(request);
  Joining joining{
      .request = std::move(request), .record = std::move(record), .done = std::move(done)};
  if (absl::Status refused = CheckJoin(joining); !refused.ok()) {
    return FailJoin(output, joining.done, joining.request.member_id, refused);
  }
  if (joining.request.member_id.empty()) {
    JoinNew(std::move(joining), event);
  } else {
    JoinKnown(std::move(joining), event);
  }
}

void ClassicGroup::JoinNew(Joining joining, const Event& event) {
  const ClassicJoinRequest& request = joining.request;
  if (const std::string old_id = members_.MemberOf(request.instance_id); !old_id.empty()) {
    return TakeOver(old_id, std::move(joining), event);
  }
  if (!HasRoom()) {
    return FailJoin(event.output, joining.done, "",
                    Error(Reason::kGroupFull,
                          base::StrCat("is full, with ", options_.members_max, " members")));
  }
  const std::string id = NewMemberId(request);
  if (!request.instance_id.empty() || request.first_join == ClassicJoinRequest::FirstJoin::kAdmit) {
    return Admit(id, std::move(joining), event);
  }
  told_ids_.insert(id);
  sessions_.Set(id, event.now.monotonic + request.session_timeout);
  FailJoin(event.output, joining.done, id,
           Error(Reason::kMemberIdRequired, base::StrCat("join again as member \"", id, "\"")));
}

void ClassicGroup::JoinKnown(Joining joining, const Event& event) {
  const std::string id = joining.request.member_id;
  if (joining.request.instance_id.empty() && told_ids_.erase(id) == 1) {
    return Admit(id, std::move(joining), event);
  }
  if (absl::Status refused = CheckMember(id, joining.request.instance_id); !refused.ok()) {
    return FailJoin(event.output, joining.done, id, refused);
  }
  const MemberRecord& known = members_.Find(id)->record;
  const bool is_same =
      known.protocols == joining.record.protocols && known.preference == joining.record.preference;
  const bool is_leader = id == record_.leader;
  // A leader that joins again wants to assign anew.
  if (is_same && (state_ == State::kCompleting || (state_ == State::kStable && !is_leader))) {
    Renew(id, event.now);
    return AddReply(event.output, std::exchange(joining.done, nullptr),
                    ClassicJoinOutcome{.status = absl::OkStatus(), .reply = JoinReply(id)});
  }
  Rejoin(id, std::move(joining), event);
}

void ClassicGroup::Admit(const std::string& id, Joining joining, const Event& event) {
  joining.record.joined = next_joined_++;
  if (members_.empty()) {
    record_.kind = GroupKind::kClassic;
    record_.protocol_type = joining.request.protocol_type;
  }
  WriteMember(id, std::move(joining.record), event);
  members_.Find(id)->is_new = true;
  newcomer_in_wait_ = true;
  sessions_.Set(id, event.now.monotonic + kFirstJoinMax);
  Park(id, std::move(joining.done), event);
}

void ClassicGroup::Rejoin(const std::string& id, Joining joining, const Event& event) {
  const MemberRecord& known = members_.Find(id)->record;
  joining.record.joined = known.joined;
  joining.record.instance_id = known.instance_id;
  joining.record.assignment = known.assignment;
  if (joining.record != known) WriteMember(id, std::move(joining.record), event);
  Park(id, std::move(joining.done), event);
}

void ClassicGroup::Park(const std::string& id, ClassicJoinDone done, const Event& event) {
  if (state_ != State::kPreparing) PrepareRebalance(event);
  ClassicMember& member = *members_.Find(id);
  if (member.join != nullptr) {
    FailJoin(event.output, member.join, id,
             Error(Reason::kConflict,
                   base::StrCat("member \"", id, "\" has joined again since this call")));
    --parked_joins_;
  }
  member.join = std::move(done);
  ++parked_joins_;
  if (!member.is_new) sessions_.Clear(id);
  CompleteJoinIfAllAreThere(event);
}

void ClassicGroup::TakeOver(const std::string& old_id, Joining joining, const Event& event) {
  const std::string id = NewMemberId(joining.request);
  ClassicMember old = members_.Take(old_id);
  sessions_.Clear(old_id);
  const absl::Status fenced =
      Error(Reason::kMemberFenced,
            base::StrCat("instance id \"", joining.request.instance_id, "\" is of member \"", id,
                         "\" now, found \"", old_id, "\""));
  if (old.join != nullptr) {
    FailJoin(event.output, old.join, old_id, fenced);
    --parked_joins_;
  }
  if (old.sync != nullptr) FailSync(event.output, old.sync, fenced);
  event.output.changes.emplace_back(
      MemberChange{.key = {.group = group_, .member = old_id}, .value = std::nullopt});
  const bool is_same = joining.record.protocols == old.record.protocols &&
                       joining.record.preference == old.record.preference;
  joining.record.joined = old.record.joined;
  joining.record.assignment = std::move(old.record.assignment);
  WriteMember(id, std::move(joining.record), event);
  ClassicMember& member = *members_.Find(id);
  member.owes_sync = old.owes_sync;

  const bool is_leader = old_id == record_.leader;
  if (is_leader) {
    record_.leader = id;
    WriteGroup(event);
  }
  if (state_ != State::kStable || (!is_same && members_.Vote() != record_.protocol)) {
    member.is_new = true;
    sessions_.Set(id, event.now.monotonic + kFirstJoinMax);
    return Park(id, std::move(joining.done), event);
  }
  ClassicJoinReply reply = JoinReply(id);
  reply.skips_assignment = is_leader;
  Renew(id, event.now);
  AddReply(event.output, std::exchange(joining.done, nullptr),
           ClassicJoinOutcome{.status = absl::OkStatus(), .reply = std::move(reply)});
}

absl::Status ClassicGroup::CheckSync(const ClassicSyncRequest& request) const {
  TALOSMQ_RETURN_IF_ERROR(CheckMember(request.member_id, request.instance_id));
  TALOSMQ_RETURN_IF_ERROR(CheckGeneration(request.generation));
  const auto check = [this](const std::optional<std::string>& said, const std::string& agreed) {
    if (!said || *said == agreed) return absl::OkStatus();
    return Error(Reason::kInconsistentProtocol,
                 base::StrCat("expected \"", agreed, "\", found \"", *said, "\""));
  };
  TALOSMQ_RETURN_IF_ERROR(check(request.protocol_type, record_.protocol_type));
  if (state_ != State::kPreparing) return check(request.protocol, record_.protocol);
  return Error(Reason::kRebalanceInProgress, "is rebalancing; join again");
}

void ClassicGroup::Sync(ClassicSyncRequest request, Now now, ClassicSyncDone done, Output& output) {
  const Event event{.now = now, .output = output};
  const std::string& id = request.member_id;
  if (absl::Status refused = CheckSync(request); !refused.ok()) {
    if (ReasonOf(refused) == Reason::kRebalanceInProgress) Renew(id, now);
    return FailSync(output, done, refused);
  }
  ClassicMember& member = *members_.Find(id);
  if (member.sync != nullptr) {
    FailSync(output, member.sync,
             Error(Reason::kConflict,
                   base::StrCat("member \"", id, "\" has synced again since this call")));
  }
  member.sync = std::move(done);
  member.owes_sync = false;
  sessions_.Clear(id);
  if (state_ == State::kStable) {
    AnswerSync(id, event);
  } else if (id == record_.leader) {
    if (absl::Status refused = Assign(request.assignments, event); !refused.ok()) {
      FailSync(output, member.sync, refused);
      member.owes_sync = true;
      Renew(id, now);
      return;
    }
  }
}

absl::Status ClassicGroup::Assign(const std::map<std::string, std::string>& assignments,
                                  const Event& event) {
  size_t bytes = members_.bytes();
  for (const auto& [id, assignment] : assignments) bytes += assignment.size();
  if (bytes > kClassicGroupBytesMax) {
    return Error(Reason::kInvalidArgument,
                 base::StrCat("expected at most ", kClassicGroupBytesMax,
                              " bytes of protocols and assignments, found ", bytes));
  }
  state_ = State::kStable;
  record_.phase = ClassicPhase::kStable;
  WriteGroup(event);
  for (auto& [id, member] : members_) {
    const auto assignment = assignments.find(id);
    MemberRecord record = member.record;
    record.assignment = assignment != assignments.end() ? assignment->second : "";
    if (record != member.record) WriteMember(id, std::move(record), event);
    if (member.sync != nullptr) AnswerSync(id, event);
  }
  return absl::OkStatus();
}

void ClassicGroup::Heartbeat(const ClassicHeartbeatRequest& request, Now now, StatusDone done,
                             Output& output) {
  absl::Status status = CheckMember(request.member_id, request.instance_id);
  if (status.ok()) status = CheckGeneration(request.generation);
  if (status.ok()) {
    Renew(request.member_id, now);
    if (state_ == State::kPreparing) {
      status = Error(Reason::kRebalanceInProgress, "is rebalancing; join again");
    }
  }
  AddReply(output, std::exchange(done, nullptr), std::move(status));
}

void ClassicGroup::Leave(const ClassicLeaveRequest& request, Now now, ClassicLeaveDone done,
                         Output& output) {
  const Event event{.now = now, .output = output};
  const size_t members_before = members_.size();
  std::vector<absl::Status> statuses;
  for (const ClassicLeaveRequest::Member& leaver : request.members) {
    statuses.push_back(LeaveOne(leaver, event));
  }
  RebalanceIfBelow(members_before, event);
  AddReply(output, std::exchange(done, nullptr), std::move(statuses));
}

absl::Status ClassicGroup::LeaveOne(const ClassicLeaveRequest::Member& leaver, const Event& event) {
  if (told_ids_.erase(leaver.member_id) == 1) {
    sessions_.Clear(leaver.member_id);
    return absl::OkStatus();
  }
  std::string id = leaver.member_id;
  if (id.empty()) id = members_.MemberOf(leaver.instance_id);
  TALOSMQ_RETURN_IF_ERROR(CheckMember(id, leaver.instance_id));
  Remove(id, event);
  return absl::OkStatus();
}

absl::Status ClassicGroup::CheckCommit(const Committer& committer, Now now) {
  TALOSMQ_RETURN_IF_ERROR(CheckMember(committer.member_id, committer.instance_id));
  TALOSMQ_RETURN_IF_ERROR(CheckGeneration(committer.generation));
  Renew(committer.member_id, now);
  if (state_ != State::kCompleting) return absl::OkStatus();
  return Error(Reason::kRebalanceInProgress,
               base::StrCat("generation ", record_.generation, " has no assignment yet"));
}

GroupState ClassicGroup::state() const {
  switch (state_) {
    case State::kEmpty:
      return GroupState::kEmpty;
    case State::kPreparing:
    case State::kCompleting:
      return GroupState::kRebalancing;
    case State::kStable:
      return GroupState::kStable;
  }
  return GroupState::kEmpty;
}

std::map<std::string, MemberRecord> ClassicGroup::members() const {
  std::map<std::string, MemberRecord> records;
  for (const auto& [id, member] : members_) records.emplace(id, member.record);
  return records;
}

}  // namespace talosmq::group
