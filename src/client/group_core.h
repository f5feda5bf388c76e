#pragma once

#include "client/client_core.h"
#include "client/group_calls.h"
#include "client/group_member.h"
#include "client/metadata_cache.h"
#include "talosmq/group.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::client {

/// A partition that may be read, and from where.
struct GroupStart {
  TopicImagePtr topic;
  TopicPartition partition;
  Offset offset;
  std::optional<Offset> committed;
};

/// As nanoseconds of an infinite busy_since().
inline constexpr int64_t kNotBusy = std::numeric_limits<int64_t>::max();
inline absl::Duration BusySince(int64_t since_ns) {
  return since_ns == kNotBusy ? absl::InfiniteDuration() : absl::Nanoseconds(since_ns);
}

/// Who reads what a member is given; the rules of GroupMemberListener hold. Called on the executor.
class GroupCoreListener {
 public:
  virtual ~GroupCoreListener() = default;
  virtual void OnStarted(std::vector<GroupStart> started) = 0;
  virtual void OnRevoked(const std::vector<TopicPartition>& partitions) = 0;
  virtual void OnLost(const std::vector<TopicPartition>& partitions, const absl::Status& why) = 0;
  virtual void OnFailed(const absl::Status& why) = 0;
  /// Since when the application works on what it was given, or on a callback, by the monotonic
  /// clock; infinite: it does not.
  virtual absl::Duration busy_since() const = 0;
};

/// A member of a group that knows where to begin: finds out the start of each partition that it is
/// assigned, for as long as that takes, before anybody hears of it.
///
/// Invariant: a start that would be another one when asked for later (the end, a time) is committed
/// before anybody hears of it, unless the group has committed something: who takes over from a
/// member that died before its first commit begins there as well.
/// Confined to the client's executor, but for IsLive() and clock(), which are thread-safe. Shared
/// by the facade and the callbacks under way; lives inside its ClientCore.
class GroupCore final : public GroupMemberListener, public std::enable_shared_from_this<GroupCore> {
 public:
  static std::shared_ptr<GroupCore> Create(ClientCore& core, const GroupOptions& options,
                                           std::weak_ptr<GroupCoreListener> listener);

  void Start();
  /// Leaves the group when the application is busy for longer than poll_interval_max, and returns
  /// when it is not. Looks by itself every quarter of that.
  void CheckPresence();
  void Subscribe(GroupSubscription subscription) { member_->Subscribe(std::move(subscription)); }
  void Release(const std::vector<TopicPartition>& partitions) { member_->Release(partitions); }
  void Commit(std::vector<OffsetCommit> commits, CommitDone done) {
    member_->Commit(std::move(commits), std::move(done));
  }
  void SetTimeout(absl::Duration timeout) { member_->SetTimeout(timeout); }
  /// Closes, and tells the group.
  void Leave(base::Callback<absl::Status> done);
  /// Tells nobody anything more.
  void Close();
  bool IsLive() const { return member_->IsLive(); }
  const base::Clock& clock() const { return core_.clock(); }

  void OnAssigned(const std::vector<TopicPartition>& partitions) override;
  void OnRevoked(const std::vector<TopicPartition>& partitions) override;
  void OnLost(const std::vector<TopicPartition>& partitions, const absl::Status& why) override;
  void OnFailed(const absl::Status& why) override;

 private:
  /// Partitions of one topic on their way from "assigned" to "started".
  struct Lookup {
    TopicId topic;
    std::vector<PartitionId> partitions;
    int failures = 0;
  };
  /// A start that has only to be asked for; then its position is an offset.
  struct Wanted {
    PartitionId partition;
    Position position;
    std::optional<Offset> committed;
  };

  GroupCore(ClientCore& core, const GroupOptions& options,
            std::weak_ptr<GroupCoreListener> listener);
  void WatchPresence();
  void FindTopic(uint64_t number);
  void FindCommitted(uint64_t number, const TopicImagePtr& topic);
  void FindStarts(uint64_t number, const TopicImagePtr& topic, const CommittedOffsets& committed);
  void OnStarts(uint64_t number, const TopicImagePtr& topic, std::vector<Wanted> wanted,
                const std::vector<Offset>& starts);
  void Tell(uint64_t number, const TopicImagePtr& topic, const std::vector<Wanted>& wanted);
  Wanted WantedStart(const TopicImage& topic, PartitionId partition,
                     const CommittedOffsets& committed) const;
  void TryLater(uint64_t number, const absl::Status& why);
  /// Ends the lookups of these and releases them; returns the others, of which somebody has heard.
  std::vector<TopicPartition> ForgetLookups(const std::vector<TopicPartition>& partitions);

  ClientCore& core_;
  const std::string group_;
  const StartOptions start_;
  const absl::Duration poll_interval_max_;
  const std::weak_ptr<GroupCoreListener> listener_;
  std::shared_ptr<GroupMember> member_;
  std::map<uint64_t, Lookup> lookups_;
  uint64_t last_lookup_ = 0;
  std::map<TopicPartition, Offset> begun_;  ///< Where it began with each partition it ever had.
};

}  // namespace talosmq::client
