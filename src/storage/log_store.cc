#include "storage/log_store.h"

#include "base/check.h"
#include "base/gate.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/status.h"
#include "base/text.h"
#include "storage/catalogue.h"
#include "storage/checkpointer.h"
#include "storage/compaction.h"
#include "storage/flush_group.h"
#include "storage/journal.h"
#include "storage/journal_replay.h"
#include "storage/journaled_flush.h"
#include "storage/local_log.h"
#include "storage/log_folder.h"
#include "storage/recovery.h"
#include "storage/segment.h"
#include "storage/store_start.h"

#include "absl/hash/hash.h"

#include <algorithm>
#include <set>
#include <utility>

namespace talosmq::storage {
namespace {

/// Each with errors of its own.
struct DeferredSyncs {
  std::unique_ptr<io::DeferredSync> write_back;
  std::unique_ptr<io::DeferredSync> checkpoint;
};

absl::StatusOr<DeferredSyncs> OpenDeferredSyncs(io::FileSystem& file_system,
                                                const std::string& directory) {
  DeferredSyncs syncs;
  TALOSMQ_ASSIGN_OR_RETURN(syncs.write_back, io::DeferredSync::Open(file_system, directory));
  TALOSMQ_ASSIGN_OR_RETURN(syncs.checkpoint, io::DeferredSync::Open(file_system, directory));
  return syncs;
}

class FileLogStore final : public LogStore {
 public:
  FileLogStore(LogStoreOptions options, Dependencies dependencies, LoadedCheckpoint checkpoint,
               OpenedJournal journal, DeferredSyncs deferred_syncs)
      : options_(std::move(options)),
        dependencies_(std::move(dependencies)),
        deferred_syncs_(std::move(deferred_syncs)),
        metrics_(dependencies_.metrics),
        catalogue_(dependencies_.catalogue),
        cache_(options_.tail_cache_bytes_max, metrics_),
        checkpointer_({.directory = options_.directory,
                       .interval = options_.checkpoint_interval,
                       .bytes = options_.checkpoint_bytes},
                      {.file_system = dependencies_.file_system,
                       .deferred_sync = *deferred_syncs_.checkpoint,
                       .executor = dependencies_.checkpoint_executor,
                       .gate = gate_,
                       .on_log_failure =
                           [this](std::shared_ptr<LogFiles> files, absl::Status status) {
                             flush_group_.Fence(std::move(files), std::move(status));
                           },
                       .on_recorded = [this](absl::Status status) { NoteRecorded(status); }},
                      std::move(checkpoint.points), checkpoint.journal),
        journal_(std::move(journal.journal)),
        journal_damage_(std::move(journal.damage)),
        flush_group_(options_.flush_group_bytes_max,
                     {.target = journaled_flush_,
                      .reserve = dependencies_.reserve,
                      .checkpointer = checkpointer_,
                      .executor = dependencies_.flush_executor,
                      .clock = dependencies_.clock,
                      .gate = gate_,
                      .metrics = metrics_,
                      .on_fence = [this](absl::Status status) { NoteFailure(status); }}),
        journaled_flush_({.held_bytes_max = options_.tail_cache_bytes_max / 2,
                          .direct_logs_max = options_.direct_logs_max,
                          .direct_bytes_min = options_.direct_bytes_min,
                          .awaited_bytes_min = options_.awaited_bytes_min,
                          .journal_bytes_max = options_.journal_bytes_max},
                         {.file_system = dependencies_.file_system,
                          .deferred_sync = *deferred_syncs_.write_back,
                          .catalogue = catalogue_,
                          .metrics = metrics_,
                          .journal = *journal_,
                          .flush_executor = dependencies_.flush_executor,
                          .write_back_executor = dependencies_.write_back_executor,
                          .gate = gate_,
                          .listener = flush_group_.listener()}),
        compaction_reader_({.file_system = dependencies_.file_system, .metrics = metrics_}),
        compaction_({.file_system = dependencies_.file_system,
                     .reader = compaction_reader_,
                     .reserve = dependencies_.reserve,
                     .random = dependencies_.random,
                     .keys_max = options_.compaction_keys_max}) {
    for (const LogWrite& write : journal.stranded) {
      NoteClosed(write.files->id, write.status);
      if (ReasonOf(write.status) != Reason::kStorageFull) NoteFailure(write.status);
    }
    journaled_flush_.TakeStranded(std::move(journal.stranded));
    for (base::Executor* executor : dependencies_.io_executors) {
      lanes_.push_back(std::make_unique<Lane>(Lane{
          .executor = *executor,
          .reader = LogReader({.file_system = dependencies_.file_system, .metrics = metrics_})}));
    }
    LookLater();
  }

  ~FileLogStore() override {
    if (!is_closed_) EndWork();
  }

  void OpenLog(const TopicPartition& id, const LogOptions& options, base::Executor& shard,
               base::Callback<absl::StatusOr<OpenedLog>> done) override {
    absl::Status claimed = Claim(id);
    if (!claimed.ok()) {
      shard.Post([done = std::move(done), claimed = std::move(claimed)]() mutable {
        done(std::move(claimed));
      });
      return;
    }
    Lane& lane = LaneOf(id);
    lane.executor.Post(
        [this, id, options, &shard, &lane, done = std::move(done), pass = EnterGate()]() mutable {
          auto files = std::make_shared<LogFiles>(id, LogDirectory(options_.directory, id), shard);
          auto recovered = Recover(*files);
          shard.Post([this, files = std::move(files), options, &lane, done = std::move(done),
                      recovered = std::move(recovered), pass = std::move(pass)]() mutable {
            if (!recovered.ok()) {
              Unclaim(files->id);
              return done(recovered.status());
            }
            done(MakeLog(std::move(files), options, lane, std::move(*recovered)));
          });
        });
  }

  void DeleteLog(const TopicPartition& id, base::Callback<absl::Status> done) override {
    absl::Status claimed = Claim(id);
    Lane& lane = LaneOf(id);
    lane.executor.Post([this, id, claimed = std::move(claimed), done = std::move(done),
                        pass = EnterGate()]() mutable {
      if (!claimed.ok()) return done(std::move(claimed));
      absl::Status removed =
          RemoveLogFolder(dependencies_.file_system, LogDirectory(options_.directory, id));
      if (removed.ok()) removed = catalogue_.Remove(id);
      if (removed.ok()) {
        journaled_flush_.DropStranded(id);
        checkpointer_.Forget(id);
        ClearSuspect(id);
      }
      Unclaim(id);
      done(std::move(removed));
    });
  }

  bool HasRecords(const TopicPartition& id) const override {
    if (checkpointer_.Find(id).has_value() || journaled_flush_.HasStranded(id)) return true;
    // All of an open log may be in the journal, and no point is recorded before its write-back.
    base::MutexLock lock(mutex_);
    return claimed_.contains(id);
  }

  absl::StatusOr<std::vector<TopicPartition>> ListFolders() override {
    return ListLogFolders(dependencies_.file_system, options_.directory);
  }

  absl::Status CheckRoom() const override { return dependencies_.reserve.CheckRoom(); }

  io::DiskSpace space() const override { return dependencies_.reserve.space(); }

  absl::Status health() const override {
    TALOSMQ_RETURN_IF_ERROR(CheckRoom());
    TALOSMQ_RETURN_IF_ERROR(journal_damage_);
    base::MutexLock lock(mutex_);
    return recorded_;
  }

  absl::Status last_failure() const override {
    base::MutexLock lock(mutex_);
    return failure_;
  }

  absl::Status Close() override {
    TALOSMQ_CHECK(!is_closed_) << "the store is closed twice";
    is_closed_ = true;
    EndWork();
    checkpointer_.NoteJournal(journaled_flush_.journal_mark());
    return checkpointer_.RecordNow();
  }

 private:
  /// One I/O executor and what is confined to it.
  struct Lane {
    base::Executor& executor;
    LogReader reader;
  };

  Lane& LaneOf(const TopicPartition& id) { return *lanes_[absl::HashOf(id) % lanes_.size()]; }

  base::Gate::Pass EnterGate() {
    auto pass = gate_.Enter();
    TALOSMQ_CHECK(pass.has_value()) << "the store is closed";
    return std::move(*pass);
  }

  /// A log is with one owner at a time.
  absl::Status Claim(const TopicPartition& id) {
    base::MutexLock lock(mutex_);
    if (claimed_.insert(id).second) return absl::OkStatus();
    return MakeError(Reason::kConflict, base::StrCat("log ", id.ToString(), " is open"));
  }
  void Unclaim(const TopicPartition& id) {
    base::MutexLock lock(mutex_);
    claimed_.erase(id);
  }

  void NoteClosed(const TopicPartition& id, const absl::Status& status) {
    base::MutexLock lock(mutex_);
    claimed_.erase(id);
    if (!status.ok()) suspects_.insert(id);
  }
  bool IsSuspect(const TopicPartition& id) const {
    base::MutexLock lock(mutex_);
    return suspects_.contains(id);
  }
  void ClearSuspect(const TopicPartition& id) {
    base::MutexLock lock(mutex_);
    suspects_.erase(id);
  }

  void NoteFailure(const absl::Status& status) {
    base::MutexLock lock(mutex_);
    failure_ = status;
  }
  void NoteRecorded(const absl::Status& status) {
    base::MutexLock lock(mutex_);
    recorded_ = status;
  }

  /// Also while nothing is written: the disk may fill up or get room by others, and then there is
  /// time to write back.
  void LookLater() {
    base::MutexLock lock(mutex_);
    if (is_ending_) return;
    auto pass = gate_.Enter();
    if (!pass) return;
    look_timer_ = dependencies_.flush_executor.PostAfter(
        options_.space_interval, [this, pass = std::move(*pass)] {
          // It remembers. While records get no room, nothing is written back for being idle.
          const bool has_room = dependencies_.reserve.Look(journaled_flush_.held_bytes()).ok();
          if (has_room) journaled_flush_.EndInterval();
          checkpointer_.NoteJournal(journaled_flush_.journal_mark());
          LookLater();
        });
  }

  void EndWork() {
    base::TimerId timer;
    {
      base::MutexLock lock(mutex_);
      is_ending_ = true;
      timer = look_timer_;
    }
    dependencies_.flush_executor.Cancel(timer);
    checkpointer_.Stop();
    gate_.CloseAndWait();
  }

  /// On the log's I/O executor.
  absl::StatusOr<RecoveredLog> Recover(LogFiles& files) {
    TALOSMQ_ASSIGN_OR_RETURN(const auto restored, RestoreStranded(files));
    TALOSMQ_ASSIGN_OR_RETURN(files.is_in_catalogue, catalogue_.Contains(files.id));
    TALOSMQ_ASSIGN_OR_RETURN(RecoveredLog recovered,
                             RecoverLog(dependencies_.file_system,
                                        {.log = files.id,
                                         .directory = files.directory,
                                         .recorded = checkpointer_.Find(files.id),
                                         .restored = restored,
                                         .is_suspect = IsSuspect(files.id),
                                         .is_in_catalogue = files.is_in_catalogue,
                                         .now_ms = absl::ToUnixMillis(dependencies_.clock.Now()),
                                         .unsynced_bytes_max = UnsyncedBytesMax()}));
    ClearSuspect(files.id);
    files.log_start = recovered.log_start;
    files.epochs_bytes = recovered.epochs_bytes;
    files.snapshots = recovered.snapshots;
    if (recovered.active) {
      files.has_segment = true;
      files.segment = recovered.active->base;
      files.segment_end = recovered.active->position;
      files.allocated_bytes = recovered.active->position;
    }
    for (const auto& [segment, must_begin, entries] : recovered.pending) {
      if (must_begin) files.pending_index.Begin(segment);
      for (const IndexEntry& entry : entries) files.pending_index.Add(segment, entry);
    }
    Report(files, recovered.report);
    return recovered;
  }

  /// Of one log: a flush group, or all that may be held, which is brought to the segments with one
  /// sync.
  int64_t UnsyncedBytesMax() const {
    return std::max(options_.unsynced_bytes_min,
                    options_.flush_group_bytes_max + options_.tail_cache_bytes_max / 2);
  }

  /// What was durable in the journal and could not be brought to the segments before. Up to where
  /// it goes; the log has it again at the next opening, unless this one succeeds.
  absl::StatusOr<std::optional<FlushedPoint>> RestoreStranded(const LogFiles& files) {
    auto stranded = journaled_flush_.Stranded(files.id);
    if (!stranded) return std::nullopt;
    stranded->files = std::make_shared<LogFiles>(files.id, files.directory, files.shard);
    TALOSMQ_ASSIGN_OR_RETURN(const auto statuses,
                             RestoreSegments({.file_system = dependencies_.file_system,
                                              .data_directory = options_.directory,
                                              .catalogue = catalogue_,
                                              .metrics = metrics_},
                                             {&*stranded, 1}));
    TALOSMQ_RETURN_IF_ERROR(statuses.front());
    const SegmentWrite& last = stranded->segments.back();
    FlushedPoint end{.log_start = {},
                     .end_offset = stranded->end_offset,
                     .segment = last.segment,
                     .position = last.position};
    for (const base::Buffer& batch : last.batches) end.position += batch.size();
    return end;
  }

  void Report(const LogFiles& files, const RecoveryReport& report) {
    metrics_.recovered_bytes.Add(report.scanned_bytes);
    metrics_.truncated_bytes.Add(report.truncated_bytes);
    metrics_.indexes_rebuilt.Add(report.indexes_rebuilt);
    metrics_.corruptions.Add(static_cast<int64_t>(report.damages.size()));
    for (const std::string& note : report.notes) {
      base::LogWarning("storage", "log ", files.id.ToString(), ": ", note);
    }
  }

  /// On the log's shard.
  OpenedLog MakeLog(std::shared_ptr<LogFiles> files, const LogOptions& options, Lane& lane,
                    RecoveredLog recovered) {
    const bool must_record = recovered.point && checkpointer_.Find(files->id) != recovered.point;
    if (must_record || !recovered.pending.empty() || recovered.snapshot) {
      DurableProgress progress{
          .files = files, .point = *recovered.point, .bytes = 0, .sealed = {}, .snapshots = {}};
      if (recovered.snapshot) progress.snapshots.push_back(*recovered.snapshot);
      checkpointer_.Note(std::move(progress));
    }
    journaled_flush_.DropStranded(files->id);
    RecoveryReport report = std::move(recovered.report);
    auto log = std::make_unique<LocalLog>(
        std::move(files), options, std::move(recovered), cache_.AddLog(),
        LocalLog::Dependencies{
            .flush_group = flush_group_,
            .checkpointer = checkpointer_,
            .reader = lane.reader,
            .io_executor = lane.executor,
            .compaction = compaction_,
            .compaction_executor = dependencies_.compaction_executor,
            .file_system = dependencies_.file_system,
            .reserve = dependencies_.reserve,
            .clock = dependencies_.clock,
            .gate = gate_,
            .snapshot_bytes = options_.checkpoint_bytes,
            .producer_expiry = options_.producer_expiry,
            .on_closed = [this](const TopicPartition& id, const absl::Status& status) {
              NoteClosed(id, status);
            }});
    return {.log = std::move(log), .report = std::move(report)};
  }

  const LogStoreOptions options_;
  const Dependencies dependencies_;
  const DeferredSyncs deferred_syncs_;
  base::Gate gate_;
  StorageMetrics metrics_;
  Catalogue catalogue_;
  TailCache cache_;
  Checkpointer checkpointer_;
  const std::unique_ptr<Journal> journal_;
  const absl::Status journal_damage_;
  FlushGroup flush_group_;
  JournaledFlush journaled_flush_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  LogReader compaction_reader_;
  Compaction compaction_;
  bool is_closed_ = false;

  mutable base::Mutex mutex_;
  std::set<TopicPartition> claimed_ ABSL_GUARDED_BY(mutex_);
  std::set<TopicPartition> suspects_ ABSL_GUARDED_BY(mutex_);  ///< Closed after a failure.
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);               ///< The last one.
  absl::Status recorded_ ABSL_GUARDED_BY(mutex_);              ///< How the last checkpoint went.
  base::TimerId look_timer_ ABSL_GUARDED_BY(mutex_) = base::TimerId::kNone;
  bool is_ending_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<LogStore>> LogStore::Open(LogStoreOptions options,
                                                         Dependencies dependencies) {
  TALOSMQ_CHECK(!dependencies.io_executors.empty()) << "at least one I/O executor";
  TALOSMQ_RETURN_IF_ERROR(
      dependencies.file_system.MakeDirectories(TopicsDirectory(options.directory)));
  TALOSMQ_ASSIGN_OR_RETURN(LoadedCheckpoint checkpoint,
                           LoadCheckpoint(dependencies.file_system, options.directory));
  StorageMetrics metrics(dependencies.metrics);
  TALOSMQ_ASSIGN_OR_RETURN(OpenedJournal journal,
                           OpenJournal(options, dependencies, metrics, checkpoint));
  TALOSMQ_ASSIGN_OR_RETURN(DeferredSyncs deferred_syncs,
                           OpenDeferredSyncs(dependencies.file_system, options.directory));
  return std::make_unique<FileLogStore>(std::move(options), std::move(dependencies),
                                        std::move(checkpoint), std::move(journal),
                                        std::move(deferred_syncs));
}

}  // namespace talosmq::storage
