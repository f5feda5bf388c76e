#pragma once

#include "base/random.h"
#include "group/assignment.h"
#include "group/coordinator_options.h"
#include "group/deadlines.h"
#include "group/group_records.h"
#include "group/group_requests.h"
#include "group/output.h"
#include "group/topic_catalogue.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/time/time.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace talosmq::group {

/// Members that come and go so soon one after the other are dealt their partitions together.
inline constexpr absl::Duration kDealWindow = absl::Milliseconds(50);
/// Heartbeats that nothing has happened to are answered at multiples of this, so that those of many
/// members go out together; each up to this much earlier than it asked for. One that waits for less
/// than twice as long waits for all of it.
inline constexpr absl::Duration kWaitGrid = absl::Milliseconds(100);

/// The members of one group under the native protocol: who is to read what (the target), who still
/// has what (the owners), and how the second becomes the first.
///
/// A partition goes from member to member in three steps: the target names another one; its owner
/// is told an assignment without it, and lets go with its next heartbeat (or its lease ends); the
/// new one, when its heartbeat is at hand, becomes the owner and is told. Nobody else is disturbed.
///
/// Invariants (Check()): a partition has one owner at most, who is a member; a member is assigned
/// only what it owns; an owner since generation G cannot commit with an older one.
/// Confined to its coordinator. docs/groups.md draws it.
class NativeGroup {
 public:
  struct Context {
    std::string group;
    const CoordinatorOptions& options;
    base::Random& random;
    CoordinatorCounts& counts;
  };

  explicit NativeGroup(Context context) : context_(std::move(context)) {}

  /// Before Start: what the log holds.
  void Replay(const GroupRecord& record) { record_ = record; }
  void Replay(const std::string& member, const MemberRecord& record);
  /// Every lease begins anew.
  void Start(Now now, const TopicCatalogue& topics);

  // Events; each leaves its changes and replies in `output`. What is due by then has happened first
  // (Advance).
  void Advance(Now now, const TopicCatalogue& topics, Output& output);
  void Heartbeat(HeartbeatRequest request, Now now, const TopicCatalogue& topics,
                 HeartbeatDone done, Output& output);
  absl::Status Leave(const LeaveRequest& request, Now now, const TopicCatalogue& topics,
                     Output& output);
  void OnTopics(const TopicCatalogue& topics, Now now, Output& output);
  /// The owners of these partitions let go of them and get them again; until then, and with what
  /// they have read before, they cannot commit.
  void Reclaim(const std::vector<TopicPartition>& partitions, Output& output);
  /// The records that wait, for the next assignment.
  void SetLags(std::map<TopicPartition, int64_t> lags) { lags_ = std::move(lags); }
  void Abandon(const absl::Status& why, Output& output);

  /// kUnknownMember; kIllegalGeneration; kNotOwner.
  absl::Status CheckCommit(const std::string& member, int32_t generation,
                           const TopicPartition& partition) const;

  absl::Duration next_deadline() const { return std::min(deadlines_.first(), deal_due_); }
  bool is_empty() const { return members_.empty(); }
  size_t size() const { return members_.size(); }
  GroupState state() const;
  const GroupRecord& record() const { return record_; }
  std::map<std::string, MemberRecord> members() const;
  absl::Status Check() const;

 private:
  /// A heartbeat that waits for something to tell.
  struct Parked {
    HeartbeatDone done;
    absl::Duration until;
    int32_t generation = 0;
  };
  struct Member {
    MemberRecord record;
    std::vector<TopicId> topics = {};         ///< What its subscription comes to.
    std::vector<TopicPartition> target = {};  ///< Ascending.
    absl::Duration lease_end = absl::ZeroDuration();
    uint64_t sequence = 0;
    /// The last answer; nothing: none since Start.
    std::optional<int32_t> told_generation = {};
    std::vector<TopicPartition> told = {};
    std::optional<Parked> parked = {};
  };
  struct Owner {
    std::string member;
    int32_t since = 0;
    Claim claim = Claim::kHeld;
  };
  using Members = std::map<std::string, Member>;

  /// `before`: the one with its instance id.
  absl::Status CheckJoin(const HeartbeatRequest& request, Members::const_iterator before) const;
  /// Makes the member, or gives it the place of the vacant one with its instance id.
  absl::StatusOr<Members::iterator> Join(const HeartbeatRequest& request,
                                         const TopicCatalogue& topics, Output& output);
  Members::iterator WithInstance(const std::string& instance_id);
  /// Takes out the member; its partitions are meant for nobody until the next deal.
  void Erase(Members::iterator member, Output& output);
  void EndOwnership(const Member& member);
  void Subscribe(Member& member, const Subscription& subscription, const TopicCatalogue& topics);
  void Vacate(Members::iterator member, Now now, Output& output);
  void Remove(Members::iterator member, const absl::Status& why, Now now, Output& output);
  void OnDue(Members::iterator member, Now now, Output& output);

  /// Deals all partitions anew and tells whoever listens: at once, or when the last time was
  /// shorter than kDealWindow ago, at its end, so that a thousand members that come together are
  /// dealt once.
  void RebalanceSoon(Now now, const TopicCatalogue& topics, Output& output);
  void Rebalance(Now now, const TopicCatalogue& topics, Output& output);
  /// Whether the target has all partitions of its topics and no others.
  bool IsTargetOf(const TopicCatalogue& topics) const;
  /// Makes the target anew.
  void Deal(const TopicCatalogue& topics);
  /// Takes from the member what it has let go of.
  void Release(const std::string& id, Member& member, const HeartbeatRequest& request,
               Output& output);
  /// Gives the member what is free and its own, and answers its heartbeat when that is news.
  void Deliver(const std::string& id, Member& member, Output& output);
  void DeliverAll(Output& output);
  std::vector<TopicPartition> AssignedTo(const std::string& id, const Member& member) const;
  void Answer(const std::string& id, Member& member, std::vector<TopicPartition> assigned,
              Output& output);
  void Refuse(Member& member, const absl::Status& why, Output& output);
  void SetDeadline(const std::string& id, const Member& member);
  void Record(const std::string& id, const Member& member, Output& output) const;
  /// A generation for what happens in this event, the same for all of it.
  int32_t NewGeneration(Output& output);
  absl::Status UnknownMember(const std::string& id) const;

  const Context context_;
  GroupRecord record_;
  Members members_;
  std::map<TopicPartition, Owner> owners_;
  std::map<TopicPartition, std::string> target_;
  std::map<TopicPartition, int64_t> lags_;
  Deadlines deadlines_;  ///< Of members: the end of the lease or of the wait.
  std::map<std::string, std::string> by_instance_;  ///< Members with an instance id.
  absl::Duration last_deal_ = -absl::InfiniteDuration();
  absl::Duration deal_due_ = absl::InfiniteDuration();  ///< Infinite: the target is up to date.
  bool has_new_generation_ = false;                     ///< In this event.
  int64_t last_joined_ = 0;
};

}  // namespace talosmq::group
