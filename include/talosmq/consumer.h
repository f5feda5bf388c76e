#pragma once

#include "talosmq/client.h"
#include "talosmq/ids.h"
#include "talosmq/record.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstdint>
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

/// What to do with a batch whose CRC is right and whose inside cannot be read.
enum class OnCorrupt { kFail, kSkip };

struct ConsumerOptions {
  /// What may be fetched ahead, all partitions together. 1 MiB to 4 GiB.
  int64_t prefetch_bytes = int64_t{32} << 20;
  OutOfRangePolicy out_of_range = OutOfRangePolicy::kFail;
  OnCorrupt on_corrupt = OnCorrupt::kFail;
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

struct PolledRecords {
  std::vector<RecordBatchView> batches;
  bool empty() const { return batches.empty(); }
};

struct PartitionPosition {
  PartitionId partition;
  Offset position;        ///< Of the next record that Poll returns.
  Offset high_watermark;  ///< As last heard; 0 before the first answer.
};

/// Reads partitions of one topic that the application chose. Thread-compatible: one thread polls.
/// Lives inside its Client.
class Consumer {
 public:
  static absl::StatusOr<std::unique_ptr<Consumer>> Create(Client& client, std::string topic,
                                                          ConsumerOptions options);
  virtual ~Consumer() = default;

  virtual int32_t partition_count() const = 0;

  /// Reads these partitions, and no others, each from `from`. Resolves starts, ends and times.
  virtual absl::Status Assign(const std::vector<PartitionId>& partitions, Position from) = 0;
  /// Moves one assigned partition; what was fetched ahead of it is dropped.
  virtual absl::Status Seek(PartitionId partition, Position to) = 0;

  /// What has come, about 1 MiB of it at most, or waits up to `wait` for the first records; empty
  /// when none came.
  /// kOffsetOutOfRange, kCorruptData and kUnknownTopicId (deleted) name partition and offset. Each
  /// is told by one Poll, after the records that came before it; the partition stays where it is
  /// until a Seek, the others go on. Lost connections and new leaders are dealt with silently.
  virtual absl::StatusOr<PolledRecords> Poll(absl::Duration wait) = 0;

  virtual std::vector<PartitionPosition> positions() const = 0;
  /// Records left out under OnCorrupt::kSkip, as far as headers tell.
  virtual int64_t skipped_records() const = 0;
  /// kStart and kEnd of one partition as the broker has them now.
  virtual absl::StatusOr<Offset> FindOffset(PartitionId partition, Position position) = 0;
};

}  // namespace talosmq
