#pragma once

#include "base/executor.h"
#include "base/random.h"
#include "group/coordinator_options.h"
#include "group/deadlines.h"
#include "group/group_records.h"
#include "group/group_requests.h"
#include "group/output.h"
#include "group/topic_catalogue.h"

#include "absl/status/status.h"
#include "absl/time/time.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace talosmq::group {

class ClassicGroup;
class NativeGroup;

/// All groups of one partition of __consumer_offsets: a state machine without threads, clock, log
/// or network. Event and time in, changes and replies out.
///
/// It takes its own changes for done when it gives them out. Who drives it keeps to this:
/// 1. Outputs are appended in their order, each as one batch under one epoch.
/// 2. When an append fails, or the epoch is not the driver's any more, the coordinator is thrown
///    away, what waits in it is answered (Abandon), and another one is made from the committed log.
/// 3. A reply does not leave before everything that was appended up to its output is committed.
/// So no reply ever tells of a change that could be lost (G5), and nobody is given a partition
/// before it is durable that its last owner let go (G6).
///
/// Invariants (Check()): each partition has one owner at most, who is a member; who owns what is in
/// the log before the owner hears of it; leases end by the monotonic clock alone; a member, or
/// nobody, is assigned what another member still owns.
/// Confined to whoever drives it.
class Coordinator {
 public:
  Coordinator(CoordinatorOptions options, base::Random& random);
  Coordinator(const Coordinator&) = delete;
  Coordinator& operator=(const Coordinator&) = delete;
  ~Coordinator();

  /// Before any event: what the log holds, in its order (or its newest change for each key, in any
  /// order), then Start, from which on every lease is counted anew.
  void Replay(const Change& change);
  Output Start(Now now, std::shared_ptr<const TopicCatalogue> topics);

  // Events. Callbacks run inside Output::replies or are kept until they do; each once.
  Output Heartbeat(HeartbeatRequest request, Now now, HeartbeatDone done);
  Output Leave(LeaveRequest request, Now now, StatusDone done);
  Output Commit(CommitRequest request, Now now, CommitDone done);
  Output FetchOffsets(OffsetsRequest request, Now now, OffsetsDone done);
  Output Reset(ResetRequest request, Now now, CommitDone done);
  Output Forget(const ForgetRequest& request, Now now, ForgetDone done);
  Output Delete(std::string group, Now now, StatusDone done);
  Output List(Now now, ListDone done);
  Output Describe(std::string group, Now now, DescribeDone done);

  Output Join(ClassicJoinRequest request, Now now, ClassicJoinDone done);
  Output Sync(ClassicSyncRequest request, Now now, ClassicSyncDone done);
  Output ClassicHeartbeat(ClassicHeartbeatRequest request, Now now, StatusDone done);
  Output ClassicLeave(ClassicLeaveRequest request, Now now, ClassicLeaveDone done);

  /// Topics came, went or grew.
  Output OnTopics(std::shared_ptr<const TopicCatalogue> topics, Now now);
  /// The records that wait, for the assignor that looks at them.
  void OnLags(std::map<std::string, std::map<TopicPartition, int64_t>> by_group);
  /// Time has passed: leases, waits.
  Output Tick(Now now);
  /// When Tick has something to do next, by the monotonic clock; InfiniteDuration: never.
  absl::Duration next_tick() const { return deadlines_.first(); }
  /// Removes offsets whose group had no members for offsets_retention, by a wall clock that the
  /// caller believes.
  Output Expire(absl::Time wall);

  /// Answers everything that waits with `why`. Last call.
  void Abandon(const absl::Status& why);

  std::map<std::string, Offsets> AllOffsets() const;
  int64_t member_count() const;
  const CoordinatorCounts& counts() const { return counts_; }
  /// Everything, as changes that make the same coordinator: what a full replay of the log gives.
  /// For tests and the simulator.
  std::vector<Change> Snapshot() const;
  /// The violated invariant, in words; OK when none is. For tests and the simulator.
  absl::Status Check() const;

 private:
  struct Group;

  /// Its group, made when it is not there.
  Group& GroupOf(const std::string& name);
  // Each begins an event: does all that is due, and lets now.wall not fall behind a time that was
  // believed, since what is written then expires by it. kInvalidGroup.
  absl::StatusOr<Group*> FindOrMake(const std::string& name, Now& now, Output& output);
  /// kUnknownGroup.
  absl::StatusOr<Group*> Find(const std::string& name, Now& now, Output& output);
  /// Makes it; kGroupKindMismatch while members speak the other protocol.
  absl::StatusOr<Group*> FindFor(GroupKind kind, const std::string& name, Now& now, Output& output);
  /// kUnknownMember where nobody speaks the classic protocol.
  absl::StatusOr<ClassicGroup*> FindClassic(const std::string& name, Now& now, Output& output);
  void Advance(const std::string& name, Now& now, Output& output);
  /// Ends an event: sets the deadline; a group that has nothing is none.
  void Settle(const std::string& name);

  NativeGroup& NativeOf(const std::string& name, Group& group);
  ClassicGroup& ClassicOf(const std::string& name, Group& group);
  absl::Status CheckCommitter(const CommitRequest& request, Group& group, Now now);
  absl::Status CommitOne(const CommitRequest& request, const OffsetCommit& commit, Group& group,
                         Output& output);
  absl::Status CheckReset(const ResetRequest& request, const Group& group) const;
  /// The topics that the members of the group read. kGroupNotEmpty: it cannot be known.
  absl::StatusOr<std::set<TopicId>> SubscribedBy(const std::string& name, const Group& group) const;
  void Erase(const std::string& name, Output& output);
  /// The offsets of topics that are deleted go, but for those that went with `forgotten`.
  void ForgetDeleted(const std::set<TopicId>& forgotten, Output& output);

  const CoordinatorOptions options_;
  base::Random& random_;
  std::shared_ptr<const TopicCatalogue> topics_ = std::make_shared<TopicCatalogue>();
  std::map<std::string, Group> groups_;
  Deadlines deadlines_;  ///< Of groups.
  CoordinatorCounts counts_;
  absl::Time believed_wall_ = absl::InfinitePast();  ///< The highest that Expire was given.
  std::map<std::string, std::map<std::string, MemberRecord>> replayed_members_;  ///< Until Start.
};

}  // namespace talosmq::group
