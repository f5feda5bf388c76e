#include "client/fetched_queue.h"

#include <utility>

namespace talosmq::client {

void FetchedQueue::Push(FetchedChunk chunk) {
  const base::MutexLock lock(mutex_);
  bytes_ += static_cast<int64_t>(chunk.records.size());
  chunks_.push_back(std::move(chunk));
  came_.Signal();
}

std::optional<FetchedChunk> FetchedQueue::Take(absl::Duration wait) {
  const base::MutexLock lock(mutex_);
  if (chunks_.empty() && wait > absl::ZeroDuration()) came_.WaitFor(mutex_, wait);
  if (chunks_.empty()) return std::nullopt;
  FetchedChunk chunk = std::move(chunks_.front());
  chunks_.pop_front();
  bytes_ -= static_cast<int64_t>(chunk.records.size());
  return chunk;
}

int64_t FetchedQueue::bytes() const {
  const base::MutexLock lock(mutex_);
  return bytes_;
}

}  // namespace talosmq::client
