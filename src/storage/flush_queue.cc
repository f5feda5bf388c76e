#include "storage/flush_queue.h"

#include <algorithm>
#include <utility>

namespace talosmq::storage {

void FlushQueue::Push(QueuedBatch batch) {
  const auto [log, is_new] = logs_.try_emplace(batch.files.get());
  if (is_new) arrivals_.push_back(batch.files.get());
  bytes_ += static_cast<int64_t>(batch.batch.size());
  log->second.push_back(std::move(batch));
}

std::vector<QueuedBatch> FlushQueue::TakeGroup(int64_t bytes_max) {
  Group group;
  std::deque<LogFiles*> served;
  TakeTurns(arrivals_, bytes_max / 2, group, served);
  turns_.insert(turns_.end(), arrivals_.begin(), arrivals_.end());
  turns_.insert(turns_.end(), served.begin(), served.end());
  arrivals_.clear();
  TakeTurns(turns_, bytes_max, group, turns_);
  return std::move(group.batches);
}

void FlushQueue::TakeTurns(std::deque<LogFiles*>& from, int64_t bytes_max, Group& group,
                           std::deque<LogFiles*>& back) {
  while (!from.empty() && (group.bytes < bytes_max || group.batches.empty())) {
    LogFiles* const files = from.front();
    const auto log = logs_.find(files);
    const size_t before = group.batches.size();
    const int64_t bytes_before = group.bytes;
    const bool is_fenced = !files->fence.ok();
    const bool has_more = !is_fenced && TakeTurn(log->second, bytes_max - group.bytes, group);
    bytes_ -= group.bytes - bytes_before;
    if (has_more && group.batches.size() == before) break;  // Its next batch has no room in it.
    from.pop_front();
    if (has_more) {
      back.push_back(files);
    } else {
      for (const QueuedBatch& dropped : log->second) {
        bytes_ -= static_cast<int64_t>(dropped.batch.size());
      }
      logs_.erase(log);
    }
  }
}

bool FlushQueue::TakeTurn(std::deque<QueuedBatch>& log, int64_t room, Group& group) {
  int64_t taken = 0;
  while (!log.empty()) {
    const auto size = static_cast<int64_t>(log.front().batch.size());
    const bool is_first = taken == 0;
    if (!(is_first && group.batches.empty()) && taken + size > room) break;
    if (!is_first && taken + size > kTurnBytes) break;
    taken += size;
    group.batches.push_back(std::move(log.front()));
    log.pop_front();
  }
  group.bytes += taken;
  return !log.empty();
}

}  // namespace talosmq::storage
