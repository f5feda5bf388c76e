#include "storage/flush_queue.h"

#include <algorithm>
#include <utility>

namespace talosmq::storage {

void FlushQueue::Push(QueuedBatch batch) {
  const auto [log, is_new] = logs_.try_emplace(batch.files.get());
  if (is_new) turns_.push_back(batch.files.get());
  log->second.push_back(std::move(batch));
}

std::vector<QueuedBatch> FlushQueue::TakeGroup(int64_t bytes_max) {
  std::vector<QueuedBatch> group;
  int64_t bytes = 0;
  while (!turns_.empty() && (bytes < bytes_max || group.empty())) {
    LogFiles* const files = turns_.front();
    const auto log = logs_.find(files);
    const size_t before = group.size();
    const bool is_fenced = !files->fence.ok();
    const bool has_more = !is_fenced && TakeTurn(log->second, bytes_max - bytes, group, bytes);
    if (has_more && group.size() == before) break;  // Its next batch has no room in this group.
    turns_.pop_front();
    if (has_more) {
      turns_.push_back(files);
    } else {
      logs_.erase(log);
    }
  }
  return group;
}

bool FlushQueue::TakeTurn(std::deque<QueuedBatch>& log, int64_t room,
                          std::vector<QueuedBatch>& group, int64_t& bytes) {
  int64_t taken = 0;
  while (!log.empty()) {
    const auto size = static_cast<int64_t>(log.front().batch.size());
    const bool is_first = taken == 0;
    if (!(is_first && group.empty()) && taken + size > room) break;
    if (!is_first && taken + size > kTurnBytes) break;
    taken += size;
    group.push_back(std::move(log.front()));
    log.pop_front();
  }
  bytes += taken;
  return !log.empty();
}

}  // namespace talosmq::storage
