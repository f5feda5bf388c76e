#include "storage/flush_group.h"

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
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

void AddBatch(QueuedBatch batch, LogWrite& write, DurableProgress& progress) {
  std::ranges::move(batch.epochs, std::back_inserter(write.epochs));
  if (write.segments.empty() || write.segments.back().segment != batch.segment) {
    write.segments.push_back({.segment = batch.segment, .position = batch.position, .batches = {}});
  }
  // The end of the segment so far; it is sealed when a batch of the next one follows.
  const bool is_roll = progress.point.segment != batch.segment && progress.point.position > 0;
  if (is_roll) {
    progress.sealed.push_back({.segment = progress.point.segment, .size = progress.point.position});
  }
  progress.point.segment = batch.segment;
  progress.point.position = batch.position + batch.batch.size();
  progress.point.end_offset = batch.end_offset;
  progress.bytes += static_cast<int64_t>(batch.batch.size());
  if (batch.snapshot) progress.snapshots.push_back(std::move(*batch.snapshot));
  write.segments.back().batches.push_back(std::move(batch.batch));
}

}  // namespace

void FlushGroup::Append(QueuedBatch batch) {
  base::MutexLock lock(mutex_);
  waiting_.Push(std::move(batch));
  if (is_posted_) return;
  auto pass = dependencies_.gate.Enter();
  TALOSMQ_CHECK(pass.has_value()) << "the store is closed with a log open";
  is_posted_ = true;
  dependencies_.executor.Post([this, pass = std::move(*pass)] { Run(); });
}

std::vector<QueuedBatch> FlushGroup::TakeWaiting() {
  base::MutexLock lock(mutex_);
  std::vector<QueuedBatch> batches = waiting_.TakeGroup(group_bytes_max_);
  is_posted_ = !waiting_.empty();
  return batches;
}

void FlushGroup::Run() {
  Group group = Form(TakeWaiting());
  if (!group.writes.empty()) {
    Flush(group);
    Complete(std::move(group));
  }

  base::MutexLock lock(mutex_);
  if (!is_posted_) return;
  // Through the queue, so that other tasks of the executor get their turn between two groups.
  auto pass = dependencies_.gate.Enter();
  TALOSMQ_CHECK(pass.has_value()) << "the store is closed with a log open";
  dependencies_.executor.Post([this, pass = std::move(*pass)] { Run(); });
}

void FlushGroup::Flush(Group& group) {
  // Without room nothing is written at all, so that nothing of it can be found later.
  const absl::Status room = dependencies_.reserve.Look(group.bytes);
  if (!room.ok()) {
    for (LogWrite& write : group.writes) write.status = room;
    return;
  }
  const absl::Duration begin = dependencies_.clock.Monotonic();
  dependencies_.target.MakeDurable(group.writes);
  const absl::Duration taken = dependencies_.clock.Monotonic() - begin;
  dependencies_.metrics.flushes.Add(1);
  dependencies_.metrics.flush_seconds.Observe(absl::ToDoubleSeconds(taken));
  dependencies_.metrics.flush_group_bytes.Observe(static_cast<double>(group.bytes));
}

FlushGroup::Group FlushGroup::Form(std::vector<QueuedBatch> batches) {
  Group group;
  absl::flat_hash_map<const LogFiles*, size_t> places;
  for (QueuedBatch& batch : batches) {
    LogFiles& files = *batch.files;
    const auto [place, is_new] = places.try_emplace(&files, group.writes.size());
    if (is_new) {
      group.writes.push_back(
          {.files = batch.files, .epochs = {}, .segments = {}, .status = absl::OkStatus()});
      group.progress.push_back({.files = batch.files,
                                .point = {.log_start = files.log_start,
                                          .end_offset = {},
                                          .segment = files.segment,
                                          .position = files.segment_end},
                                .bytes = 0,
                                .sealed = {},
                                .snapshots = {}});
    }
    group.bytes += static_cast<int64_t>(batch.batch.size());
    AddBatch(std::move(batch), group.writes[place->second], group.progress[place->second]);
  }
  return group;
}

void FlushGroup::Complete(Group group) {
  // By shard, in the order of their first log.
  std::vector<std::pair<base::Executor*, std::vector<Completion>>> shards;
  for (size_t i = 0; i < group.writes.size(); ++i) {
    LogWrite& write = group.writes[i];
    if (!write.status.ok()) {
      FenceNow(*write.files, write.status);
      continue;
    }
    base::Executor* shard = &write.files->shard;
    auto place = std::ranges::find(shards, shard, [](const auto& entry) { return entry.first; });
    if (place == shards.end()) place = shards.insert(place, {shard, {}});
    place->second.push_back(
        {.listener = write.files->listener,
         .result = {.durable_end = group.progress[i].point.end_offset, .status = write.status}});
    dependencies_.checkpointer.Note(std::move(group.progress[i]));
  }
  for (auto& [shard, completions] : shards) {
    shard->Post([completions = std::move(completions)] { Deliver(completions); });
  }
}

void FlushGroup::FenceNow(LogFiles& files, const absl::Status& cause) {
  if (!files.fence.ok()) return;
  files.fence = cause;
  if (ReasonOf(cause) != Reason::kStorageFull) {
    dependencies_.metrics.fences.Add(1);
    dependencies_.on_fence(cause);
  }
  base::LogError("storage", "log ", files.id.ToString(), " is fenced: ", cause.message());
  files.shard.Post(
      [completions = std::vector<Completion>{
           {.listener = files.listener, .result = {.durable_end = {}, .status = cause}}}] {
        Deliver(completions);
      });
}

void FlushGroup::Fence(std::shared_ptr<LogFiles> files, absl::Status cause) {
  auto pass = dependencies_.gate.Enter();
  if (!pass) return;
  dependencies_.executor.Post([this, files = std::move(files), cause = std::move(cause),
                               pass = std::move(*pass)] { FenceNow(*files, cause); });
}

void FlushGroup::Release(std::shared_ptr<LogFiles> files, base::Task done) {
  auto pass = dependencies_.gate.Enter();
  TALOSMQ_CHECK(pass.has_value()) << "the store is closed with a log open";
  dependencies_.executor.Post(
      [this, files = std::move(files), done = std::move(done), pass = std::move(*pass)]() mutable {
        dependencies_.target.Release(*files);
        done();
      });
}

}  // namespace talosmq::storage
