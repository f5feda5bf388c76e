#include "storage/journaled_flush.h"

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "storage/allocation.h"
#include "storage/fence.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace talosmq::storage {
namespace {

/// Appends `next` to `write`, both of one log.
void Merge(LogWrite& write, LogWrite next) {
  std::ranges::move(next.epochs, std::back_inserter(write.epochs));
  for (SegmentWrite& segment : next.segments) {
    if (!write.segments.empty() && write.segments.back().segment == segment.segment) {
      std::ranges::move(segment.batches, std::back_inserter(write.segments.back().batches));
    } else {
      write.segments.push_back(std::move(segment));
    }
  }
  std::ranges::move(next.snapshots, std::back_inserter(write.snapshots));
  write.end_offset = next.end_offset;
  write.bytes += next.bytes;
}

/// The lower of two sequences, of which 0 is none.
uint64_t Older(uint64_t a, uint64_t b) {
  if (a == 0 || b == 0) return std::max(a, b);
  return std::min(a, b);
}

}  // namespace

JournaledFlush::JournaledFlush(Options options, Dependencies dependencies)
    : options_(options),
      dependencies_(dependencies),
      direct_(dependencies.file_system, dependencies.catalogue, dependencies.metrics,
              DirectFlush::OnFullDisk::kTakeBack),
      write_back_(dependencies.deferred_sync, dependencies.catalogue, dependencies.metrics) {}

void JournaledFlush::MakeDurable(std::span<LogWrite> group, int64_t backlog_bytes) {
  has_new_ = true;
  is_idle_ = false;
  // Nothing was acknowledged since the journal failed, so it may be tried again, in another file.
  if (!failure_.ok()) GiveUp();
  if (!failure_.ok()) {
    for (LogWrite& write : group) write.status = failure_;
    return;
  }
  const auto small_logs = static_cast<size_t>(std::ranges::count_if(
      group, [&](const LogWrite& write) { return write.bytes < options_.direct_bytes_min; }));
  JudgeLoad(backlog_bytes);
  std::vector<LogWrite*> to_journal;
  std::vector<LogWrite*> to_segments;
  for (LogWrite& write : group) {
    switch (PlaceOf(write, small_logs)) {
      case WritePlace::kSegments:
        to_segments.push_back(&write);
        break;
      case WritePlace::kJournal:
        if (write.bytes > 0) {
          to_journal.push_back(&write);
        } else {  // It only begins a segment: nothing that could be lost.
          HoldJournaled(write, dependencies_.journal.next_sequence());
        }
        break;
      case WritePlace::kMemory:
        Await(write);
        break;
    }
  }
  if (!to_journal.empty()) WriteJournal(to_journal);
  if (!to_segments.empty()) WriteDirectly(to_segments);
  const Journal& journal = dependencies_.journal;
  if (failure_.ok() && journal.live_bytes(oldest_sequence()) >= options_.journal_bytes_max) {
    RenewStranded();
  }
  StartWriteBack();
}

void JournaledFlush::EndInterval() {
  if (!std::exchange(has_seen_load_, holds_much())) is_under_load_ = false;
  is_idle_ = !std::exchange(has_new_, false);
  if (is_idle_) StartWriteBack();
}

void JournaledFlush::JudgeLoad(int64_t backlog_bytes) {
  const int64_t held_max = options_.held_bytes_max;
  const bool falls_behind = backlog_bytes >= held_max / 8 || held_bytes_ >= held_max / 4 * 3;
  is_under_load_ = is_under_load_ || falls_behind;
  has_seen_load_ = has_seen_load_ || falls_behind || holds_much();
}

WritePlace JournaledFlush::PlaceOf(const LogWrite& write, size_t small_logs) const {
  const LogFiles* const files = write.files.get();
  if (IsAwaited(files)) return WritePlace::kMemory;
  // While it is written back, its files are with the other executor.
  const bool may_go_to_segments = !written_back_logs_.contains(files);
  if (write.bytes == 0) return may_go_to_segments ? WritePlace::kSegments : WritePlace::kJournal;
  if (may_go_to_segments &&
      (write.bytes >= options_.direct_bytes_min || small_logs <= options_.direct_logs_max)) {
    return WritePlace::kSegments;
  }
  // A new log is entered in the catalogue before its write-back is synced: without the journal a
  // crash in between would look like the loss of a log.
  const bool is_worth_a_write = write.bytes >= options_.awaited_bytes_min;
  return is_under_load_ && is_worth_a_write && IsInCatalogue(*files) ? WritePlace::kMemory
                                                                     : WritePlace::kJournal;
}

bool JournaledFlush::IsInCatalogue(const LogFiles& files) const {
  // What is held was entered with its group; while it is written back, its files are not to be
  // looked at.
  return held_by_log_.contains(&files) || written_back_logs_.contains(&files) ||
         files.is_in_catalogue;
}

bool JournaledFlush::IsAwaited(const LogFiles* files) const {
  const auto held = held_by_log_.find(files);
  if (held != held_by_log_.end() && held->second->is_awaited) return true;
  const auto written_back = written_back_logs_.find(files);
  return written_back != written_back_logs_.end() && written_back->second == WrittenBack::kAwaited;
}

void JournaledFlush::WriteJournal(std::span<LogWrite* const> writes) {
  const auto sequence = dependencies_.journal.Append(writes, oldest_sequence());
  absl::Status status = sequence.status();
  if (status.ok()) status = EnterCatalogue(writes);
  if (status.ok()) {
    for (LogWrite* write : writes) HoldJournaled(*write, *sequence);
    return;
  }
  const bool is_clean = !sequence.ok() && !dependencies_.journal.is_tainted();
  if (!is_clean) status = MayBeStored(std::move(status));
  for (LogWrite* write : writes) write->status = status;
  if (is_clean) return;
  GiveUp();
}

void JournaledFlush::GiveUp() {
  failure_ = dependencies_.journal.GiveUp(oldest_sequence());
  if (failure_.ok()) return;
  failure_ = MayBeStored(base::Annotate(
      failure_,
      "the journal failed, and so did giving up what it may hold; until that is done "
      "nothing is stored"));
  base::LogError("storage", base::FromAbsl(failure_.message()));
}

absl::Status JournaledFlush::EnterCatalogue(std::span<LogWrite* const> writes) {
  std::vector<TopicPartition> logs;
  for (const LogWrite* write : writes) {
    if (!IsInCatalogue(*write->files)) logs.push_back(write->files->id);
  }
  return logs.empty() ? absl::OkStatus() : dependencies_.catalogue.Add(logs);
}

void JournaledFlush::HoldJournaled(LogWrite& write, uint64_t sequence) {
  write.status = absl::OkStatus();
  write.place = WritePlace::kJournal;
  Hold({.write = write, .sequence = sequence});
}

void JournaledFlush::Await(LogWrite& write) {
  LogWrite taken = std::exchange(write, {.files = write.files, .place = WritePlace::kMemory});
  Hold({.write = std::move(taken),
        .sequence = dependencies_.journal.next_sequence(),
        .is_awaited = true});
}

void JournaledFlush::Hold(Held held) {
  const LogFiles* const files = held.write.files.get();
  held_bytes_ += held.write.bytes;
  const auto [place, is_new] = held_by_log_.try_emplace(files);
  if (is_new) {
    awaited_logs_ += held.is_awaited;
    place->second = held_.insert(held_.end(), std::move(held));
    return;
  }
  Held& before = *place->second;
  awaited_logs_ += held.is_awaited && !before.is_awaited;
  before.is_awaited = before.is_awaited || held.is_awaited;
  Merge(before.write, std::move(held.write));
}

JournaledFlush::Held JournaledFlush::TakeHeld(HeldList::iterator held) {
  Held taken = std::move(*held);
  awaited_logs_ -= taken.is_awaited;
  held_by_log_.erase(taken.write.files.get());
  urgent_.erase(taken.write.files.get());
  held_.erase(held);
  return taken;
}

void JournaledFlush::WriteDirectly(std::span<LogWrite* const> writes) {
  std::vector<LogWrite> whole;
  std::vector<uint64_t> sequences;
  for (LogWrite* write : writes) {
    const auto held = held_by_log_.find(write->files.get());
    if (held == held_by_log_.end()) {
      whole.push_back(std::move(*write));
      sequences.push_back(0);
      continue;
    }
    Held taken = TakeHeld(held->second);
    held_bytes_ -= taken.write.bytes;
    Merge(taken.write, std::move(*write));
    whole.push_back(std::move(taken.write));
    sequences.push_back(taken.sequence);
  }
  direct_.MakeDurable(whole);
  for (size_t i = 0; i < whole.size(); ++i) {
    if (!whole[i].status.ok() && sequences[i] > 0) {
      whole[i].status = MayBeStored(std::move(whole[i].status));
      Strand({.write = whole[i], .sequence = sequences[i]});
    }
    *writes[i] = std::move(whole[i]);
  }
}

int64_t JournaledFlush::held_bytes() const {
  int64_t bytes = held_bytes_;
  base::MutexLock lock(mutex_);
  for (const auto& [log, stranded] : stranded_) bytes += stranded.write.bytes;
  return bytes;
}

uint64_t JournaledFlush::oldest_sequence() const {
  uint64_t oldest = written_back_oldest_;
  if (!held_.empty()) oldest = Older(oldest, held_.front().sequence);
  base::MutexLock lock(mutex_);
  for (const auto& [log, stranded] : stranded_) oldest = Older(oldest, stranded.sequence);
  return oldest;
}

JournalMark JournaledFlush::journal_mark() const {
  const uint64_t newest = dependencies_.journal.newest_sequence();
  const uint64_t oldest = oldest_sequence();
  return {.newest = newest, .oldest = oldest == 0 ? newest + 1 : oldest};
}

void JournaledFlush::RenewStranded() {
  std::vector<LogWrite> writes;
  {
    base::MutexLock lock(mutex_);
    bool keeps_older_files = false;
    for (const auto& [log, stranded] : stranded_) {
      keeps_older_files |= stranded.sequence < dependencies_.journal.file_begin();
      writes.push_back(stranded.write);
    }
    if (!keeps_older_files) return;
  }
  std::vector<LogWrite*> group;
  group.reserve(writes.size());
  for (LogWrite& write : writes) group.push_back(&write);
  const auto sequence = dependencies_.journal.Append(group, oldest_sequence());
  if (!sequence.ok()) {
    if (dependencies_.journal.is_tainted()) GiveUp();
    return;
  }
  base::MutexLock lock(mutex_);
  for (const LogWrite& write : writes) {
    const auto stranded = stranded_.find(write.files->id);
    if (stranded != stranded_.end()) stranded->second.sequence = *sequence;
  }
}

void JournaledFlush::StartWriteBack() {
  if (!written_back_logs_.empty() || held_.empty()) return;
  const bool is_due =
      is_under_load_ || is_idle_ || awaited_logs_ > 0 ||
      held_bytes_ >= options_.held_bytes_max / 2 ||
      dependencies_.journal.live_bytes(oldest_sequence()) >= options_.journal_bytes_max;
  // Under load everybody waits for it, and a large one takes less for each log.
  const int64_t job_bytes = options_.held_bytes_max / (is_under_load_ ? 2 : 4);
  WriteBackJob job;
  int64_t bytes = 0;
  for (auto held = held_.begin(); held != held_.end();) {
    const auto next = std::next(held);
    const LogFiles* const files = held->write.files.get();
    const bool is_wanted = is_due && bytes < job_bytes;
    if (!files->fence.ok()) {
      StrandHeld(held);
    } else if (is_wanted || urgent_.contains(files) || releases_.contains(files)) {
      Held taken = TakeHeld(held);
      bytes += taken.write.bytes;
      if (job.oldest == 0) job.oldest = taken.sequence;
      written_back_logs_[files] =
          taken.is_awaited ? WrittenBack::kAwaited : WrittenBack::kJournaled;
      if (is_under_load_ && taken.write.bytes < int64_t{kAllocationStepMin}) {
        taken.write.allocation = Allocation::kAsWritten;
      }
      job.writes.push_back(std::move(taken.write));
    } else if (!is_wanted && urgent_.empty() && releases_.empty()) {
      break;
    }
    held = next;
  }
  if (job.writes.empty()) return;
  written_back_oldest_ = job.oldest;
  for (const LogWrite& write : job.writes) direct_.Release(*write.files);
  auto pass = dependencies_.gate.Enter();
  TALOSMQ_CHECK(pass.has_value()) << "the store is closed with a log open";
  dependencies_.write_back_executor.Post(
      [this, job = std::move(job), pass = std::move(*pass)]() mutable {
        write_back_.MakeDurable(job.writes).IgnoreError();  // It is in each of them.
        dependencies_.flush_executor.Post(
            [this, job = std::move(job), pass = std::move(pass)]() mutable {
              FinishWriteBack(std::move(job));
            });
      });
}

void JournaledFlush::FinishWriteBack(WriteBackJob done) {
  written_back_logs_.clear();
  written_back_oldest_ = 0;
  for (LogWrite& write : done.writes) {
    held_bytes_ -= write.bytes;
    if (write.status.ok()) continue;
    write.status = MayBeStored(std::move(write.status));
    Held failed{.write = write, .sequence = done.oldest};
    const auto held = held_by_log_.find(write.files.get());
    if (held != held_by_log_.end()) {
      Held rest = TakeHeld(held->second);
      held_bytes_ -= rest.write.bytes;
      Merge(failed.write, std::move(rest.write));
    }
    Strand(std::move(failed));
  }
  dependencies_.listener.OnWrittenBack(std::move(done.writes));
  StartWriteBack();
  FinishReleases();
}

void JournaledFlush::Strand(Held held) {
  if (held.write.bytes == 0) return;
  base::MutexLock lock(mutex_);
  const TopicPartition log = held.write.files->id;
  const auto later = stranded_.find(log);
  if (later != stranded_.end()) {
    // Of a log that was closed while its earlier part was being brought to the segments.
    Merge(held.write, std::move(later->second.write));
    held.sequence = Older(held.sequence, later->second.sequence);
  }
  stranded_[log] = std::move(held);
}

void JournaledFlush::StrandHeld(HeldList::iterator held) {
  Held taken = TakeHeld(held);
  held_bytes_ -= taken.write.bytes;
  Strand(std::move(taken));
}

void JournaledFlush::TakeStranded(std::vector<LogWrite> writes) {
  const uint64_t sequence = dependencies_.journal.newest_sequence();
  for (LogWrite& write : writes) Strand({.write = std::move(write), .sequence = sequence});
}

std::optional<LogWrite> JournaledFlush::Stranded(const TopicPartition& log) const {
  base::MutexLock lock(mutex_);
  const auto stranded = stranded_.find(log);
  if (stranded == stranded_.end()) return std::nullopt;
  return stranded->second.write;
}

bool JournaledFlush::HasStranded(const TopicPartition& log) const {
  base::MutexLock lock(mutex_);
  return stranded_.contains(log);
}

void JournaledFlush::DropStranded(const TopicPartition& log) {
  base::MutexLock lock(mutex_);
  stranded_.erase(log);
}

void JournaledFlush::WriteBack(const LogFiles& files) {
  if (!held_by_log_.contains(&files)) return;  // In the segments, or on its way there.
  urgent_.insert(&files);
  StartWriteBack();
}

void JournaledFlush::Release(std::shared_ptr<LogFiles> files, base::Task done) {
  const LogFiles* const key = files.get();
  const auto held = held_by_log_.find(key);
  if (held != held_by_log_.end() && !files->fence.ok()) StrandHeld(held->second);
  PendingRelease& release = releases_[key];
  release.files = std::move(files);
  release.done.push_back(std::move(done));
  StartWriteBack();
  FinishReleases();
}

void JournaledFlush::FinishReleases() {
  std::vector<PendingRelease> done;
  absl::erase_if(releases_, [&](auto& release) {
    if (held_by_log_.contains(release.first)) return false;
    if (written_back_logs_.contains(release.first)) return false;
    done.push_back(std::move(release.second));
    return true;
  });
  for (PendingRelease& release : done) {
    direct_.Release(*release.files);
    for (base::Task& done_one : release.done) done_one();
  }
}

}  // namespace talosmq::storage
