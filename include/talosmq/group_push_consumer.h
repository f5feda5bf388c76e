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
#include <string>
#include <vector>

namespace talosmq {

/// Commits how far a processor has come with its partition. Each call waits for the answer and
/// fails as GroupConsumer::CommitSync does. For the partition's thread, within Process and
/// Shutdown.
class Checkpointer {
 public:
  virtual ~Checkpointer() = default;
  /// All that Process was given, that of the call under way included.
  virtual absl::Status Commit() = 0;
  /// `next` is the next offset to process. kInvalidArgument: not above what was committed, or above
  /// what Process was given.
  virtual absl::Status Commit(Offset next) = 0;
};

/// What an application does with the records of one partition of its group. All calls come from one
/// thread, the partition's own, in this order: Init once, Process for each batch, Shutdown once.
/// They may block: that holds back this partition alone, up to poll_interval_max, after which the
/// member leaves the group and loses all its partitions. They must not throw, and must not stop
/// their consumer.
class GroupProcessor {
 public:
  virtual ~GroupProcessor() = default;
  /// `start` is the offset of the first record to come.
  virtual void Init(const NamedPartition& partition, Offset start) = 0;
  /// Records in the order of their offsets. With auto_commit they are committed some time after
  /// this has returned OK. An error ends the partition, and Shutdown is told it: this member
  /// processes no more of it, nor does another one before this one lets go of it or ends.
  virtual absl::Status Process(const RecordBatchView& records, Checkpointer& checkpointer) = 0;
  /// Last call; with auto_commit what was processed is committed after it. OK: the partition goes
  /// to another member, or the consumer stops. kUnknownMember: the lease has ended, and nothing can
  /// be committed. Else as of a Processor.
  virtual void Shutdown(const absl::Status& why, Checkpointer& checkpointer) = 0;
};

using GroupProcessorFactory =
    std::function<std::unique_ptr<GroupProcessor>(const NamedPartition& partition)>;

struct GroupPushConsumerOptions {
  GroupOptions member = {};
  /// Must be set, and must not return null. Runs on a thread of the consumer.
  GroupProcessorFactory new_processor;
  /// Whether what was processed is committed: every commit_interval, every commit_records of a
  /// partition, and when a partition ends. Otherwise that is for the processors to do.
  bool auto_commit = true;
  absl::Duration commit_interval = absl::Seconds(5);  ///< 100 ms to 10 min.
  int64_t commit_records = 10'000;                    ///< 1 to 1,000,000,000.
  /// As of a PushConsumer.
  int64_t partition_bytes = int64_t{4} << 20;
  /// What may be on its way from the servers, all partitions together. 1 MiB to 4 GiB.
  int64_t prefetch_bytes = int64_t{32} << 20;
  OutOfRangePolicy out_of_range = OutOfRangePolicy::kFail;
  OnCorrupt on_corrupt = OnCorrupt::kFail;
  /// On the partition's thread.
  std::function<void(const std::string& topic, const SkippedOffsets& skipped)> on_skipped = {};
  /// The group refuses this member for good: no partition will come any more. Once, on the client's
  /// own thread: must not block.
  std::function<void(const absl::Status& why)> on_failed = {};
};

/// A member of a consumer group that gives each partition it gets to a GroupProcessor.
///
/// 1. Each partition has a thread, on which its records are decoded and processed: a slow processor
///    holds back no other partition, and no heartbeat.
/// 2. A partition passes to another member after its Shutdown and the last commit; or when this
///    member's lease has ended: then no further Process is called, by this process's own clock.
/// 3. With auto_commit every record is processed at least once, also when members die.
/// 4. What is fetched and not yet processed is bounded by partition_bytes for each partition.
///
/// Thread-safe. Lives inside its Client. The destructor stops. After fork() see Client.
class GroupPushConsumer {
 public:
  /// kInvalidArgument naming key, range and value. Joins in the background.
  static absl::StatusOr<std::unique_ptr<GroupPushConsumer>> Create(
      Client& client, GroupPushConsumerOptions options);
  virtual ~GroupPushConsumer() = default;

  /// The clean end: waits for each Process that runs and for every Shutdown, commits, and leaves
  /// the group. A commit lasts at most close_timeout from now on, and so does leaving. Idempotent.
  /// An error: the group has not heard of it and waits for the lease to end. Neither this nor the
  /// destructor within a callback or a processor: they would wait for themselves, and abort.
  virtual absl::Status Stop() = 0;

  /// Of all partitions of this member, by topic and number; `position` is one past the last record
  /// that was processed.
  virtual std::vector<GroupPosition> positions() const = 0;
};

}  // namespace talosmq
