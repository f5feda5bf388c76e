#pragma once

#include "talosmq/client.h"
#include "talosmq/ids.h"
#include "talosmq/record.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace talosmq {

/// Where to begin: the log's start, its end, an offset, or the first record at or after a time.
struct AtStart {};
struct AtEnd {};
using Position = std::variant<AtStart, AtEnd, Offset, absl::Time>;

/// What to do when a position lies outside of the log.
enum class OutOfRangePolicy { kFail, kStart, kEnd };

/// What to do with records that cannot be read: those of offsets that the server refuses because
/// their bytes are damaged, or of a batch whose CRC is right and whose inside cannot be read.
enum class OnCorrupt { kFail, kSkip };

/// Offsets [first, next) of one partition that were left out under OnCorrupt::kSkip.
struct SkippedOffsets {
  PartitionId partition;
  Offset first;
  Offset next;       ///< Where reading goes on.
  absl::Status why;  ///< kCorruptData: what is damaged.
};

struct ConsumerOptions {
  /// What may be fetched ahead, all partitions together. 1 MiB to 4 GiB.
  int64_t prefetch_bytes = int64_t{32} << 20;
  OutOfRangePolicy out_of_range = OutOfRangePolicy::kFail;
  OnCorrupt on_corrupt = OnCorrupt::kFail;
  /// Offsets were left out. Runs inside of Poll, or on the partition's thread of a PushConsumer.
  std::function<void(const SkippedOffsets& skipped)> on_skipped = {};
  /// The topic has more partitions now, as partition_count() tells already; within metadata_age_max
  /// of the change. Runs on the client's own thread (shared by all that was made from the Client):
  /// must not block and must not call the consumer, but may tell the polling thread to.
  std::function<void(int32_t partition_count)> on_partitions_added = {};
  /// The topic was deleted: a topic made later under the same name is another one. Runs once, on
  /// the client's own thread, under the same rules; Poll tells each assigned partition's end.
  std::function<void(const absl::Status& why)> on_topic_deleted = {};
};

/// Records of one partition from one batch, in order; owns the bytes they view (ref-counted: a copy
/// shares them and keeps them alive). Records below the asked position are left out already.
class RecordBatchView {
 public:
  RecordBatchView(TopicPartition source, std::vector<ConsumedRecord> records,
                  std::shared_ptr<const void> owner)
      : source_(source), records_(std::move(records)), owner_(std::move(owner)) {}

  PartitionId partition() const { return source_.partition; }
  const std::vector<ConsumedRecord>& records() const { return records_; }

 private:
  TopicPartition source_;
  std::vector<ConsumedRecord> records_;
  std::shared_ptr<const void> owner_;
};

/// What one Poll brought: batches of any of the assigned partitions, each partition's in order.
struct PolledRecords {
  std::vector<RecordBatchView> batches;
  bool empty() const { return batches.empty(); }
};

/// How far reading a partition has come.
struct PartitionPosition {
  PartitionId partition;
  Offset position;        ///< Of the next record that Poll returns.
  Offset high_watermark;  ///< As last heard; 0 before the first answer.
};

/// Reads partitions of one topic that the application chose: the topic that had the name when the
/// consumer was made.
///
/// 1. Records of a partition come in the order of their offsets, each once, from where it was told
///    to begin; across lost connections and new leaders, too.
/// 2. What is fetched ahead is about prefetch_bytes, whether or not anybody polls, and nothing of a
///    paused partition.
/// 3. Positions are the application's to keep: nothing is stored on the server.
///
/// Thread-compatible: one thread polls, and calls the rest. partition_count() is thread-safe. Lives
/// inside its Client; the batches it gave live longer. No callback runs once the destructor has
/// returned, which is not for a callback to call. After fork() see Client.
class Consumer {
 public:
  /// kInvalidArgument naming key, range and value; kUnknownTopic. Nothing is assigned yet.
  static absl::StatusOr<std::unique_ptr<Consumer>> Create(Client& client, std::string topic,
                                                          ConsumerOptions options);
  virtual ~Consumer() = default;

  /// As last heard; grows within metadata_age_max after partitions were added.
  virtual int32_t partition_count() const = 0;

  // Calls that name a position ask the server where a start, an end or a time is, and fail as
  // FindOffset does, with nothing changed. kUnknownPartition: beyond partition_count();
  // kInvalidArgument: not assigned, or assigned already.

  /// Reads these partitions, and no others, each from `from`.
  virtual absl::Status Assign(const std::vector<PartitionId>& partitions, Position from) = 0;
  /// Reads one more partition; the others go on undisturbed.
  virtual absl::Status Add(PartitionId partition, Position from) = 0;
  /// Reads a partition no more; what was fetched ahead of it is dropped.
  virtual absl::Status Remove(PartitionId partition) = 0;
  /// Moves one assigned partition; what was fetched ahead of it is dropped. A paused one stays so.
  virtual absl::Status Seek(PartitionId partition, Position to) = 0;
  /// Poll returns nothing of this partition until Resume, which goes on at its position. What was
  /// fetched ahead of it is dropped, and fetched again then. Pausing what is paused changes
  /// nothing.
  virtual absl::Status Pause(PartitionId partition) = 0;
  virtual absl::Status Resume(PartitionId partition) = 0;

  /// What has come, about 1 MiB of it at most, or waits up to `wait` for the first records; empty
  /// when none came.
  /// kOffsetOutOfRange, kCorruptData and kUnknownTopicId (deleted) name partition and offset. Each
  /// is told by one Poll, after the records that came before it; the partition stays where it is
  /// until a Seek, the others go on. Lost connections and new leaders are dealt with silently.
  virtual absl::StatusOr<PolledRecords> Poll(absl::Duration wait) = 0;

  /// Of all assigned partitions, by ascending number.
  virtual std::vector<PartitionPosition> positions() const = 0;
  /// Records left out under OnCorrupt::kSkip, as far as headers tell; of what the server refuses,
  /// the offsets.
  virtual int64_t skipped_records() const = 0;
  /// Where a position of one partition is now; an Offset is its own answer, unchecked. Of a time:
  /// the first record stamped at or after it, the end when there is none. Asks again while that may
  /// help, up to request_timeout; then the server's reason.
  virtual absl::StatusOr<Offset> FindOffset(PartitionId partition, Position position) = 0;
};

}  // namespace talosmq
