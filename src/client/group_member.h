#pragma once

#include "client/client_core.h"
#include "client/group_calls.h"
#include "talosmq/group.h"
#include "talosmq/ids.h"
#include "talosmq/v1/consumer.pb.h"

#include "absl/status/status.h"
#include "absl/time/time.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace talosmq::client {

/// Who works on what a member is given. Called on the client's executor.
class GroupMemberListener {
 public:
  using Partitions = std::vector<TopicPartition>;

  virtual ~GroupMemberListener() = default;
  /// May be worked on from now on. Of each partition: not before it was released.
  virtual void OnAssigned(const Partitions& partitions) = 0;
  /// To be let go of: finish, commit, GroupMember::Release. Nobody else gets them before.
  virtual void OnRevoked(const Partitions& partitions) = 0;
  /// Others may have them already: stop at once, commit nothing, GroupMember::Release. Also those
  /// that were revoked and not yet released.
  virtual void OnLost(const Partitions& partitions, const absl::Status& why) = 0;
  /// Last call: the group refuses the member for good.
  virtual void OnFailed(const absl::Status& why) = 0;
};

/// One member of a group under the native protocol: joins, renews its lease, and learns by the same
/// call what it may work on.
///
/// Invariants:
/// 1. One heartbeat counts, the last one sent; the answer of one that was overtaken is not applied.
/// 2. What it reports as its own is all that was assigned and not yet released.
/// 3. Its lease is counted by the monotonic clock from when the heartbeat that renewed it was sent;
///    when it ends unrenewed, everything is lost, and the member joins anew.
/// 4. The group hears that a partition is let go of, or that the member leaves, after the commits
///    that were made before.
/// Confined to the client's executor, but for IsLive(), which is thread-safe. Shared by the facade
/// and the callbacks under way; lives inside its ClientCore.
class GroupMember final : public std::enable_shared_from_this<GroupMember> {
 public:
  GroupMember(ClientCore& core, GroupOptions options, std::weak_ptr<GroupMemberListener> listener);

  void Start();
  void Subscribe(GroupSubscription subscription);
  /// The listener has let go of them; the group hears it once the commits before it have ended.
  void Release(const std::vector<TopicPartition>& partitions);
  /// As the member that it is now, see CommitOffsets; behind the commits before it, and no longer
  /// than request_timeout from this call. kOverloaded for each when too many wait. kUnknownMember:
  /// lost, and not yet released, or the lease ends meanwhile; kNotOwner: never assigned, or
  /// released.
  void Commit(std::vector<OffsetCommit> commits, CommitDone done);
  /// Instead of request_timeout, for commits that wait, those to come, and Leave.
  void SetTimeout(absl::Duration timeout);
  /// Leaves the group, which loses everything, until Return; for a member whose application hangs.
  void StayAway(const absl::Status& why);
  void Return();
  /// Tells the group, once and after the commits before it, that the member lets go of everything,
  /// and closes. A static member's partitions wait for it. OK when the group has no such member any
  /// more; kDeadlineExceeded: no answer within the timeout.
  void Leave(base::Callback<absl::Status> done);
  /// Sends and tells nothing more, but kClosed to whoever waits for a commit; the group learns it
  /// when the lease ends.
  void Close();

  /// Whether the lease runs: what was assigned and not lost may be worked on. Once it was false,
  /// everything is lost: whoever has stopped for it need not look again.
  bool IsLive() const;
  const std::string& id() const { return id_; }
  int32_t generation() const { return generation_; }

 private:
  using Partitions = std::set<TopicPartition>;

  /// Sends a heartbeat from a task of its own, so that changes made in one go share it.
  void BeatSoon();
  void BeatAfter(absl::Duration pause);
  void Beat();
  v1::HeartbeatRequest MakeHeartbeat(absl::Duration wait) const;
  void OnAnswer(uint64_t sequence, absl::Duration sent,
                const absl::StatusOr<v1::HeartbeatResponse>& response);
  void OnReply(absl::Duration sent, const v1::HeartbeatResponse& reply);
  void OnRefused(const absl::Status& why);
  void Assign(Partitions assigned);
  void OnLeaseTimer();
  /// False, and nothing changed: too late, or somebody has been told that the lease is over.
  bool RenewLease(absl::Duration end);
  void TellTrouble(const absl::Status& why);
  void Lose(const absl::Status& why);
  void Fail(const absl::Status& why);
  void ReleaseNow(const std::vector<TopicPartition>& partitions);
  void CallLeave(v1::LeaveGroupRequest request, base::Callback<absl::Status> done);
  void SendLeave(absl::Duration deadline, base::Callback<absl::Status> done);
  /// Runs it when the commits before it have ended.
  void AfterCommits(base::Task task);
  void CommitNext();
  void OnCommitted(std::vector<absl::Status> outcomes);
  void ArmCommitTimer();
  void EndCommits(const absl::Status& why);
  absl::Status TooLate() const;
  absl::Status CheckCommit(const TopicPartition& partition) const;

  static constexpr int64_t kEnded = 0;
  static constexpr size_t kCommitsMax = 1000;
  struct PendingCommit {
    GroupIdentity identity = {};
    std::vector<OffsetCommit> commits = {};  ///< None: `done` has only waited for its turn.
    absl::Duration deadline = {};            ///< By the monotonic clock; ascending.
    CommitDone done = {};
  };

  ClientCore& core_;
  GroupOptions options_;
  const std::weak_ptr<GroupMemberListener> listener_;
  const std::string id_;
  int32_t generation_ = 0;  ///< 0: not joined.
  uint64_t sequence_ = 0;   ///< Of the last heartbeat sent.
  int failures_ = 0;        ///< Since the last answer.
  /// Joins, or was refused, perhaps in one instant with many: the next wait is shortened by a
  /// random part of up to a half, or they would beat in the same instants for ever.
  bool may_be_in_step_ = true;
  absl::Duration failing_since_ = absl::ZeroDuration();
  absl::Duration next_warning_ = absl::ZeroDuration();
  std::optional<absl::Duration> in_use_since_;  ///< Told kInstanceInUse, and no answer since.
  uint64_t subscription_number_ = 1;
  uint64_t subscription_known_ = 0;  ///< The last that the group has taken.
  uint64_t subscription_sent_ = 0;   ///< That of the last heartbeat.
  Partitions assigned_;              ///< As the last answer says.
  Partitions held_;                  ///< Told as assigned, and neither revoked nor lost.
  Partitions letting_go_;            ///< Told as revoked or lost, and not released.
  Partitions lost_;                  ///< Of letting_go_.
  /// Monotonic; kEnded: over, and no answer to a heartbeat of before renews it.
  mutable std::atomic<int64_t> lease_end_ns_{kEnded};
  base::TimerId lease_timer_ = base::TimerId::kNone;
  base::TimerId beat_timer_ = base::TimerId::kNone;
  absl::Duration timeout_;
  std::deque<PendingCommit> commits_;
  bool is_committing_ = false;  ///< Somebody goes on with commits_.
  EndCommit end_commit_;        ///< Set: the first one is under way.
  base::TimerId commit_timer_ = base::TimerId::kNone;
  bool is_beat_posted_ = false;
  bool is_away_ = false;
  bool is_closed_ = false;
};

}  // namespace talosmq::client
