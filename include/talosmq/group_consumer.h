#pragma once

#include "talosmq/client.h"
#include "talosmq/consumer.h"
#include "talosmq/group.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace talosmq {

using PartitionsCallback = std::function<void(const std::vector<NamedPartition>& partitions)>;

struct GroupConsumerOptions {
  GroupOptions member = {};
  /// Whether Poll commits what the Poll before it returned, every auto_commit_interval, before
  /// partitions are let go of, and at Close. Otherwise committing is the application's business.
  bool auto_commit = true;
  absl::Duration auto_commit_interval = absl::Seconds(5);  ///< 100 ms to 10 min.
  /// What may be fetched ahead, all partitions together. 1 MiB to 4 GiB.
  int64_t prefetch_bytes = int64_t{32} << 20;
  OutOfRangePolicy out_of_range = OutOfRangePolicy::kFail;
  OnCorrupt on_corrupt = OnCorrupt::kFail;
  std::function<void(const std::string& topic, const SkippedOffsets& skipped)> on_skipped = {};

  // All run inside of Poll, on_revoked also inside of Close, and may call the consumer, but for
  // Poll and Close, which fail there with kInvalidArgument.

  /// These are read from now on: may Seek or Pause them before anything is fetched.
  PartitionsCallback on_assigned = {};
  /// These are let go of once this returns, and another member goes on where the group has
  /// committed: may finish what was polled of them, and commit it.
  PartitionsCallback on_revoked = {};
  /// The lease has ended: others may have these already, and nothing of them can be committed.
  PartitionsCallback on_lost = {};
};

/// A batch of a partition that the group reads.
struct GroupBatch {
  NamedPartition partition;
  RecordBatchView records;
};

struct PolledGroupRecords {
  std::vector<GroupBatch> batches;
  bool empty() const { return batches.empty(); }
};

/// Told how a commit ended.
using CommitCallback = std::function<void(const absl::Status& status)>;

/// A member of a consumer group that reads in a loop of the application's own: the partitions of
/// all topics that the group subscribes to are shared among its members, and what is committed is
/// kept by the cluster.
///
/// 1. A partition is read by one member at a time. It passes on only after on_revoked has returned,
///    or when this member's lease has ended; then Poll returns nothing more of it, by this
///    process's own clock.
/// 2. With auto_commit every record is processed at least once, also when members die: a record is
///    committed only by a Poll, or Close, that comes after the Poll that returned it.
/// 3. Heartbeats go on whether or not anybody polls. But partitions are let go of inside of Poll
///    only; a member that does not poll for poll_interval_max leaves, the next Poll tells on_lost,
///    and nothing from before can be committed.
/// 4. What is fetched ahead is about prefetch_bytes.
///
/// Thread-compatible: one thread polls, and calls the rest. Lives inside its Client; the batches it
/// gave live longer. The destructor leaves the group without committing, within 1 s. When the
/// process dies, the others go on at what was committed, one lease later. After fork() see Client.
class GroupConsumer {
 public:
  /// kInvalidArgument naming key, range and value. Joins in the background; what the group says
  /// about that, Poll tells.
  static absl::StatusOr<std::unique_ptr<GroupConsumer>> Create(Client& client,
                                                               GroupConsumerOptions options);
  virtual ~GroupConsumer() = default;

  /// Instead of the subscription so far.
  virtual absl::Status Subscribe(GroupSubscription subscription) = 0;

  /// What has come, about 1 MiB of it at most, or waits up to `wait` for the first records; empty
  /// when none came. Commits, lets go of partitions and takes new ones first; that may take up to
  /// request_timeout when the coordinator of the group cannot be reached.
  /// Errors of one partition as of Consumer::Poll. kInvalidArgument, kGroupFull,
  /// kGroupKindMismatch, kInconsistentProtocol, kInstanceInUse (for two leases), ...: the group
  /// refuses this member for good, which every later Poll tells, too. While it cannot join for
  /// another reason, it tries again, and logs a warning at once and every 30 s. kInvalidArgument
  /// also within a callback, as of Close.
  virtual absl::StatusOr<PolledGroupRecords> Poll(absl::Duration wait) = 0;

  // kNotOwner: not a partition of this member (any more).

  /// See Consumer::Seek. What is polled from there is committed as any other.
  virtual absl::Status Seek(const NamedPartition& partition, Position to) = 0;
  virtual absl::Status Pause(const NamedPartition& partition) = 0;
  virtual absl::Status Resume(const NamedPartition& partition) = 0;

  // Commits are made one after the other. Each ends within request_timeout (kDeadlineExceeded), or
  // with the lease: kUnknownMember. kNotOwner, kIllegalGeneration, kUnknownMember: the
  // partition has gone to another member; kConflict: not what was expected; kMaybeStored: an
  // expected offset was given, and the answer was lost. What fails for now is tried again until
  // then. Partitions are let go of after the commits that were made before. An error is that of the
  // first partition that failed; others may be committed.

  /// Commits all that was polled, of every partition.
  virtual absl::Status CommitSync() = 0;
  /// Commits these; each partition at most once.
  virtual absl::Status CommitSync(const std::vector<OffsetToCommit>& offsets) = 0;
  /// The same, in the background. `done` may be empty; it runs once, on the client's own thread, at
  /// the latest when the consumer is closed or destroyed (kClosed), and must not block. kOverloaded
  /// at once, when 1,000 commits wait.
  virtual void CommitAsync(CommitCallback done) = 0;
  virtual void CommitAsync(const std::vector<OffsetToCommit>& offsets, CommitCallback done) = 0;

  /// Of all partitions of this member, by topic and number.
  virtual std::vector<GroupPosition> positions() const = 0;
  /// Of a partition of this member: the next record that Poll returns.
  virtual absl::StatusOr<Offset> position(const NamedPartition& partition) const = 0;
  /// What the group has committed of a partition of this member; nothing: never.
  virtual absl::StatusOr<std::optional<CommittedOffset>> Committed(
      const NamedPartition& partition) = 0;
  virtual int64_t skipped_records() const = 0;

  /// The clean end: commits what was polled (with auto_commit), calls on_revoked for everything,
  /// waits for every commit under way, and leaves the group, so that others go on at once: all that
  /// within close_timeout, what on_revoked does but for its commits not counted. An error tells
  /// what was not committed, or that the group has not heard of it (kDeadlineExceeded: in time) and
  /// waits for the lease to end. Every CommitCallback has run when it returns. Later calls but the
  /// destructor fail with kClosed.
  virtual absl::Status Close() = 0;
};

}  // namespace talosmq
