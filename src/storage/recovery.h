#pragma once

#include "base/clock.h"
#include "io/file_system.h"
#include "storage/checkpoint.h"
#include "storage/flush_target.h"
#include "storage/partition_log.h"
#include "storage/pending_index.h"
#include "storage/producer_snapshot.h"
#include "storage/producer_table.h"
#include "storage/segment_index.h"
#include "storage/segment_list.h"
#include "talosmq/ids.h"

#include "absl/status/statusor.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::storage {

/// What is known of a log before its folder is looked at.
struct RecoveryInput {
  TopicPartition log;
  std::string directory;
  std::optional<FlushedPoint> recorded;  ///< By the checkpoint; nothing when it lacks the log.
  /// Up to where the log was just made durable, beyond what is recorded; its log start says
  /// nothing.
  std::optional<FlushedPoint> restored = {};
  /// A write or sync for this log has failed in this process. Then what its files show need not be
  /// on the disk (R01), nor all index entries below the recorded point be written.
  bool is_suspect = false;
  bool is_in_catalogue = false;
  int64_t now_ms = 0;  ///< For the header of an index that is made again.
  /// Whole batches so far behind a broken one show that it was not torn by a crash.
  int64_t unsynced_bytes_max = kFlushGroupBytesMax;
};

/// The segment that appends go to.
struct ActiveSegment {
  Offset base;
  uint64_t position = 0;   ///< Behind its last batch, and the size of its file.
  int64_t created_ms = 0;  ///< Time of its first append.
  RunBuilder runs;
};

/// A log that can be read and appended to. Everything in it is durable.
struct RecoveredLog {
  Offset log_start;
  Offset log_end;
  std::vector<ListedSegment> segments;
  std::vector<EpochEntry> epochs;
  uint64_t epochs_bytes = 0;  ///< Size of the epoch file.
  std::vector<ProducerState> producers;
  int64_t bytes_since_snapshot = 0;  ///< Of batches behind the newest producer snapshot.
  int64_t size_bytes = 0;            ///< Of all segments.
  std::vector<Offset> snapshots;
  /// Still to be written: what the newest one lacks of completed segments, which may be removed.
  std::optional<ProducerSnapshot> snapshot;
  std::optional<ActiveSegment> active;  ///< Nothing: the next append begins a segment.
  /// Entries of runs that are in no index file yet; without entries: one without an index.
  std::vector<PendingIndex::SegmentEntries> pending;
  /// What there is to be recorded now; nothing for a log that has not begun.
  std::optional<FlushedPoint> point;
  RecoveryReport report;
};

/// Opens the folder of a log as PlanRecovery judges it, and mends it:
///   - above the flushed point whole batches that fit stay: they are written once more in place
///     and synced with their folder, since what a reader sees after a failed sync or a restart
///     need not be on the disk; a torn tail behind them is cut;
///   - damage stays as it is, is told in the report, and hides only itself: all that lies below the
///     flushed point, in a segment with a later one, or further before whole batches than one flush
///     group reaches;
///   - segments that lie below the recorded log start are removed;
///   - missing and broken indexes, epoch files and producer snapshots are made again; of a suspect
///     log, the newest index and the epoch file are written anew in any case.
/// kCorruptData when the folder or all segments of a log that had records are gone (loss). Running
/// it again, also after a crash in the middle, gives the same log. Blocks on the disk.
absl::StatusOr<RecoveredLog> RecoverLog(io::FileSystem& file_system, const RecoveryInput& input);

}  // namespace talosmq::storage
