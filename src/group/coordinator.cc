#include "group/coordinator.h"

#include "base/status.h"
#include "base/text.h"
#include "group/classic_group.h"
#include "group/native_group.h"
#include "talosmq/error.h"

#include <algorithm>
#include <utility>

namespace talosmq::group {
namespace {

constexpr size_t kGroupBytesMax = 249;

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

void EraseOffsetsIf(const std::string& group, std::map<TopicPartition, CommittedOffset>& offsets,
                    Output& output, const auto& is_over) {
  std::erase_if(offsets, [&](const auto& offset) {
    if (!is_over(offset)) return false;
    output.changes.push_back(
        OffsetChange{.key = {.group = group, .partition = offset.first}, .value = std::nullopt});
    return true;
  });
}

}  // namespace

/// One group: its offsets, and its members under the protocol that they speak.
///
/// Invariant: at most one of the two protocols is there, and has members or had the last one.
struct Coordinator::Group {
  GroupRecord record;  ///< While neither protocol is there.
  std::map<TopicPartition, CommittedOffset> offsets;
  std::unique_ptr<NativeGroup> native;
  std::unique_ptr<ClassicGroup> classic;

  bool has_members() const {
    return (native && !native->is_empty()) || (classic && !classic->is_empty());
  }
  /// Nothing of it is in the log, and nobody is expected back with an id.
  bool is_nothing() const {
    if (classic && classic->next_tick() != absl::InfiniteDuration()) return false;
    return offsets.empty() && !has_members() && current().generation == 0 &&
           current().emptied == absl::UnixEpoch();
  }
  const GroupRecord& current() const {
    return native ? native->record() : classic ? classic->record() : record;
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
            .members = static_cast<int32_t>(members().size())};
  }
};

Coordinator::Coordinator(CoordinatorOptions options, base::Random& random)
    : options_(options), random_(random) {}

Coordinator::~Coordinator() = default;

void Coordinator::Replay(const Change& change) {
  if (const auto* offset = std::get_if<OffsetChange>(&change)) {
    Group& group = groups_[offset->key.group];
    if (offset->value) {
      group.offsets.insert_or_assign(offset->key.partition, *offset->value);
    } else {
      group.offsets.erase(offset->key.partition);
    }
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
  groups_[record.key.group].record = record.value.value_or(GroupRecord());
}

Output Coordinator::Start(Now now, std::shared_ptr<const TopicCatalogue> topics) {
  topics_ = std::move(topics);
  for (auto& [name, members] : replayed_members_) {
    if (members.empty()) continue;
    Group& group = groups_[name];
    const auto replay = [&replayed = members](auto& protocol) {
      for (const auto& [id, member] : replayed) protocol.Replay(id, member);
    };
    if (group.record.kind == GroupKind::kClassic) {
      replay(ClassicOf(name, group));
    } else {
      replay(NativeOf(name, group));
    }
  }
  replayed_members_.clear();
  Output output;
  std::erase_if(groups_, [](const auto& group) { return group.second.is_nothing(); });
  for (auto& [name, group] : groups_) {
    if (group.native) group.native->Start(now, *topics_);
    if (group.classic) group.classic->Start(now);
    SetDeadline(name, group);
  }
  ForgetDeleted(output);
  return output;
}

NativeGroup& Coordinator::NativeOf(const std::string& name, Group& group) {
  if (group.native) return *group.native;
  GroupRecord record = group.current();
  record.kind = GroupKind::kNative;
  group.classic.reset();
  group.native = std::make_unique<NativeGroup>(NativeGroup::Context{
      .group = name, .options = options_, .random = random_, .counts = counts_});
  group.native->Replay(record);
  return *group.native;
}

ClassicGroup& Coordinator::ClassicOf(const std::string& name, Group& group) {
  if (group.classic) return *group.classic;
  GroupRecord record = group.current();
  record.kind = GroupKind::kClassic;
  group.native.reset();
  group.classic = std::make_unique<ClassicGroup>(
      ClassicGroup::Context{.group = name, .options = options_, .random = random_});
  group.classic->Replay(record);
  return *group.classic;
}

absl::StatusOr<Coordinator::Group*> Coordinator::Find(const std::string& name, Now now,
                                                      Output& output) {
  TALOSMQ_RETURN_IF_ERROR(CheckGroupName(name));
  const auto found = groups_.find(name);
  if (found == groups_.end()) return UnknownGroup(name);
  Advance(name, found->second, now, output);
  return &found->second;
}

absl::StatusOr<Coordinator::Group*> Coordinator::FindFor(GroupKind kind, const std::string& name,
                                                         Now now, Output& output) {
  TALOSMQ_RETURN_IF_ERROR(CheckGroupName(name));
  Group& group = groups_[name];
  Advance(name, group, now, output);
  if (group.has_members() && group.current().kind != kind) {
    return MakeError(Reason::kGroupKindMismatch,
                     base::StrCat("the members of group ", name, " speak the ",
                                  kind == GroupKind::kNative ? "classic" : "native",
                                  " protocol; the other one can be used once they have gone"));
  }
  return &group;
}

void Coordinator::Advance(const std::string& name, Group& group, Now now, Output& output) {
  if (group.native) group.native->Advance(now, *topics_, output);
  if (group.classic) group.classic->Tick(now, output);
  SetDeadline(name, group);
}

void Coordinator::SetDeadline(const std::string& name, const Group& group) {
  const absl::Duration due = group.native    ? group.native->next_deadline()
                             : group.classic ? group.classic->next_tick()
                                             : absl::InfiniteDuration();
  if (due == absl::InfiniteDuration()) {
    deadlines_.Clear(name);
  } else {
    deadlines_.Set(name, due);
  }
}

void Coordinator::Settle(const std::string& name) {
  const auto group = groups_.find(name);
  if (group == groups_.end()) return;
  if (group->second.is_nothing()) {
    deadlines_.Clear(name);
    groups_.erase(group);
    return;
  }
  SetDeadline(name, group->second);
}

Output Coordinator::Heartbeat(HeartbeatRequest request, Now now, HeartbeatDone done) {
  Output output;
  const std::string name = request.group;
  const auto group = FindFor(GroupKind::kNative, name, now, output);
  if (!group.ok()) {
    AddReply(output, std::move(done), absl::StatusOr<HeartbeatReply>(group.status()));
    return output;
  }
  NativeOf(name, **group).Heartbeat(std::move(request), now, *topics_, std::move(done), output);
  Settle(name);
  return output;
}

Output Coordinator::Leave(LeaveRequest request, Now now, StatusDone done) {
  Output output;
  const auto group = Find(request.group, now, output);
  absl::Status status = group.status();
  if (status.ok()) {
    status = (*group)->native ? (*group)->native->Leave(request, now, *topics_, output)
                              : UnknownGroup(request.group);
    Settle(request.group);
  }
  AddReply(output, std::move(done), std::move(status));
  return output;
}

absl::Status Coordinator::CheckTarget(const TopicPartition& partition,
                                      const CommittedOffset& value) const {
  const auto name = topics_->name_of.find(partition.topic_id);
  if (name == topics_->name_of.end()) {
    return MakeError(Reason::kUnknownTopicId,
                     base::StrCat("there is no topic ", partition.topic_id.ToString()));
  }
  const int32_t partitions = topics_->by_name.find(name->second)->second.partitions;
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

absl::Status Coordinator::CheckCommitter(const CommitRequest& request, Group& group, Now now) {
  if (group.classic) return group.classic->CheckCommit(request, now);
  if (request.member_id.empty() && group.has_members()) {
    return MakeError(
        Reason::kGroupNotEmpty,
        base::StrCat("group ", request.group, " has members; who is none of them cannot commit"));
  }
  if (!request.member_id.empty() && !group.native) {
    return MakeError(Reason::kUnknownMember,
                     base::StrCat("group ", request.group, " has no member ", request.member_id));
  }
  return absl::OkStatus();
}

Output Coordinator::Commit(CommitRequest request, Now now, CommitDone done) {
  Output output;
  std::vector<absl::Status> outcomes(request.offsets.size());
  absl::Status status = CheckGroupName(request.group);
  Group* group = nullptr;
  if (status.ok()) {
    group = &groups_[request.group];
    Advance(request.group, *group, now, output);
    status = CheckCommitter(request, *group, now);
  }
  for (size_t i = 0; i < request.offsets.size(); ++i) {
    outcomes[i] = status;
    if (status.ok()) outcomes[i] = CommitOne(request, request.offsets[i], *group, now, output);
  }
  if (group != nullptr) Settle(request.group);
  AddReply(output, std::move(done), std::move(outcomes));
  return output;
}

absl::Status Coordinator::CommitOne(const CommitRequest& request, OffsetCommit& commit,
                                    Group& group, Now now, Output& output) {
  TALOSMQ_RETURN_IF_ERROR(CheckTarget(commit.partition, commit.value));
  if (group.native && !request.member_id.empty()) {
    TALOSMQ_RETURN_IF_ERROR(
        group.native->CheckCommit(request.member_id, request.generation, commit.partition));
  }
  if (commit.expected) {
    const auto known = group.offsets.find(commit.partition);
    const Offset found = known == group.offsets.end() ? Offset(-1) : known->second.offset;
    if (found != *commit.expected) {
      return MakeError(Reason::kConflict,
                       base::StrCat("group ", request.group, ", partition ",
                                    commit.partition.ToString(), ": expected committed offset ",
                                    commit.expected->value(), ", found ", found.value()));
    }
  }
  commit.value.committed = now.wall;
  ++counts_.commits;
  SetOffset(request.group, group, commit.partition, std::move(commit.value), output);
  return absl::OkStatus();
}

void Coordinator::SetOffset(const std::string& name, Group& group, const TopicPartition& partition,
                            CommittedOffset value, Output& output) {
  output.changes.push_back(
      OffsetChange{.key = {.group = name, .partition = partition}, .value = value});
  group.offsets.insert_or_assign(partition, std::move(value));
}

Output Coordinator::FetchOffsets(OffsetsRequest request, Now now, OffsetsDone done) {
  Output output;
  const auto group = Find(request.group, now, output);
  absl::StatusOr<Offsets> offsets = Offsets();
  if (ReasonOf(group.status()) == Reason::kInvalidGroup) offsets = group.status();
  if (group.ok()) {
    if (!request.partitions) {
      *offsets = (*group)->offsets;
    } else {
      for (const TopicPartition& partition : *request.partitions) {
        const auto known = (*group)->offsets.find(partition);
        if (known != (*group)->offsets.end()) offsets->insert(*known);
      }
    }
  }
  AddReply(output, std::move(done), std::move(offsets));
  return output;
}

absl::Status Coordinator::CheckReset(const ResetRequest& request, const Group& group) const {
  if (!group.has_members()) return absl::OkStatus();
  const auto refuse = [&](std::string_view what) {
    return MakeError(
        Reason::kGroupNotEmpty,
        base::StrCat("group ", request.group, " has ", group.members().size(), " members", what));
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
  std::vector<absl::Status> outcomes(request.offsets.size());
  absl::Status status = CheckGroupName(request.group);
  if (!status.ok()) {
    std::ranges::fill(outcomes, status);
    AddReply(output, std::move(done), std::move(outcomes));
    return output;
  }
  Group& group = groups_[request.group];
  Advance(request.group, group, now, output);
  status = CheckReset(request, group);
  std::vector<TopicPartition> reset;
  auto outcome = outcomes.begin();
  for (const auto& [partition, offset] : request.offsets) {
    CommittedOffset value{.offset = offset, .committed = now.wall};
    *outcome = status.ok() ? CheckTarget(partition, value) : status;
    if (outcome->ok()) {
      SetOffset(request.group, group, partition, std::move(value), output);
      reset.push_back(partition);
    }
    ++outcome;
  }
  if (group.native) group.native->Reclaim(reset, output);
  Settle(request.group);
  AddReply(output, std::move(done), std::move(outcomes));
  return output;
}

Output Coordinator::Delete(std::string name, Now now, StatusDone done) {
  Output output;
  const auto group = Find(name, now, output);
  absl::Status status = group.status();
  if (status.ok() && (*group)->has_members()) {
    status = MakeError(Reason::kGroupNotEmpty,
                       base::StrCat("group ", name, " has ", (*group)->members().size(),
                                    " members, expected none"));
  }
  if (status.ok()) Erase(name, output);
  AddReply(output, std::move(done), std::move(status));
  return output;
}

void Coordinator::Erase(const std::string& name, Output& output) {
  for (const auto& [partition, value] : groups_.at(name).offsets) {
    output.changes.push_back(
        OffsetChange{.key = {.group = name, .partition = partition}, .value = std::nullopt});
  }
  output.changes.push_back(GroupChange{.key = {.group = name}, .value = std::nullopt});
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
                               .offsets = (*group)->offsets};
  AddReply(output, std::move(done), absl::StatusOr<GroupDescription>(std::move(description)));
  return output;
}

Output Coordinator::Join(ClassicJoinRequest request, Now now, ClassicJoinDone done) {
  Output output;
  const std::string name = request.group;
  const auto group = FindFor(GroupKind::kClassic, name, now, output);
  if (!group.ok()) {
    AddReply(output, std::move(done), ClassicJoinOutcome{.status = group.status(), .reply = {}});
    return output;
  }
  ClassicOf(name, **group).Join(std::move(request), now, std::move(done), output);
  Settle(name);
  return output;
}

Output Coordinator::Sync(ClassicSyncRequest request, Now now, ClassicSyncDone done) {
  Output output;
  const std::string name = request.group;
  const auto group = FindFor(GroupKind::kClassic, name, now, output);
  if (!group.ok()) {
    AddReply(output, std::move(done), absl::StatusOr<ClassicSyncReply>(group.status()));
    return output;
  }
  ClassicOf(name, **group).Sync(std::move(request), now, std::move(done), output);
  Settle(name);
  return output;
}

Output Coordinator::ClassicHeartbeat(ClassicHeartbeatRequest request, Now now, StatusDone done) {
  Output output;
  const std::string name = request.group;
  const auto group = FindFor(GroupKind::kClassic, name, now, output);
  if (!group.ok()) {
    AddReply(output, std::move(done), group.status());
    return output;
  }
  ClassicOf(name, **group).Heartbeat(request, now, std::move(done), output);
  Settle(name);
  return output;
}

Output Coordinator::ClassicLeave(ClassicLeaveRequest request, Now now, ClassicLeaveDone done) {
  Output output;
  const std::string name = request.group;
  const auto group = FindFor(GroupKind::kClassic, name, now, output);
  if (!group.ok()) {
    AddReply(output, std::move(done),
             std::vector<absl::Status>(request.members.size(), group.status()));
    return output;
  }
  ClassicOf(name, **group).Leave(request, now, std::move(done), output);
  Settle(name);
  return output;
}

Output Coordinator::OnTopics(std::shared_ptr<const TopicCatalogue> topics, Now now) {
  topics_ = std::move(topics);
  Output output;
  for (auto& [name, group] : groups_) {
    if (group.native) group.native->OnTopics(*topics_, now, output);
    SetDeadline(name, group);
  }
  ForgetDeleted(output);
  return output;
}

void Coordinator::ForgetDeleted(Output& output) {
  for (auto& [name, group] : groups_) {
    EraseOffsetsIf(name, group.offsets, output, [this](const auto& offset) {
      return topics_->deleted.contains(offset.first.topic_id);
    });
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
  while (const auto due = deadlines_.TakeDue(now.monotonic)) {
    Advance(*due, groups_.at(*due), now, output);
  }
  return output;
}

Output Coordinator::Expire(absl::Time wall) {
  Output output;
  std::vector<std::string> dead;
  for (auto& [name, group] : groups_) {
    if (group.has_members()) continue;
    const absl::Time emptied = group.current().emptied;
    EraseOffsetsIf(name, group.offsets, output, [&](const auto& offset) {
      return std::max(emptied, offset.second.committed) + options_.offsets_retention <= wall;
    });
    if (group.offsets.empty() && emptied + options_.offsets_retention <= wall) {
      dead.push_back(name);
    }
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
    for (const auto& [partition, value] : group.offsets) {
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
    if (!group.offsets.empty()) all.emplace(name, group.offsets);
  }
  return all;
}

int64_t Coordinator::member_count() const {
  int64_t count = 0;
  for (const auto& [name, group] : groups_) count += static_cast<int64_t>(group.members().size());
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
