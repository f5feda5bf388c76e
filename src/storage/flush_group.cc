#include "storage/flush_group.h"

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
#include "storage/fence.h"
#include "talosmq/error.h"

#include "absl/container/flat_hash_map.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace talosmq::storage {
namespace {

/// What one shard hears of a group.
struct Completion {
  std::weak_ptr<FlushListener> listener;
  FlushResult result;
};

void Deliver(const std::vector<Completion>& completions) {
  for (const Completion& completion : completions) {
    if (const auto listener = completion.listener.lock()) listener->OnFlushed(completion.result);
  }
}

void AddBatch(QueuedBatch batch, LogWrite& write) {
  std::ranges::move(batch.epochs, std::back_inserter(write.epochs));
  if (write.segments.empty() || write.segments.back().segment != batch.segment) {
    write.segments.push_back({.segment = batch.segment, .position = batch.position, .batches = {}});
  }
  write.end_offset = batch.end_offset;
  write.bytes += static_cast<int64_t>(batch.batch.size());
  if (batch.snapshot) write.snapshots.push_back(std::move(*batch.snapshot));
  if (batch.batch.size() > 0) write.segments.back().batches.push_back(std::move(batch.batch));
}

DurableProgress ProgressOf(LogWrite& write) {
  return {.files = write.files,
          .point = {.log_start = write.files->log_start,
                    .end_offset = write.end_offset,
                    .segment = write.files->segment,
                    .position = write.files->segment_end},
          .bytes = write.bytes,
          .sealed = std::move(write.sealed),
          .snapshots = std::move(write.snapshots)};
}

}  // namespace

void FlushGroup::Append(QueuedBatch batch) {
  base::MutexLock lock(mutex_);
  waiting_.Push(std::move(batch));
  if (!std::exchange(is_posted_, true)) PostRun();
}

int64_t FlushGroup::BacklogBytes() const {
  base::MutexLock lock(mutex_);
  return waiting_.bytes();
}

std::vector<QueuedBatch> FlushGroup::TakeWaiting() {
  base::MutexLock lock(mutex_);
  std::vector<QueuedBatch> batches =
      waiting_.TakeGroup(waiting_.logs() > 1 ? shared_bytes_max_ : group_bytes_max_);
  is_posted_ = !waiting_.empty();
  return batches;
}

void FlushGroup::Run() {
  waits_for_room_ = !dependencies_.target.has_room();
  if (waits_for_room_) return;
  std::vector<LogWrite> group = Form(TakeWaiting());
  if (!group.empty()) {
    Flush(group);
    Complete(std::move(group));
  }
  {
    base::MutexLock lock(mutex_);
    if (!is_posted_) return;
  }
  // Through the queue, so that other tasks of the executor get their turn between two groups.
  PostRun();
}

void FlushGroup::PostRun() {
  auto pass = dependencies_.gate.Enter();
  TALOSMQ_CHECK(pass.has_value()) << "the store is closed with a log open";
  dependencies_.executor.Post([this, pass = std::move(*pass)] { Run(); });
}

void FlushGroup::OnWrittenBack(std::vector<LogWrite> writes) {
  Complete(std::move(writes));
  if (std::exchange(waits_for_room_, false)) PostRun();
}

void FlushGroup::Flush(std::vector<LogWrite>& group) {
  int64_t bytes = 0;
  for (const LogWrite& write : group) bytes += write.bytes;
  // Without room nothing is written at all, so that nothing of it can be found later.
  const absl::Status room = dependencies_.reserve.Look(bytes + dependencies_.target.held_bytes());
  if (!room.ok()) {
    for (LogWrite& write : group) write.status = room;
    return;
  }
  const absl::Duration begin = dependencies_.clock.Monotonic();
  dependencies_.target.MakeDurable(group, BacklogBytes());
  const absl::Duration taken = dependencies_.clock.Monotonic() - begin;
  // Of what the target has only taken it tells later.
  std::erase_if(group, [](const LogWrite& write) { return write.place == WritePlace::kMemory; });
  if (group.empty()) return;
  int64_t durable_bytes = 0;
  for (const LogWrite& write : group) durable_bytes += write.bytes;
  AdaptGroupSize(durable_bytes, taken);
  dependencies_.metrics.flushes.Add(1);
  dependencies_.metrics.flush_seconds.Observe(absl::ToDoubleSeconds(taken));
  dependencies_.metrics.flush_group_bytes.Observe(static_cast<double>(durable_bytes));
}

void FlushGroup::AdaptGroupSize(int64_t bytes, absl::Duration taken) {
  // Small ones say how long a sync takes, not how fast the disk writes.
  if (bytes < kSharedBytesMin / 2 || taken <= absl::ZeroDuration()) return;
  const auto wanted =
      static_cast<int64_t>(static_cast<double>(bytes) * absl::FDivDuration(kSharedFlush, taken));
  const int64_t next = (3 * shared_bytes_max_ + std::min(wanted, group_bytes_max_)) / 4;
  shared_bytes_max_ =
      std::clamp(next, std::min(kSharedBytesMin, group_bytes_max_), group_bytes_max_);
}

std::vector<LogWrite> FlushGroup::Form(std::vector<QueuedBatch> batches) {
  std::vector<LogWrite> group;
  absl::flat_hash_map<const LogFiles*, size_t> places;
  for (QueuedBatch& batch : batches) {
    const auto [place, is_new] = places.try_emplace(batch.files.get(), group.size());
    if (is_new) group.push_back({.files = batch.files});
    AddBatch(std::move(batch), group[place->second]);
  }
  return group;
}

void FlushGroup::Complete(std::vector<LogWrite> writes) {
  // By shard, in the order of their first log.
  std::vector<std::pair<base::Executor*, std::vector<Completion>>> shards;
  for (LogWrite& write : writes) {
    if (!write.status.ok()) {
      FenceNow(*write.files, write.status);
      continue;
    }
    const bool is_in_segments = write.place == WritePlace::kSegments;
    base::Executor* shard = &write.files->shard;
    auto place = std::ranges::find(shards, shard, [](const auto& entry) { return entry.first; });
    if (place == shards.end()) place = shards.insert(place, {shard, {}});
    place->second.push_back({.listener = write.files->listener,
                             .result = {.durable_end = write.end_offset,
                                        .written_end = is_in_segments ? write.end_offset : Offset(),
                                        .segment = is_in_segments ? write.files->segment : Offset(),
                                        .taken_segment = write.segments.back().segment,
                                        .status = write.status}});
    if (is_in_segments) dependencies_.checkpointer.Note(ProgressOf(write));
  }
  dependencies_.checkpointer.NoteJournal(dependencies_.target.journal_mark());
  for (auto& [shard, completions] : shards) {
    shard->Post([completions = std::move(completions)] { Deliver(completions); });
  }
}

void FlushGroup::FenceNow(LogFiles& files, absl::Status cause) {
  if (!files.fence.ok()) return;
  if (dependencies_.target.IsAwaited(&files)) cause = MayBeStored(std::move(cause));
  files.fence = cause;
  if (ReasonOf(cause) != Reason::kStorageFull) {
    dependencies_.metrics.fences.Add(1);
    dependencies_.on_fence(cause);
  }
  base::LogError("storage", "log ", files.id.ToString(), " is fenced: ", cause.message());
  files.shard.Post([completions = std::vector<Completion>{{.listener = files.listener,
                                                           .result = {.durable_end = {},
                                                                      .written_end = {},
                                                                      .segment = {},
                                                                      .taken_segment = {},
                                                                      .status = cause}}}] {
    Deliver(completions);
  });
}

void FlushGroup::Fence(std::shared_ptr<LogFiles> files, absl::Status cause) {
  auto pass = dependencies_.gate.Enter();
  if (!pass) return;
  dependencies_.executor.Post([this, files = std::move(files), cause = std::move(cause),
                               pass = std::move(*pass)] { FenceNow(*files, cause); });
}

void FlushGroup::WriteBack(std::shared_ptr<LogFiles> files) {
  auto pass = dependencies_.gate.Enter();
  TALOSMQ_CHECK(pass.has_value()) << "the store is closed with a log open";
  dependencies_.executor.Post([this, files = std::move(files), pass = std::move(*pass)] {
    dependencies_.target.WriteBack(*files);
  });
}

void FlushGroup::Release(std::shared_ptr<LogFiles> files, base::Task done) {
  auto pass = dependencies_.gate.Enter();
  TALOSMQ_CHECK(pass.has_value()) << "the store is closed with a log open";
  dependencies_.executor.Post([this, files = std::move(files), done = std::move(done),
                               pass = std::move(*pass)]() mutable {
    dependencies_.target.Release(
        std::move(files), [done = std::move(done), pass = std::move(pass)]() mutable { done(); });
  });
}

}  // namespace talosmq::storage
