#pragma once

#include "base/bytes.h"
#include "storage/checkpointer.h"
#include "storage/flush_target.h"

#include "absl/container/flat_hash_map.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

namespace talosmq::storage {

/// One batch on its way to the disk.
struct QueuedBatch {
  std::shared_ptr<LogFiles> files;
  Offset segment;
  uint64_t position = 0;
  base::Buffer batch;  ///< Empty: the segment is to be begun.
  Offset end_offset;
  std::vector<EpochEntry> epochs;            ///< That began right before this batch.
  std::optional<ProducerSnapshot> snapshot;  ///< Of all that lies below this batch.
};

/// The batches that wait for a flush group, by log.
///
/// Invariants:
/// 1. Batches of one log leave in the order they came.
/// 2. Logs take turns, so that one with much to write holds no other back: whatever waits at the
///    front of a log is in the next group, unless more than a group's worth of logs wait.
/// 3. Logs that had nothing waiting before come first, but for at most half a group, so that one
///    that writes now and then does not queue behind those that always have more.
/// Thread-compatible. Empty when destroyed, but for batches of fenced logs.
class FlushQueue {
 public:
  /// What one log gives in one turn, and at least one batch.
  static constexpr int64_t kTurnBytes = int64_t{1} << 20;

  void Push(QueuedBatch batch);
  /// As many batches as fit `bytes_max`, and at least one. Those of fenced logs are dropped: their
  /// listeners have heard of it. On the flush executor.
  std::vector<QueuedBatch> TakeGroup(int64_t bytes_max);
  bool empty() const { return logs_.empty(); }
  size_t logs() const { return logs_.size(); }
  /// Of all batches that wait.
  int64_t bytes() const { return bytes_; }

 private:
  /// A group that is being taken.
  struct Group {
    std::vector<QueuedBatch> batches;
    int64_t bytes = 0;
  };
  /// Lets the logs of `from` take turns while the group is below `bytes_max`; those that have more
  /// go to the back of `back`.
  void TakeTurns(std::deque<LogFiles*>& from, int64_t bytes_max, Group& group,
                 std::deque<LogFiles*>& back);
  /// Moves one turn of the log to `group`; false when nothing of it is left.
  static bool TakeTurn(std::deque<QueuedBatch>& log, int64_t room, Group& group);

  absl::flat_hash_map<LogFiles*, std::deque<QueuedBatch>> logs_;
  int64_t bytes_ = 0;
  // Together exactly the keys of logs_, the next one first.
  std::deque<LogFiles*> arrivals_;  ///< Since the last group.
  std::deque<LogFiles*> turns_;
};

}  // namespace talosmq::storage
