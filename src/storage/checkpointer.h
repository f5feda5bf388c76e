#pragma once

#include "base/executor.h"
#include "base/gate.h"
#include "base/mutex.h"
#include "io/deferred_sync.h"
#include "io/file_system.h"
#include "storage/checkpoint.h"
#include "storage/flush_target.h"
#include "storage/log_files.h"
#include "storage/producer_snapshot.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace talosmq::storage {

/// What has become durable in one log, and what is to be brought to the disk because of it.
struct DurableProgress {
  std::shared_ptr<LogFiles> files;
  FlushedPoint point;
  int64_t bytes = 0;  ///< Made durable since the last progress of this log.
  std::vector<SealedSegment> sealed;
  std::vector<ProducerSnapshot> snapshots;  ///< None above the point.
};

/// Records flushed points, and before each of them the index entries below it.
///
/// Logs report what became durable; at most `interval` later, at once after a roll or `bytes` of
/// one log, a job on the checkpoint executor takes what was reported and brings it to the disk:
/// index entries, trimmed segments, producer snapshots, then the checkpoint file.
///
/// Invariants:
/// 1. A recorded point lies at or below what is durable, and all index entries of runs below it
/// are.
/// 2. The point of a log that was not opened since the start is carried over as it was found.
/// 3. Log start and removed bytes of a point never go back while the log exists.
/// 4. A file of a log that failed is not touched again; its failure goes to `on_log_failure`. A
///    checkpoint file that could not be written is written anew, as a whole, the next time.
/// Thread-safe. Crash: the last complete checkpoint file counts.
class Checkpointer {
 public:
  struct Options {
    std::string directory;  ///< The data directory.
    absl::Duration interval;
    int64_t bytes = 0;
  };
  struct Dependencies {
    io::FileSystem& file_system;
    io::DeferredSync& deferred_sync;  ///< For many logs at once. Confined to `executor`.
    base::Executor& executor;         ///< The checkpoint executor.
    base::Gate& gate;                 ///< Held by jobs and timers; closed before this goes.
    /// A write or sync failed for this log. Called on the checkpoint executor.
    std::function<void(std::shared_ptr<LogFiles>, absl::Status)> on_log_failure;
    /// How the last attempt to write the checkpoint file went. Called on the checkpoint executor.
    std::function<void(absl::Status)> on_recorded;
  };

  /// Begins with what is on the disk.
  Checkpointer(Options options, Dependencies dependencies, FlushedPoints points,
               JournalMark journal);

  void Note(DurableProgress progress);
  /// Where the journal is, after Note() of all that it does not need to hold any more.
  void NoteJournal(const JournalMark& mark);
  /// Brings a last progress to the disk, when there is one, and answers on the checkpoint executor
  /// once no job touches files of this log any more.
  void CloseLog(std::shared_ptr<LogFiles> files, std::optional<DurableProgress> last,
                base::Callback<absl::Status> done);
  struct LogStartMove {
    std::shared_ptr<LogFiles> files;
    Offset log_start;
    int64_t removed_bytes = 0;  ///< Of all segments that went until then, these included.
  };
  /// Answers on the checkpoint executor once the log's point on the disk says that it starts there,
  /// or why it does not. The log has a point, and what it wrote below the new start is in its
  /// segments. After an error a later checkpoint may
  /// still record it.
  void MoveLogStart(LogStartMove move, base::Callback<absl::Status> done);
  /// The same in its time, and nobody waits.
  void NoteRemoved(LogStartMove move);
  /// The newest known point of a log that is not open; its log start is the one in the file.
  std::optional<FlushedPoint> Find(const TopicPartition& log) const;
  /// The log was deleted: from the next checkpoint file on its point is gone.
  void Forget(const TopicPartition& log);
  /// From now on no job begins by itself.
  void Stop();
  /// Records everything on the calling thread. Only once the gate is closed and empty.
  absl::Status RecordNow();

 private:
  /// The files of more logs than that are synced together.
  static constexpr size_t kSyncEachMax = 8;

  using Dirty = std::map<TopicPartition, DurableProgress>;

  void MergeMove(LogStartMove move) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ScheduleLocked(absl::Duration delay) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Merge(DurableProgress progress) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RunJob();
  struct Waiter {
    std::shared_ptr<LogFiles> files;
    base::Callback<absl::Status> done;
  };
  /// What the next checkpoint file has to take in.
  struct Work {
    Dirty dirty;
    std::set<TopicPartition> forgotten;
    JournalMark journal;
    bool is_stale = false;
    std::vector<Waiter> waiters;
  };
  Work TakeWorkLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Record(const Work& work);
  /// WriteLogFiles, unless the log has failed before, and what follows from its failure.
  absl::Status WriteLog(const DurableProgress& progress, io::FileSystem& file_system);
  void Fail(const std::shared_ptr<LogFiles>& files, const absl::Status& status);
  /// What the file says by now about where logs start, readers of points may go by.
  void PublishStarts(const Work& work);
  /// What was written for the log is durable: its point may be recorded.
  void TakePoint(const DurableProgress& progress);
  absl::Status WriteLogFiles(const DurableProgress& progress, io::FileSystem& file_system);
  absl::Status WriteIndex(LogFiles& files, const PendingIndex::SegmentEntries& segment,
                          io::FileSystem& file_system);
  absl::Status WriteSnapshots(const DurableProgress& progress);
  absl::Status WriteCheckpointFile(const JournalMark& journal);

  const Options options_;
  const Dependencies dependencies_;

  mutable base::Mutex mutex_;
  FlushedPoints newest_ ABSL_GUARDED_BY(mutex_);
  Dirty dirty_ ABSL_GUARDED_BY(mutex_);
  /// Deleted and still in recorded_.
  std::set<TopicPartition> forgotten_ ABSL_GUARDED_BY(mutex_);
  std::vector<Waiter> waiters_ ABSL_GUARDED_BY(mutex_);  ///< For what is in dirty_.
  JournalMark journal_ ABSL_GUARDED_BY(mutex_);
  /// recorded_ or journal_ has changed, or the file failed.
  bool is_stale_ ABSL_GUARDED_BY(mutex_) = false;
  base::TimerId timer_ ABSL_GUARDED_BY(mutex_) = base::TimerId::kNone;
  bool is_posted_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_stopping_ ABSL_GUARDED_BY(mutex_) = false;

  // Confined to the checkpoint executor.
  FlushedPoints recorded_;
};

}  // namespace talosmq::storage
