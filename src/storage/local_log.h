#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "base/gate.h"
#include "storage/compaction.h"
#include "storage/disk_reserve.h"
#include "storage/flush_group.h"
#include "storage/log_reader.h"
#include "storage/partition_log.h"
#include "storage/recovery.h"
#include "storage/tail_cache.h"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace talosmq::storage {

/// The log of one partition over segment files of this machine: gives offsets, decides when to
/// roll, and hands every byte to the flush group and every cold read to the I/O executor.
///
/// Invariants beside those of PartitionLog:
/// 1. What lies in [written_end, log_end) is pinned in the tail cache, unless the log is fenced:
///    below the durable end it is in the journal, and nowhere else that can be read.
/// 2. A batch reaches the flush group in offset order, with the segment and position it gets.
/// Confined to its shard. The store that made it outlives it.
class LocalLog final : public PartitionLog, private FlushListener {
 public:
  struct Dependencies {
    FlushGroup& flush_group;
    Checkpointer& checkpointer;
    LogReader& reader;  ///< Confined to `io_executor`.
    base::Executor& io_executor;
    Compaction& compaction;  ///< Confined to `compaction_executor`.
    base::Executor& compaction_executor;
    io::FileSystem& file_system;  ///< Used on `io_executor` only.
    const DiskReserve& reserve;
    base::Clock& clock;
    base::Gate& gate;                     ///< Held by jobs under way.
    int64_t snapshot_bytes = 0;           ///< Of the log between two producer snapshots.
    absl::Duration producer_expiry = {};  ///< A producer that is silent for longer is forgotten.
    /// The log is closed: it may be opened again or deleted. Not OK when it had failed.
    std::function<void(const TopicPartition&, const absl::Status&)> on_closed;
  };

  LocalLog(std::shared_ptr<LogFiles> files, LogOptions options, RecoveredLog recovered,
           TailCache::LogTail tail, Dependencies dependencies);

  const TopicPartition& id() const override { return files_->id; }
  Offset log_start() const override { return log_start_; }
  Offset log_end() const override { return log_end_; }
  Offset durable_end() const override { return durable_end_; }
  const std::vector<EpochEntry>& epochs() const override { return *epochs_; }
  Offset compacted_end() const override;
  int64_t size_bytes() const override { return size_bytes_; }
  std::vector<ProducerState> Producers() const override;
  int64_t lifetime_bytes() const override { return size_bytes_ + removed_bytes_; }

  void SetOptions(const LogOptions& options) override { options_ = options; }
  void SetDurableListener(base::Callback<absl::Status> listener) override;
  absl::Status BeginEpoch(LeaderEpoch epoch) override;
  absl::StatusOr<AppendResult> Append(base::Buffer batch, const record::BatchFacts& facts) override;
  void Read(const ReadRequest& request, base::Callback<absl::StatusOr<ReadResult>> done) override;
  void FindOffset(absl::Time time, Offset limit,
                  base::Callback<absl::StatusOr<Offset>> done) override;
  void MoveLogStart(Offset offset, base::Callback<absl::Status> done) override;
  void ApplyRetention(absl::Time now, Offset limit, base::Callback<absl::Status> done) override;
  void Compact(absl::Time now, Offset limit, base::Callback<absl::Status> done) override;
  void Close(base::Callback<absl::Status> done) override;

 private:
  void OnFlushed(const FlushResult& result) override;

  absl::Status CheckWritable() const;
  void ForgetSilentProducers();
  bool MustRoll(const record::BatchHeader& batch) const;
  void BeginSegment();
  /// Of everything below log_end(); nothing while it is too early for one.
  std::optional<ProducerSnapshot> TakeSnapshot(bool is_roll);
  LogSource Source() const { return {.files = files_, .segments = segments_, .history = epochs_}; }
  /// Runs `work` on the I/O executor and `done` with its result here; the log waits for it when it
  /// is closed. kOverloaded when that executor has no room.
  template <typename Result>
  void RunRead(std::function<absl::StatusOr<Result>(LogReader&)> work,
               base::Callback<absl::StatusOr<Result>> done);
  absl::StatusOr<Offset> FindInTail(int64_t time_ms, Offset begin, Offset limit) const;
  /// Begins a segment although the last one has room.
  void Roll();
  /// Goes on with the moves of the log start that waited for what is in the segments by now; with
  /// all of them once the log is fenced.
  void GoOnWithMoves();
  void RecordLogStart(Offset offset, base::Callback<absl::Status> done);
  /// The segments that hold nothing from `end` on.
  std::span<const ListedSegment> SegmentsBelow(Offset end) const;
  /// Takes the segments below removable_end_ out of the list and removes their files.
  void DropSegments();
  /// The removal is a job of the log.
  void RemoveFiles(std::vector<SegmentName> segments);
  /// Removes the first of them and goes on with the rest behind whatever waits for the disk.
  void RemoveNext(std::vector<SegmentName> segments, base::Gate::Pass pass);
  /// What is due of that which ends at or below `limit`.
  std::optional<SegmentRange> FindDirty(absl::Time now, Offset limit) const;
  /// Once what is due is recorded in the checkpoint: hands it to the compaction executor.
  void BeginCompaction(absl::Time now, Offset limit, base::Callback<absl::Status> done);
  void OnCompacted(const CompactedGroup& group, const SegmentList& source);
  void FinishCompaction(absl::Status status, base::Callback<absl::Status> done);
  void EndJob();
  void CloseWhenIdle();
  std::optional<DurableProgress> LastProgress();

  const std::shared_ptr<LogFiles> files_;
  LogOptions options_;
  const Dependencies dependencies_;
  TailCache::LogTail tail_;
  /// What completions hold weakly: they come after a log that is gone, and are dropped.
  std::shared_ptr<FlushListener> anchor_;

  Offset log_start_;
  /// At most log_start_: the checkpoint file says that neither start nor end of the log lies below.
  Offset removable_end_;
  Offset log_end_;
  Offset durable_end_;
  Offset written_end_;  ///< At most durable_end_: up to here the segments have it.
  /// The newest segment that is on the disk; the list may have one more. What lies below it is
  /// complete, and neither the flush nor a recovery needs it.
  Offset begun_segment_;
  Offset taken_segment_;  ///< The newest one that the flush group has taken a write for.
  int64_t size_bytes_ = 0;
  int64_t removed_bytes_ = 0;
  std::shared_ptr<const SegmentList> segments_;
  std::shared_ptr<const std::vector<EpochEntry>> epochs_;
  std::vector<EpochEntry> epochs_queued_;  ///< Not yet handed to the flush group.
  std::optional<ActiveSegment> active_;
  ProducerTable producers_;
  Offset snapshot_offset_;  ///< Of the newest producer snapshot.
  int64_t bytes_since_snapshot_ = 0;
  bool is_epoch_begun_ = false;  ///< Since it was opened.
  bool is_written_ = false;      ///< Since it was opened.
  absl::Status fence_;

  base::Callback<absl::Status> listener_;
  struct WaitingMove {
    Offset offset;
    base::Callback<absl::Status> done;
  };
  /// Of the log start, to above written_end_; each is a job. As many as there are requests for
  /// it under way, which the admission of requests bounds.
  std::vector<WaitingMove> waiting_moves_;
  int64_t jobs_ = 0;  ///< Reads, moves of the log start, removals and compactions under way.
  bool is_compacting_ = false;  ///< Meanwhile no segment leaves the list but for a compacted one.
  /// Segments there were when a compaction failed; it is not tried again until there are others.
  size_t compaction_failed_at_ = 0;
  uint32_t next_generation_ = 1;
  base::Callback<absl::Status> close_done_;
};

}  // namespace talosmq::storage
