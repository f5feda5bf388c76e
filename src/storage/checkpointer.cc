#include "storage/checkpointer.h"

#include "base/status.h"
#include "base/text.h"
#include "storage/segment.h"
#include "storage/segment_index.h"

#include <algorithm>
#include <array>
#include <utility>

namespace talosmq::storage {
namespace {

void KeepStart(const FlushedPoint& before, FlushedPoint& point) {
  point.log_start = std::max(point.log_start, before.log_start);
  point.removed_bytes = std::max(point.removed_bytes, before.removed_bytes);
}

std::string IndexPath(const LogFiles& files, Offset segment) {
  return base::StrCat(files.directory, "/", OffsetFileName(segment, kIndexSuffix));
}

absl::Status RemoveIndex(const LogFiles& files, Offset segment, io::FileSystem& file_system) {
  const absl::Status removed = file_system.Remove(IndexPath(files, segment));
  return absl::IsNotFound(removed) ? absl::OkStatus() : removed;
}

}  // namespace

Checkpointer::Checkpointer(Options options, Dependencies dependencies, FlushedPoints points,
                           JournalMark journal)
    : options_(std::move(options)),
      dependencies_(std::move(dependencies)),
      newest_(points),
      journal_(journal),
      recorded_(std::move(points)) {}

void Checkpointer::Note(DurableProgress progress) {
  const bool is_urgent = !progress.sealed.empty() || !progress.snapshots.empty();
  base::MutexLock lock(mutex_);
  const TopicPartition id = progress.files->id;
  Merge(std::move(progress));
  const bool is_large = dirty_.at(id).bytes >= options_.bytes;
  ScheduleLocked(is_urgent || is_large ? absl::ZeroDuration() : options_.interval);
}

void Checkpointer::NoteJournal(const JournalMark& mark) {
  base::MutexLock lock(mutex_);
  if (mark == journal_ || mark.newest == 0) return;
  journal_ = mark;
  is_stale_ = true;
  ScheduleLocked(options_.interval);
}

void Checkpointer::MoveLogStart(LogStartMove move, base::Callback<absl::Status> done) {
  base::MutexLock lock(mutex_);
  waiters_.push_back({.files = move.files, .done = std::move(done)});
  MergeMove(std::move(move));
  ScheduleLocked(absl::ZeroDuration());
}

void Checkpointer::NoteRemoved(LogStartMove move) {
  base::MutexLock lock(mutex_);
  MergeMove(std::move(move));
  ScheduleLocked(options_.interval);
}

void Checkpointer::MergeMove(LogStartMove move) {
  FlushedPoint point = newest_.at(move.files->id);
  point.log_start = move.log_start;
  point.removed_bytes = move.removed_bytes;
  Merge(
      {.files = std::move(move.files), .point = point, .bytes = 0, .sealed = {}, .snapshots = {}});
}

void Checkpointer::Merge(DurableProgress progress) {
  FlushedPoint& newest = newest_.try_emplace(progress.files->id, progress.point).first->second;
  // Where a log starts is known once the file says so.
  FlushedPoint point = progress.point;
  point.log_start = newest.log_start;
  point.removed_bytes = newest.removed_bytes;
  newest = point;
  const auto [slot, is_new] = dirty_.try_emplace(progress.files->id);
  DurableProgress& known = slot->second;
  known.files = std::move(progress.files);
  const FlushedPoint before = std::exchange(known.point, progress.point);
  if (!is_new) KeepStart(before, known.point);
  known.bytes += progress.bytes;
  for (SealedSegment& sealed : progress.sealed) known.sealed.push_back(sealed);
  for (ProducerSnapshot& snapshot : progress.snapshots) {
    known.snapshots.push_back(std::move(snapshot));
  }
}

void Checkpointer::ScheduleLocked(absl::Duration delay) {
  const bool has_timer = timer_ != base::TimerId::kNone;
  if (is_stopping_ || is_posted_ || (has_timer && delay > absl::ZeroDuration())) return;
  auto pass = dependencies_.gate.Enter();
  if (!pass) return;
  auto job = [this, pass = std::move(*pass)] { RunJob(); };
  if (delay > absl::ZeroDuration()) {
    timer_ = dependencies_.executor.PostAfter(delay, std::move(job));
  } else {
    is_posted_ = true;
    dependencies_.executor.Post(std::move(job));
  }
}

void Checkpointer::RunJob() {
  Work work;
  base::TimerId timer;
  {
    base::MutexLock lock(mutex_);
    work = TakeWorkLocked();
    is_posted_ = false;
    timer = std::exchange(timer_, base::TimerId::kNone);
  }
  dependencies_.executor.Cancel(timer);
  if (!work.is_stale) return;
  const absl::Status recorded = Record(work);
  if (recorded.ok()) PublishStarts(work);
  dependencies_.on_recorded(recorded);
  for (Waiter& waiter : work.waiters) {
    const absl::Status& failure = waiter.files->checkpoint_failure;
    waiter.done(failure.ok() ? recorded : failure);
  }
  if (recorded.ok()) return;
  base::MutexLock lock(mutex_);
  is_stale_ = true;
  ScheduleLocked(options_.interval);
}

Checkpointer::Work Checkpointer::TakeWorkLocked() {
  const bool is_stale = std::exchange(is_stale_, false) || !dirty_.empty() || !forgotten_.empty();
  return {.dirty = std::exchange(dirty_, {}),
          .forgotten = std::exchange(forgotten_, {}),
          .journal = journal_,
          .is_stale = is_stale,
          .waiters = std::exchange(waiters_, {})};
}

absl::Status Checkpointer::Record(const Work& work) {
  for (const TopicPartition& log : work.forgotten) recorded_.erase(log);
  const bool is_together = work.dirty.size() > kSyncEachMax;
  std::vector<const DurableProgress*> written;
  for (const auto& [id, progress] : work.dirty) {
    const absl::Status status = is_together ? WriteLog(progress, dependencies_.deferred_sync)
                                            : WriteLog(progress, dependencies_.file_system);
    if (status.ok()) written.push_back(&progress);
  }
  const absl::Status synced =
      is_together ? dependencies_.deferred_sync.SyncAll() : absl::OkStatus();
  for (const DurableProgress* progress : written) {
    if (synced.ok()) {
      TakePoint(*progress);
    } else {
      Fail(progress->files, synced);
    }
  }
  return WriteCheckpointFile(work.journal);
}

void Checkpointer::PublishStarts(const Work& work) {
  base::MutexLock lock(mutex_);
  for (const auto& [id, progress] : work.dirty) {
    const auto recorded = recorded_.find(id);
    const auto newest = newest_.find(id);
    if (recorded != recorded_.end() && newest != newest_.end()) {
      KeepStart(recorded->second, newest->second);
    }
  }
}

absl::Status Checkpointer::WriteLog(const DurableProgress& progress, io::FileSystem& file_system) {
  const absl::Status& failure = progress.files->checkpoint_failure;
  if (!failure.ok()) return failure;
  const absl::Status written = WriteLogFiles(progress, file_system);
  if (!written.ok()) Fail(progress.files, written);
  return written;
}

void Checkpointer::Fail(const std::shared_ptr<LogFiles>& files, const absl::Status& status) {
  files->checkpoint_failure = status;
  dependencies_.on_log_failure(files, status);
}

void Checkpointer::TakePoint(const DurableProgress& progress) {
  const auto [recorded, is_new] = recorded_.try_emplace(progress.files->id, progress.point);
  const FlushedPoint before = std::exchange(recorded->second, progress.point);
  if (!is_new) KeepStart(before, recorded->second);
  base::MutexLock lock(mutex_);
  forgotten_.erase(progress.files->id);  // It was deleted and has begun anew.
}

absl::Status Checkpointer::WriteLogFiles(const DurableProgress& progress,
                                         io::FileSystem& file_system) {
  LogFiles& files = *progress.files;
  for (const SealedSegment& sealed : progress.sealed) {
    const std::string path =
        base::StrCat(files.directory, "/", OffsetFileName(sealed.segment, kSegmentSuffix));
    TALOSMQ_ASSIGN_OR_RETURN(const auto file, file_system.Open(path, io::OpenMode::kReadWrite));
    TALOSMQ_RETURN_IF_ERROR(file->Truncate(sealed.size));
    TALOSMQ_RETURN_IF_ERROR(file->Sync());
  }
  auto pending = files.pending_index.Below(progress.point.end_offset, progress.point.segment);
  for (auto segment = pending.begin(); segment != pending.end();) {
    const absl::Status written = WriteIndex(files, *segment, file_system);
    if (segment->entries.empty() && ReasonOf(written) == Reason::kStorageFull) {
      // The age alone can wait until there is room. Until then no file shall say that it is known.
      TALOSMQ_RETURN_IF_ERROR(RemoveIndex(files, segment->segment.base, file_system));
      segment = pending.erase(segment);
      continue;
    }
    TALOSMQ_RETURN_IF_ERROR(written);
    ++segment;
  }
  files.pending_index.Drop(pending);
  return WriteSnapshots(progress);
}

absl::Status Checkpointer::WriteIndex(LogFiles& files, const PendingIndex::SegmentEntries& segment,
                                      io::FileSystem& file_system) {
  const SegmentIdentity identity{.log = files.id, .base_offset = segment.segment.base};
  TALOSMQ_ASSIGN_OR_RETURN(const auto file, file_system.Open(IndexPath(files, segment.segment.base),
                                                             io::OpenMode::kCreate));
  TALOSMQ_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  std::string content;
  // A header that is in the file may be in the page cache alone: its sync has failed.
  const bool is_begun = !segment.must_begin && size >= kIndexHeaderBytes;
  if (!is_begun) {
    content = base::AsText(
        EncodeIndexHeader({.segment = identity, .created_ms = segment.segment.created_ms}));
  }
  for (const IndexEntry& entry : segment.entries) {
    content += base::AsText(EncodeIndexEntry(identity, entry));
  }
  const std::array<base::ByteSpan, 1> pieces = {base::AsBytes(content)};
  TALOSMQ_RETURN_IF_ERROR(file->Write(is_begun ? size : 0, pieces));
  TALOSMQ_RETURN_IF_ERROR(file->Sync());
  if (is_begun) return absl::OkStatus();
  return file_system.SyncDirectory(files.directory);
}

absl::Status Checkpointer::WriteSnapshots(const DurableProgress& progress) {
  constexpr size_t kSnapshotsKept = 2;  // The older one for when the newer turns out damaged.
  LogFiles& files = *progress.files;
  const auto path = [&](Offset offset) {
    return base::StrCat(files.directory, "/", OffsetFileName(offset, kSnapshotSuffix));
  };
  const size_t count = progress.snapshots.size();
  for (size_t i = count > kSnapshotsKept ? count - kSnapshotsKept : 0; i < count; ++i) {
    const ProducerSnapshot& snapshot = progress.snapshots[i];
    if (!files.snapshots.empty() && files.snapshots.back() >= snapshot.offset) continue;
    const std::string content = EncodeProducerSnapshot(snapshot);
    TALOSMQ_RETURN_IF_ERROR(io::WriteFileAtomically(dependencies_.file_system,
                                                    path(snapshot.offset), base::AsBytes(content)));
    files.snapshots.push_back(snapshot.offset);
  }
  while (files.snapshots.size() > kSnapshotsKept) {
    TALOSMQ_RETURN_IF_ERROR(dependencies_.file_system.Remove(path(files.snapshots.front())));
    files.snapshots.erase(files.snapshots.begin());
  }
  return absl::OkStatus();
}

absl::Status Checkpointer::WriteCheckpointFile(const JournalMark& journal) {
  const std::string content = EncodeCheckpoint(recorded_, journal);
  return io::WriteFileAtomically(dependencies_.file_system,
                                 base::StrCat(options_.directory, "/", kCheckpointFileName),
                                 base::AsBytes(content));
}

void Checkpointer::CloseLog(std::shared_ptr<LogFiles> files, std::optional<DurableProgress> last,
                            base::Callback<absl::Status> done) {
  auto pass = dependencies_.gate.Enter();
  if (!pass) {
    return done(MakeError(Reason::kShuttingDown,
                          base::StrCat("log ", files->id.ToString(), ": the store is closed")));
  }
  dependencies_.executor.Post([this, files = std::move(files), last = std::move(last),
                               done = std::move(done), pass = std::move(*pass)]() mutable {
    std::optional<DurableProgress> progress;
    {
      base::MutexLock lock(mutex_);
      if (last) Merge(std::move(*last));
      const auto slot = dirty_.find(files->id);
      if (slot != dirty_.end()) {
        progress = std::move(slot->second);
        dirty_.erase(slot);
        is_stale_ = true;
        ScheduleLocked(options_.interval);
      }
    }
    if (!progress) return done(files->checkpoint_failure);
    const absl::Status written = WriteLog(*progress, dependencies_.file_system);
    if (written.ok()) TakePoint(*progress);
    done(written);
  });
}

std::optional<FlushedPoint> Checkpointer::Find(const TopicPartition& log) const {
  base::MutexLock lock(mutex_);
  const auto point = newest_.find(log);
  if (point == newest_.end()) return std::nullopt;
  return point->second;
}

void Checkpointer::Forget(const TopicPartition& log) {
  base::MutexLock lock(mutex_);
  if (newest_.erase(log) == 0) return;
  forgotten_.insert(log);
  ScheduleLocked(options_.interval);
}

void Checkpointer::Stop() {
  base::TimerId timer;
  {
    base::MutexLock lock(mutex_);
    is_stopping_ = true;
    timer = std::exchange(timer_, base::TimerId::kNone);
  }
  dependencies_.executor.Cancel(timer);
}

absl::Status Checkpointer::RecordNow() {
  Work work;
  {
    base::MutexLock lock(mutex_);
    work = TakeWorkLocked();
  }
  return work.is_stale ? Record(work) : absl::OkStatus();
}

}  // namespace talosmq::storage
