#include "client/group_queue.h"

#include <utility>

namespace talosmq::client {

void GroupQueue::PushEvent(GroupEvent event) {
  const base::MutexLock lock(mutex_);
  events_.push_back(std::move(event));
  came_.Signal();
}

void GroupQueue::PushChunk(TopicId topic, FetchedChunk chunk) {
  const base::MutexLock lock(mutex_);
  bytes_[topic] += static_cast<int64_t>(chunk.records.size());
  chunks_.push_back({.topic = topic, .chunk = std::move(chunk)});
  came_.Signal();
}

std::optional<GroupEvent> GroupQueue::TakeEvent() {
  const base::MutexLock lock(mutex_);
  if (events_.empty()) return std::nullopt;
  GroupEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

std::optional<GroupChunk> GroupQueue::TakeChunk() {
  const base::MutexLock lock(mutex_);
  if (chunks_.empty()) return std::nullopt;
  GroupChunk taken = std::move(chunks_.front());
  chunks_.pop_front();
  bytes_[taken.topic] -= static_cast<int64_t>(taken.chunk.records.size());
  return taken;
}

void GroupQueue::Wait(absl::Duration wait) {
  const base::MutexLock lock(mutex_);
  if (events_.empty() && chunks_.empty() && wait > absl::ZeroDuration()) {
    came_.WaitFor(mutex_, wait);
  }
}

void GroupQueue::WaitForEvent(absl::Duration wait) {
  const base::MutexLock lock(mutex_);
  if (events_.empty() && wait > absl::ZeroDuration()) came_.WaitFor(mutex_, wait);
}

int64_t GroupQueue::bytes(TopicId topic) const {
  const base::MutexLock lock(mutex_);
  const auto bytes = bytes_.find(topic);
  return bytes == bytes_.end() ? 0 : bytes->second;
}

}  // namespace talosmq::client
