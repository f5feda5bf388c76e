#include "group/coordinator.h"

#include "base/status.h"
#include "base/text.h"
#include "group/classic_group.h"
#include "group/consumer_subscription.h"
#include "group/group_offsets.h"
#include "group/native_group.h"
#include "group/topic_patterns.h"
#include "talosmq/error.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace talosmq::group {
namespace {

constexpr size_t kGroupBytesMax = 249;
constexpr std::string_view kConsumerType = "consumer";

absl::Status CheckGroupName(std::string_view group) {
  if (!group.empty() && group.size() <= kGroupBytesMax) return absl::OkStatus();
  return MakeError(Reason::kInvalidGroup,
                   base::StrCat("expected a group name of 1 to ", kGroupBytesMax, " bytes, found ",
                                group.size(), " bytes: ", base::Printable(group, 50)));
}

absl::Status UnknownGroup(const std::string& group) {
  return MakeError(Reason::kUnknownGroup,
                   base::StrCat("there is no group ", base::Printable(group, kGroupBytesMax)));
}

absl::Status UnknownMember(const std::string& group, const std::string& member) {
  return MakeError(Reason::kUnknownMember,
                   base::StrCat("group ", base::Printable(group, kGroupBytesMax), " has no member ",
                                base::Printable(member, 100)));
}

}  // namespace

/// One group: its offsets, and its members under the protocol that they speak.
///
/// Invariant, between events: at most one of the two protocols is there; the native one has
/// members, the classic one members or ids that were told.
struct Coordinator::Group {
  explicit Group(const std::string& name) : offsets(name) {}

  GroupRecord record;  ///< While neither protocol is there.
  GroupOffsets offsets;
  std::unique_ptr<NativeGroup> native;
  std::unique_ptr<ClassicGroup> classic;

  size_t size() const { return native ? native->size() : classic ? classic->size() : 0; }
  /// Nobody is expected back with an id either.
  bool is_idle() const { return !native && !classic; }
  /// Nothing of it is in the log, and nobody is expected.
  bool is_nothing() const { return is_idle() && offsets.empty() && record == GroupRecord(); }
  const GroupRecord& current() const {
    return native ? native->record() : classic ? classic->record() : record;
  }
  std::string protocol_type() const {
    switch (current().kind) {
      case GroupKind::kNone:
        break;
      case GroupKind::kNative:
        return std::string(kConsumerType);
      case GroupKind::kClassic:
        return current().protocol_type;
    }
    return {};
  }
  std::map<std::string, MemberRecord> members() const {
    if (native) return native->members();
    if (classic) return classic->members();
    return {};
  }
  GroupSummary Summarize(const std::string& name) const {
    return {.group = name,
            .kind = current().kind,
            .state = native    ? native->state()
                     : classic ? classic->state()
                               : GroupState::kEmpty,
            .members = static_cast<int32_t>(size()),
            .protocol_type = protocol_type()};
  }
  absl::Duration next_deadline() const {
    return native    ? native->next_deadline()
           : classic ? classic->next_tick()
                     : absl::InfiniteDuration();
  }
  /// Ends an event: who was admitted decides the protocol, and one that nobody speaks goes.
  void Settle() {
    if (native && native->is_empty()) {
      record = native->record();
      native.reset();
    }
    if (native) classic.reset();
    if (classic && classic->next_tick() == absl::InfiniteDuration()) {
      record = classic->record();
      classic.reset();
    }
  }
};

Coordinator::Coordinator(CoordinatorOptions options, base::Random& random)
    : options_(options), random_(random) {}

Coordinator::~Coordinator() = default;

void Coordinator::Replay(const Change& change) {
  if (const auto* offset = std::get_if<OffsetChange>(&change)) {
    GroupOf(offset->key.group).offsets.Replay(offset->key.partition, offset->value);
    return;
  }
  if (const auto* member = std::get_if<MemberChange>(&change)) {
    auto& members = replayed_members_[member->key.group];
    if (member->value) {
      members.insert_or_assign(member->key.member, *member->value);
    } else {
      members.erase(member->key.member);
    }
    return;
  }
  const auto& record = std::get<GroupChange>(change);
  GroupOf(record.key.group).record = record.value.value_or(GroupRecord());
}

Output Coordinator::Start(Now now, std::shared_ptr<const TopicCatalogue> topics) {
  topics_ = std::move(topics);
  for (auto& [name, members] : replayed_members_) {
    if (members.empty()) continue;
    Group& group = GroupOf(name);
    const auto replay = [&replayed = members](auto& protocol) {
      for (const auto& [id, member] : replayed) protocol.Replay(id, member);
    };
    if (group.record.kind == GroupKind::kClassic) {
      replay(ClassicOf(name, group));
      group.classic->Start(now);
    } else {
      replay(NativeOf(name, group));
      group.native->Start(now, *topics_);
    }
  }
  replayed_members_.clear();
  Output output;
  for (auto next = groups_.begin(); next != groups_.end();) Settle(std::string((next++)->first));
  ForgetDeleted({}, output);
  return output;
}

Coordinator::Group& Coordinator::GroupOf(const std::string& name) {
  return groups_.try_emplace(name, name).first->second;
}

NativeGroup& Coordinator::NativeOf(const std::string& name, Group& group) {
  if (group.native) return *group.native;
  auto native = std::make_unique<NativeGroup>(NativeGroup::Context{
      .group = name, .options = options_, .random = random_, .counts = counts_});
  native->Replay(group.current());
  group.native = std::move(native);
  return *group.native;
}

ClassicGroup& Coordinator::ClassicOf(const std::string& name, Group& group) {
  if (group.classic) return *group.classic;
  auto classic = std::make_unique<ClassicGroup>(
      ClassicGroup::Context{.group = name, .options = options_, .random = random_});
  classic->Replay(group.current());
  group.classic = std::move(classic);
  return *group.classic;
}

absl::StatusOr<Coordinator::Group*> Coordinator::Find(const std::string& name, Now& now,
                                                      Output& output) {
  TALOSMQ_RETURN_IF_ERROR(CheckGroupName(name));
  Advance(name, now, output);
  const auto found = groups_.find(name);
  if (found == groups_.end()) return UnknownGroup(name);
  return &found->second;
}

absl::StatusOr<Coordinator::Group*> Coordinator::FindOrMake(const std::string& name, Now& now,
                                                            Output& output) {
  TALOSMQ_RETURN_IF_ERROR(CheckGroupName(name));
  Advance(name, now, output);
  return &GroupOf(name);
}

absl::StatusOr<Coordinator::Group*> Coordinator::FindFor(GroupKind kind, const std::string& name,
                                                         Now& now, Output& output) {
  TALOSMQ_ASSIGN_OR_RETURN(Group* const group, FindOrMake(name, now, output));
  if (group->size() > 0 && group->current().kind != kind) {
    return MakeError(Reason::kGroupKindMismatch,
                     base::StrCat("the members of group ", name, " speak the ",
                                  kind == GroupKind::kNative ? "classic" : "native",
                                  " protocol; the other one can be used once they have gone"));
  }
  return group;
}

absl::StatusOr<ClassicGroup*> Coordinator::FindClassic(const std::string& name, Now& now,
                                                       Output& output) {
  const auto group = Find(name, now, output);
  if (ReasonOf(group.status()) == Reason::kInvalidGroup) return group.status();
  if (!group.ok() || !(*group)->classic) {
    return MakeError(Reason::kUnknownMember,
                     base::StrCat("group ", base::Printable(name, kGroupBytesMax),
                                  " has no members of the classic protocol"));
  }
  return (*group)->classic.get();
}

void Coordinator::Advance(const std::string& name, Now& now, Output& output) {
  now.wall = std::max(now.wall, believed_wall_);
  const auto group = groups_.find(name);
  if (group == groups_.end()) return;
  if (group->second.native) group->second.native->Advance(now, *topics_, output);
  if (group->second.classic) group->second.classic->Tick(now, output);
  Settle(name);
}

void Coordinator::Settle(const std::string& name) {
  const auto group = groups_.find(name);
  if (group == groups_.end()) return;
  group->second.Settle();
  const absl::Duration due = group->second.next_deadline();
  if (due == absl::InfiniteDuration()) {
    deadlines_.Clear(name);
  } else {
    deadlines_.Set(name, due);
  }
  if (group->second.is_nothing()) groups_.erase(group);
}

Output Coordinator::Heartbeat(HeartbeatRequest request, Now now, HeartbeatDone done) {
  Output output;
  const std::string name = request.group;
  const auto group = FindFor(GroupKind::kNative, name, now, output);
  if (group.ok()) {
    NativeOf(name, **group).Heartbeat(std::move(request), now, *topics_, std::move(done), output);
    Settle(name);
  } else {
    AddReply(output, std::move(done), absl::StatusOr<HeartbeatReply>(group.status()));
  }
  return output;
}

Output Coordinator::Leave(LeaveRequest request, Now now, StatusDone done) {
  Output output;
  const auto group = Find(request.group, now, output);
  absl::Status status = group.status();
  if (status.ok()) {
    status = (*group)->native ? (*group)->native->Leave(request, now, *topics_, output)
                              : UnknownMember(request.group, request.member_id);
    Settle(request.group);
  }
  AddReply(output, std::move(done), std::move(status));
  return output;
}

absl::Status Coordinator::CheckCommitter(const CommitRequest& request, Group& group, Now now) {
  if (!request.committer) {
    if (group.size() == 0) return absl::OkStatus();
    return MakeError(
        Reason::kGroupNotEmpty,
        base::StrCat("group ", request.group, " has members; who is none of them cannot commit"));
  }
  if (group.native) return absl::OkStatus();  // Each partition has an owner.
  if (group.classic) return group.classic->CheckCommit(*request.committer, now);
  if (group.record.generation > 0) {
    return UnknownMember(request.group, request.committer->member_id);
  }
  return MakeError(Reason::kIllegalGeneration,
                   base::StrCat("group ", request.group, " never had members, found generation ",
                                request.committer->generation));
}

Output Coordinator::Commit(CommitRequest request, Now now, CommitDone done) {
  Output output;
  std::vector<absl::Status> outcomes(request.offsets.size());
  const auto group = FindOrMake(request.group, now, output);
  absl::Status status = group.status();
  if (status.ok()) {
    // As in Kafka, whoever says that it is in no generation is nobody to a group without members.
    const bool is_nobody = request.committer && request.committer->generation < 0;
    if (is_nobody && (*group)->size() == 0) request.committer.reset();
    status = CheckCommitter(request, **group, now);
  }
  for (size_t i = 0; i < request.offsets.size(); ++i) {
    outcomes[i] = status;
    if (!status.ok()) continue;
    request.offsets[i].value.committed = now.wall;
    outcomes[i] = CommitOne(request, request.offsets[i], **group, output);
  }
  if (group.ok()) Settle(request.group);
  AddReply(output, std::move(done), std::move(outcomes));
  return output;
}

absl::Status Coordinator::CommitOne(const CommitRequest& request, const OffsetCommit& commit,
                                    Group& group, Output& output) {
  TALOSMQ_RETURN_IF_ERROR(CheckTarget(commit.partition, commit.value, *topics_));
  if (group.native) {
    TALOSMQ_RETURN_IF_ERROR(group.native->CheckCommit(
        request.committer->member_id, request.committer->generation, commit.partition));
  }
  TALOSMQ_RETURN_IF_ERROR(group.offsets.Commit(commit, output));
  ++counts_.commits;
  return absl::OkStatus();
}

Output Coordinator::FetchOffsets(OffsetsRequest request, Now now, OffsetsDone done) {
  Output output;
  const auto group = Find(request.group, now, output);
  absl::StatusOr<Offsets> offsets = Offsets();
  if (ReasonOf(group.status()) == Reason::kInvalidGroup) offsets = group.status();
  if (group.ok()) {
    const GroupOffsets& known = (*group)->offsets;
    offsets = request.partitions ? known.Of(*request.partitions) : known.all();
  }
  AddReply(output, std::move(done), std::move(offsets));
  return output;
}

absl::Status Coordinator::CheckReset(const ResetRequest& request, const Group& group) const {
  if (group.size() == 0) return absl::OkStatus();
  const auto refuse = [&](std::string_view what) {
    return MakeError(Reason::kGroupNotEmpty, base::StrCat("group ", request.group, " has ",
                                                          group.size(), " members", what));
  };
  if (request.while_live == ResetRequest::WhileLive::kRefuse) {
    return refuse(", expected none for a reset that is not forced");
  }
  if (group.classic) {
    return refuse(" of the classic protocol, from whom partitions cannot be taken back; stop them");
  }
  return absl::OkStatus();
}

Output Coordinator::Reset(ResetRequest request, Now now, CommitDone done) {
  Output output;
  std::vector<absl::Status> outcomes;
  const auto group = FindOrMake(request.group, now, output);
  const absl::Status status = group.ok() ? CheckReset(request, **group) : group.status();
  std::vector<TopicPartition> reset;
  for (const auto& [partition, offset] : request.offsets) {
    CommittedOffset value{.offset = offset, .committed = now.wall};
    outcomes.push_back(status.ok() ? CheckTarget(partition, value, *topics_) : status);
    if (!outcomes.back().ok()) continue;
    (*group)->offsets.Set(partition, std::move(value), output);
    reset.push_back(partition);
  }
  if (!reset.empty() && (*group)->native) (*group)->native->Reclaim(reset, output);
  if (group.ok()) Settle(request.group);
  AddReply(output, std::move(done), std::move(outcomes));
  return output;
}

absl::StatusOr<std::set<TopicId>> Coordinator::SubscribedBy(const std::string& name,
                                                            const Group& group) const {
  std::set<TopicId> subscribed;
  for (const auto& [id, member] : group.members()) {
    if (group.native) {
      for (const TopicId& topic : SubscribedTopics(member.topics, member.patterns, *topics_)) {
        subscribed.insert(topic);
      }
      continue;
    }
    const auto metadata = member.protocols.find(group.current().protocol);
    const auto topics =
        metadata == member.protocols.end() ? std::nullopt : TopicsOfConsumer(metadata->second);
    if (group.current().protocol_type != kConsumerType || !topics) {
      return MakeError(Reason::kGroupNotEmpty,
                       base::StrCat("group ", name, " has members, who do not say what they read"));
    }
    for (const std::string& topic : *topics) {
      const auto known = topics_->by_name.find(topic);
      if (known != topics_->by_name.end()) subscribed.insert(known->second.id);
    }
  }
  return subscribed;
}

Output Coordinator::Forget(const ForgetRequest& request, Now now, ForgetDone done) {
  Output output;
  const auto group = Find(request.group, now, output);
  const absl::StatusOr<std::set<TopicId>> subscribed =
      group.ok() ? SubscribedBy(request.group, **group) : group.status();
  if (!subscribed.ok()) {
    AddReply(output, std::move(done),
             absl::StatusOr<std::vector<absl::Status>>(subscribed.status()));
    return output;
  }
  std::vector<absl::Status> outcomes;
  for (const TopicPartition& partition : request.partitions) {
    absl::Status& outcome = outcomes.emplace_back();
    if (subscribed->contains(partition.topic_id)) {
      outcome = MakeError(Reason::kGroupNotEmpty,
                          base::StrCat("members of group ", request.group, " subscribe to topic ",
                                       partition.topic_id.ToString()));
    } else {
      (*group)->offsets.Forget(partition, output);
    }
  }
  Settle(request.group);
  AddReply(output, std::move(done), absl::StatusOr<std::vector<absl::Status>>(std::move(outcomes)));
  return output;
}

Output Coordinator::Delete(std::string name, Now now, StatusDone done) {
  Output output;
  const auto group = Find(name, now, output);
  absl::Status status = group.status();
  if (status.ok() && (*group)->size() > 0) {
    status = MakeError(
        Reason::kGroupNotEmpty,
        base::StrCat("group ", name, " has ", (*group)->size(), " members, expected none"));
  }
  if (status.ok()) Erase(name, output);
  AddReply(output, std::move(done), std::move(status));
  return output;
}

void Coordinator::Erase(const std::string& name, Output& output) {
  Group& group = groups_.at(name);
  group.offsets.Clear(output);
  if (group.current() != GroupRecord()) {
    output.changes.push_back(GroupChange{.key = {.group = name}, .value = std::nullopt});
  }
  deadlines_.Clear(name);
  groups_.erase(name);
}

Output Coordinator::List(Now now, ListDone done) {
  Output output = Tick(now);
  std::vector<GroupSummary> summaries;
  for (const auto& [name, group] : groups_) {
    summaries.push_back(group.Summarize(name));
  }
  AddReply(output, std::move(done),
           absl::StatusOr<std::vector<GroupSummary>>(std::move(summaries)));
  return output;
}

Output Coordinator::Describe(std::string name, Now now, DescribeDone done) {
  Output output;
  const auto group = Find(name, now, output);
  if (!group.ok()) {
    AddReply(output, std::move(done), absl::StatusOr<GroupDescription>(group.status()));
    return output;
  }
  GroupDescription description{.summary = (*group)->Summarize(name),
                               .record = (*group)->current(),
                               .members = (*group)->members(),
                               .offsets = (*group)->offsets.all()};
  AddReply(output, std::move(done), absl::StatusOr<GroupDescription>(std::move(description)));
  return output;
}

Output Coordinator::Join(ClassicJoinRequest request, Now now, ClassicJoinDone done) {
  Output output;
  const std::string name = request.group;
  const auto group = FindFor(GroupKind::kClassic, name, now, output);
  if (group.ok()) {
    ClassicOf(name, **group).Join(std::move(request), now, std::move(done), output);
    Settle(name);
  } else {
    AddReply(output, std::move(done), ClassicJoinOutcome{.status = group.status(), .reply = {}});
  }
  return output;
}

Output Coordinator::Sync(ClassicSyncRequest request, Now now, ClassicSyncDone done) {
  Output output;
  const std::string name = request.group;
  const auto group = FindClassic(name, now, output);
  if (group.ok()) {
    (*group)->Sync(std::move(request), now, std::move(done), output);
    Settle(name);
  } else {
    AddReply(output, std::move(done), absl::StatusOr<ClassicSyncReply>(group.status()));
  }
  return output;
}

Output Coordinator::ClassicHeartbeat(ClassicHeartbeatRequest request, Now now, StatusDone done) {
  Output output;
  const auto group = FindClassic(request.group, now, output);
  if (group.ok()) {
    (*group)->Heartbeat(request, now, std::move(done), output);
    Settle(request.group);
  } else {
    AddReply(output, std::move(done), group.status());
  }
  return output;
}

Output Coordinator::ClassicLeave(ClassicLeaveRequest request, Now now, ClassicLeaveDone done) {
  Output output;
  const auto group = FindClassic(request.group, now, output);
  if (group.ok()) {
    (*group)->Leave(request, now, std::move(done), output);
    Settle(request.group);
  } else {
    AddReply(output, std::move(done),
             std::vector<absl::Status>(request.members.size(), group.status()));
  }
  return output;
}

Output Coordinator::OnTopics(std::shared_ptr<const TopicCatalogue> topics, Now now) {
  const std::shared_ptr<const TopicCatalogue> before = std::exchange(topics_, std::move(topics));
  now.wall = std::max(now.wall, believed_wall_);
  Output output;
  for (auto next = groups_.begin(); next != groups_.end();) {
    const auto group = next++;
    if (!group->second.native) continue;
    group->second.native->OnTopics(*topics_, now, output);
    Settle(std::string(group->first));
  }
  ForgetDeleted(before->deleted, output);
  return output;
}

void Coordinator::ForgetDeleted(const std::set<TopicId>& forgotten, Output& output) {
  std::vector<TopicId> deleted;
  std::ranges::set_difference(topics_->deleted, forgotten, std::back_inserter(deleted));
  if (deleted.empty()) return;
  for (auto next = groups_.begin(); next != groups_.end();) {
    const auto group = next++;
    for (const TopicId& topic : deleted) group->second.offsets.Forget(topic, output);
    Settle(std::string(group->first));
  }
}

void Coordinator::OnLags(std::map<std::string, std::map<TopicPartition, int64_t>> by_group) {
  for (auto& [name, lags] : by_group) {
    const auto group = groups_.find(name);
    if (group != groups_.end() && group->second.native) {
      group->second.native->SetLags(std::move(lags));
    }
  }
}

Output Coordinator::Tick(Now now) {
  Output output;
  while (const auto due = deadlines_.TakeDue(now.monotonic)) Advance(*due, now, output);
  return output;
}

Output Coordinator::Expire(absl::Time wall) {
  believed_wall_ = std::max(believed_wall_, wall);
  const absl::Time until = wall - options_.offsets_retention;
  Output output;
  std::vector<std::string> dead;
  for (auto& [name, group] : groups_) {
    if (!group.is_idle() || group.record.emptied > until) continue;
    group.offsets.Expire(until, output);
    if (group.offsets.empty()) dead.push_back(name);
  }
  for (const std::string& name : dead) Erase(name, output);
  return output;
}

void Coordinator::Abandon(const absl::Status& why) {
  Output output;
  for (auto& [name, group] : groups_) {
    if (group.native) group.native->Abandon(why, output);
    if (group.classic) group.classic->Abandon(why, output);
  }
  groups_.clear();
  for (PendingReply& reply : output.replies) reply(why);
}

std::vector<Change> Coordinator::Snapshot() const {
  std::vector<Change> changes;
  for (const auto& [name, group] : groups_) {
    for (const auto& [partition, value] : group.offsets.all()) {
      changes.push_back(
          OffsetChange{.key = {.group = name, .partition = partition}, .value = value});
    }
    for (const auto& [id, member] : group.members()) {
      changes.push_back(MemberChange{.key = {.group = name, .member = id}, .value = member});
    }
    if (group.current() != GroupRecord()) {
      changes.push_back(GroupChange{.key = {.group = name}, .value = group.current()});
    }
  }
  return changes;
}

std::map<std::string, Offsets> Coordinator::AllOffsets() const {
  std::map<std::string, Offsets> all;
  for (const auto& [name, group] : groups_) {
    if (!group.offsets.empty()) all.emplace(name, group.offsets.all());
  }
  return all;
}

int64_t Coordinator::member_count() const {
  int64_t count = 0;
  for (const auto& [name, group] : groups_) count += static_cast<int64_t>(group.size());
  return count;
}

absl::Status Coordinator::Check() const {
  for (const auto& [name, group] : groups_) {
    if (group.native) TALOSMQ_RETURN_IF_ERROR(group.native->Check());
    if (group.classic) TALOSMQ_RETURN_IF_ERROR(group.classic->Check());
  }
  return absl::OkStatus();
}

}  // namespace talosmq::group
