#pragma once

#include "talosmq/client.h"
#include "talosmq/consumer.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace talosmq {

/// What an application does with the records of one partition. All calls come from one thread, the
/// partition's own, in this order: Init once, Process for each batch, Shutdown once. They may block
/// as long as they like: that holds back this partition alone. They must not throw, and must not
/// add or remove partitions or stop their consumer.
class Processor {
 public:
  virtual ~Processor() = default;
  /// `start` is the offset of the first record to come.
  virtual void Init(PartitionId partition, Offset start) = 0;
  /// Records in the order of their offsets, the same never twice. An error ends the partition:
  /// nothing more is processed, and Shutdown is told it.
  virtual absl::Status Process(const RecordBatchView& records) = 0;
  /// Last call. OK: the application asked for the end. Else why there is nothing more to process:
  /// the error of Process, kOffsetOutOfRange, kCorruptData, kUnknownTopicId (deleted).
  virtual void Shutdown(const absl::Status& why) = 0;
};

/// Makes the processor of a partition; runs on the thread that adds it.
using ProcessorFactory = std::function<std::unique_ptr<Processor>(PartitionId partition)>;

struct PushConsumerOptions {
  ProcessorFactory new_processor;  ///< Must be set.
  /// What may wait for one processor, as it was fetched; then no more of that partition is fetched
  /// until half of it is processed. One answer of the server, usually 1 MiB, may come on top.
  /// 64 KiB to 1 GiB.
  int64_t partition_bytes = int64_t{4} << 20;
  /// As of a Consumer, but that prefetch_bytes is what may be on its way from the servers.
  ConsumerOptions consumer = {};
};

/// Gives each partition that the application adds to a Processor of its own.
///
/// 1. Each partition has a thread, on which its records are decoded and processed: a slow processor
///    holds back no other partition.
/// 2. What is fetched and not yet processed is bounded by partition_bytes for each partition.
/// 3. Positions are the application's to keep: a processor sees the offsets of its records.
///
/// Thread-safe. Lives inside its Client. The destructor stops. When the process dies, what was
/// processed since the application last kept its positions is processed again. After fork() see
/// Client.
class PushConsumer {
 public:
  /// kInvalidArgument naming key, range and value; kUnknownTopic.
  static absl::StatusOr<std::unique_ptr<PushConsumer>> Create(Client& client, std::string topic,
                                                              PushConsumerOptions options);
  virtual ~PushConsumer() = default;

  /// As last heard; grows within metadata_age_max after partitions were added.
  virtual int32_t partition_count() const = 0;

  /// Begins to process a partition from a position, which is looked up first: fails as
  /// Consumer::FindOffset does. kUnknownPartition; kInvalidArgument: added already, also when it
  /// has ended and was not removed; kClosed.
  virtual absl::Status Add(PartitionId partition, Position from) = 0;
  /// Ends a partition: waits for the Process that runs, throws away what waits, and returns after
  /// Shutdown. kInvalidArgument: not added.
  virtual absl::Status Remove(PartitionId partition) = 0;
  /// Removes all partitions, side by side, and refuses new ones. Idempotent.
  virtual void Stop() = 0;

  /// Of all partitions that were added, by ascending number; `position` is one past the last record
  /// that was processed.
  virtual std::vector<PartitionPosition> positions() const = 0;
};

}  // namespace talosmq
