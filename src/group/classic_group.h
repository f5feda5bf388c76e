#pragma once

#include "base/executor.h"
#include "base/random.h"
#include "group/classic_members.h"
#include "group/coordinator_options.h"
#include "group/deadlines.h"
#include "group/group_records.h"
#include "group/group_requests.h"
#include "group/output.h"
#include "talosmq/error.h"

#include "absl/status/status.h"
#include "absl/time/time.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::group {

/// Ids, names and protocols of all members of a classic group may take half of this, and with the
/// assignments all of it; more is refused, so that every batch of changes can be stored.
inline constexpr size_t kClassicGroupBytesMax = 8 << 20;
/// Ids, names and protocols of one join.
inline constexpr size_t kClassicJoinBytesMax = 1 << 20;
/// So long a new member may wait for its first generation; nothing tells whether it still does.
inline constexpr absl::Duration kFirstJoinMax = absl::Minutes(5);

/// One group of the classic protocol of Kafka: its members agree among themselves who reads what.
/// A state machine without threads, clock, log or network.
///
///   Empty --a member joins--> Preparing --all have joined, or time is up--> Completing
///     ^                        |   ^  ^                                        |   |
///     +---- nobody is left ----+   |  +--- a member comes, goes, changes ------+   |
///                                  |                                               |
///                                  +-- the same --- Stable <-- the leader assigns -+
///
/// What must survive is in the log before anybody hears of it: members when they join, each new
/// generation with its protocol and leader, that a rebalance has begun, assignments. After a
/// restart a stable group goes on as it was; one that was rebalancing is Preparing again, in the
/// same generation, and its members rejoin.
///
/// Invariants (Check()): joins wait in Preparing alone, syncs in Completing alone; a group in
/// Completing or Stable has a leader that is a member, and a protocol that all members have; each
/// member is parked or has a session that ends.
/// Confined to whoever drives it. Callbacks run inside Output::replies, each once.
class ClassicGroup {
 public:
  struct Context {
    std::string group;
    const CoordinatorOptions& options;  ///< Outlives the group, and so does `random`.
    base::Random& random;
  };

  explicit ClassicGroup(Context context);

  // Before any event: what the log says of the group, the newest last; then Start, from which on
  // every session is counted anew.
  void Replay(const GroupRecord& record) { record_ = record; }
  void Replay(const std::string& member, const std::optional<MemberRecord>& record);
  void Start(Now now);

  /// kInvalidGroup, kInvalidArgument, kInvalidSessionTimeout, kInconsistentProtocol, kGroupFull,
  /// kMemberIdRequired with the id; kUnknownMember: join as somebody new; kMemberFenced: another
  /// one has the instance id; kConflict: overtaken by a later join of the same member.
  ///
  /// Whoever takes over an instance id in a stable group is answered at once, with skips_assignment
  /// when it is the leader: everybody's assignment stands. Where the protocol cannot say so
  /// (JoinGroup below v9), its front names another leader, and no members.
  void Join(ClassicJoinRequest request, Now now, ClassicJoinDone done, Output& output);
  /// kUnknownMember, kMemberFenced, kIllegalGeneration, kInconsistentProtocol, kConflict,
  /// kInvalidArgument; kRebalanceInProgress: join again.
  void Sync(ClassicSyncRequest request, Now now, ClassicSyncDone done, Output& output);
  /// kUnknownMember, kMemberFenced, kIllegalGeneration; kRebalanceInProgress: join again.
  void Heartbeat(const ClassicHeartbeatRequest& request, Now now, StatusDone done, Output& output);
  /// For each member kUnknownMember or kMemberFenced.
  void Leave(const ClassicLeaveRequest& request, Now now, ClassicLeaveDone done, Output& output);
  /// Whether the member may commit; renews its session. kUnknownMember, kMemberFenced,
  /// kIllegalGeneration; kRebalanceInProgress: the generation has no assignment yet, try again.
  absl::Status CheckCommit(const Committer& committer, Now now);

  /// Time has passed: sessions, and the waits of a rebalance.
  void Tick(Now now, Output& output);
  /// When Tick has something to do next, by the monotonic clock; InfiniteDuration: never. A group
  /// that is empty may be forgotten once it is that: no id that was told waits for its member.
  absl::Duration next_tick() const;

  /// No members. What it has then may become a group of another kind.
  bool is_empty() const { return state_ == State::kEmpty; }
  size_t size() const { return members_.size(); }
  GroupState state() const;
  /// As they are in the log, with what was given out so far.
  const GroupRecord& record() const { return record_; }
  std::map<std::string, MemberRecord> members() const;

  /// Answers everything that waits with `why`. Last call.
  void Abandon(const absl::Status& why, Output& output);

  /// The violated invariant, in words; OK when none is.
  absl::Status Check() const;

 private:
  enum class State { kEmpty, kPreparing, kCompleting, kStable };
  struct Event {
    Now now;
    Output& output;
  };
  struct Joining {
    ClassicJoinRequest request;
    MemberRecord record;  ///< What the request says.
    ClassicJoinDone done;
  };

  // classic_group.cc: what members ask.
  absl::Status CheckJoin(const Joining& joining) const;
  absl::Status CheckMember(const std::string& member_id, const std::string& instance_id) const;
  absl::Status CheckGeneration(int32_t generation) const;
  absl::Status CheckSync(const ClassicSyncRequest& request) const;
  void JoinNew(Joining joining, const Event& event);
  void JoinKnown(Joining joining, const Event& event);
  void Admit(const std::string& id, Joining joining, const Event& event);
  void Rejoin(const std::string& id, Joining joining, const Event& event);
  void TakeOver(const std::string& old_id, Joining joining, const Event& event);
  void Park(const std::string& id, ClassicJoinDone done, const Event& event);
  absl::Status Assign(const std::map<std::string, std::string>& assignments, const Event& event);
  absl::Status LeaveOne(const ClassicLeaveRequest::Member& leaver, const Event& event);
  bool HasRoom() const;
  std::string NewMemberId(const ClassicJoinRequest& request);
  absl::Status Error(Reason reason, std::string_view what) const;

  // classic_rebalance.cc: what follows.
  void PrepareRebalance(const Event& event);
  void CompleteJoinIfAllAreThere(const Event& event);
  void CompleteJoin(const Event& event);
  void BecomeEmpty(const Event& event);
  void BeginGeneration(const Event& event);
  void OnPhaseDeadline(const Event& event);
  void RemoveWhoOwesSync(const Event& event);
  void Remove(const std::string& id, const Event& event);
  /// After members, or ids that were told, have gone.
  void RebalanceIfBelow(size_t members_before, const Event& event);
  void ElectLeader();
  void Renew(const std::string& id, Now now);
  void WriteGroup(const Event& event);
  void WriteMember(const std::string& id, MemberRecord record, const Event& event);
  void AnswerJoin(const std::string& id, const Event& event);
  void AnswerSync(const std::string& id, const Event& event);
  ClassicJoinReply JoinReply(const std::string& id) const;

  const std::string group_;
  const CoordinatorOptions& options_;
  base::Random& random_;

  State state_ = State::kEmpty;
  GroupRecord record_;
  ClassicMembers members_;
  size_t parked_joins_ = 0;
  int64_t next_joined_ = 1;
  std::set<std::string> told_ids_;  ///< Whose members have not joined with them yet.
  Deadlines sessions_;              ///< Of members that are not parked, new ones, and told ids.
  /// Preparing: who has not joined is dropped then. Later: who still owes its sync is.
  absl::Duration phase_ends_ = absl::InfiniteDuration();
  /// The first members of an empty group wait for others: how much longer they may. Nothing: an
  /// ordinary rebalance.
  std::optional<absl::Duration> initial_wait_left_;
  bool newcomer_in_wait_ = false;
};

}  // namespace talosmq::group
