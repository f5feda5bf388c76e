#pragma once

#include "storage/checkpoint.h"
#include "talosmq/ids.h"

#include <cstdint>
#include <optional>
#include <span>

namespace talosmq::storage {

/// What is known of a segment before it is read.
struct SegmentFacts {
  Offset base;
  /// Where the sound entries of its index end; base and 0 without any. An entry is written only
  /// after the bytes under it were durable, so it proves them.
  Offset indexed_end;
  uint64_t indexed_position = 0;
};

/// From where a log is read when it is opened, and how what is found there is to be judged.
struct RecoveryPlan {
  size_t first_segment = 0;  ///< Index of the first segment to read; their number: none.
  Offset first_offset;       ///< And where in it: a batch begins here.
  uint64_t first_position = 0;
  /// Everything below was durable, so damage below is corruption and stays.
  FlushedPoint flushed;
  /// Nothing was recorded although something was flushed: also above `flushed` a broken batch with
  /// whole batches behind it, however near, is corruption, not a torn tail.
  bool is_careful = false;
  bool is_segment_missing = false;  ///< The segment that holds the flushed point is gone.
};

/// Pure. `segments` ascend and are not empty. `recorded` is what the checkpoint says: nothing when
/// it does not name the log.
///
/// Examples, with one segment at 0 and its index up to offset 70:
///   recorded end 90  -> reads from 70; damage below 90 is corruption, above it may be a torn tail
///   recorded end 50  -> flushed is raised to 70
///   nothing recorded -> flushed is 70: a log too young for a checkpoint; with two segments
///                       it cannot be that young, so the plan is careful
RecoveryPlan PlanRecovery(std::span<const SegmentFacts> segments,
                          const std::optional<FlushedPoint>& recorded);

/// Where reading a segment stopped.
struct ScanStop {
  Offset segment;
  std::optional<Offset> next_segment;
  Offset offset;          ///< End of the last batch that fits.
  uint64_t position = 0;  ///< The same in bytes.
  bool is_file_end = false;
  bool is_unreadable = false;  ///< The disk gave an error, which no torn write leaves.
};

enum class StopKind {
  kSegmentEnd,  ///< The next segment goes on here; the rest is preallocated space.
  kLogEnd,      ///< The file ends with its last batch.
  kCorruption,  ///< Something that was durable is damaged; it stays, and reading goes on behind it.
  /// In the last segment above the flushed point: corruption if whole batches follow that the group
  /// which was torn cannot have written, else a torn tail, which was never acknowledged.
  kUnclear,
};

/// Pure: what it means that no fitting batch stands there. Only the last segment can have a torn
/// tail: a segment is begun when the one before it is complete and synced (DirectFlush,
/// DeferredFlush).
StopKind JudgeStop(const RecoveryPlan& plan, const ScanStop& stop);

}  // namespace talosmq::storage
