#pragma once

#include "io/file_system.h"
#include "record/batch.h"
#include "storage/corruption.h"
#include "storage/flush_target.h"
#include "storage/log_folder.h"
#include "storage/partition_log.h"
#include "storage/recovery_plan.h"
#include "storage/segment_index.h"

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace talosmq::storage {

/// A segment that was read.
struct ScannedSegment {
  Offset base;
  uint64_t file_bytes = 0;
  uint64_t end_position = 0;        ///< Behind the last batch that stays.
  std::vector<IndexEntry> entries;  ///< Of the runs that were read.
};

/// What stands in a log from the plan's first position on. Nothing was changed.
struct TailScan {
  Offset end_offset;                     ///< Of the log.
  std::vector<ScannedSegment> segments;  ///< In order.
  /// State of the last segment's runs, to append behind; nothing when the segment is damaged and
  /// must not be appended to.
  std::optional<RunBuilder> runs;
  std::vector<Corruption> corruptions;
  /// Why the tail is cut; nothing for mere zeros, which every process that was killed leaves.
  std::optional<Damage> tear;
};

struct TailScanInput {
  io::FileSystem& file_system;
  const TopicPartition& log;
  const LogFolder& folder;
  const RecoveryPlan& plan;
  std::span<const EpochEntry> history;               ///< Empty: epochs only must not go down.
  int64_t max_timestamp_ms = kNoTimestamp;           ///< Of what lies below in the first segment.
  int64_t unsynced_bytes_max = kFlushGroupBytesMax;  ///< As in RecoveryInput.
};

/// Reads from the plan's first position to the end of the log. `on_batch` hears of each batch that
/// stays. Blocks on the disk.
absl::StatusOr<TailScan> ScanTail(const TailScanInput& input,
                                  absl::FunctionRef<void(const record::BatchHeader&)> on_batch);

}  // namespace talosmq::storage
