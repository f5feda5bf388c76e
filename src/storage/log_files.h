#pragma once

#include "base/executor.h"
#include "io/file_system.h"
#include "storage/pending_index.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

namespace talosmq::storage {

/// What became of the writes of one log in a flush group.
struct FlushResult {
  Offset durable_end;  ///< Holds when status is OK, as the next one.
  /// Up to here the segments have it, so that it need not stay in memory.
  Offset written_end;
  Offset segment;  ///< The newest one that was begun on the disk.
  /// The newest one that a write was taken for: of none up to it does the beginning wait.
  Offset taken_segment;
  absl::Status status;  ///< Not OK: the log is fenced.
};

/// Hears on the shard of a log what became of its writes.
class FlushListener {
 public:
  virtual ~FlushListener() = default;
  virtual void OnFlushed(const FlushResult& result) = 0;
};

/// The files of one open log, as the executors that write them know them.
///
/// Fields are grouped by who may touch them. Shared, because writes under way, a checkpoint and
/// the log itself each need it for as long as they last.
struct LogFiles {
  LogFiles(TopicPartition log, std::string folder, base::Executor& home)
      : id(log), directory(std::move(folder)), shard(home) {}

  // Constant once the log is open.
  const TopicPartition id;
  const std::string directory;
  base::Executor& shard;
  std::weak_ptr<FlushListener> listener;  ///< Locked on the shard only.
  Offset log_start;                       ///< As it was opened with.

  // Thread-safe.
  PendingIndex pending_index;
  std::atomic<bool> is_closing = false;  ///< Work in the background is to end soon.

  // Confined to the flush executor; while a write of the log is being brought from the journal to
  // its segments, all but the fence to the write-back executor.
  absl::Status fence;  ///< Not OK: nothing is written any more (R01).
  bool is_in_catalogue = false;
  uint64_t epochs_bytes = 0;  ///< Size of the epoch file, 0 when there is none.
  Offset segment;             ///< The segment that is written; holds when there is one.
  bool has_segment = false;
  uint64_t segment_end = 0;        ///< Position behind its last batch.
  uint64_t allocated_bytes = 0;    ///< Allocated ahead up to here; its file may be longer.
  std::unique_ptr<io::File> file;  ///< Of that segment; null when it is not open.
  std::list<std::shared_ptr<LogFiles>>::iterator recently_used;  ///< Holds while file is open.

  // Confined to the checkpoint executor.
  absl::Status checkpoint_failure;  ///< Not OK: it writes nothing for this log any more.
  std::vector<Offset> snapshots;    ///< Producer snapshots on disk, ascending.
};

}  // namespace talosmq::storage
