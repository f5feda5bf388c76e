#include "support/manual_executor.h"

#include <algorithm>

namespace talosmq::support {

ManualExecutor::~ManualExecutor() { DropAll(); }

void ManualExecutor::Post(base::Task task) {
  const base::MutexLock lock(mutex_);
  tasks_.push_back(std::move(task));
}

bool ManualExecutor::TryPost(base::Task& task) {
  const base::MutexLock lock(mutex_);
  if (tasks_.size() >= queue_tasks_max_) return false;
  tasks_.push_back(std::move(task));
  return true;
}

base::TimerId ManualExecutor::PostAfter(absl::Duration delay, base::Task task) {
  const base::MutexLock lock(mutex_);
  const uint64_t id = ++last_timer_;
  timers_.emplace(std::pair(clock_.Monotonic() + std::max(delay, absl::ZeroDuration()), id),
                  std::move(task));
  return base::TimerId{id};
}

void ManualExecutor::Cancel(base::TimerId timer) {
  base::Task dropped;  // Destroyed after the lock: what it holds may post.
  const base::MutexLock lock(mutex_);
  for (auto it = timers_.begin(); it != timers_.end(); ++it) {
    if (it->first.second != static_cast<uint64_t>(timer)) continue;
    dropped = std::move(it->second);
    timers_.erase(it);
    return;
  }
}

void ManualExecutor::MoveDueTimersLocked() {
  while (!timers_.empty() && timers_.begin()->first.first <= clock_.Monotonic()) {
    tasks_.push_back(std::move(timers_.begin()->second));
    timers_.erase(timers_.begin());
  }
}

bool ManualExecutor::RunOne() {
  base::Task task;
  {
    const base::MutexLock lock(mutex_);
    MoveDueTimersLocked();
    if (tasks_.empty()) return false;
    task = std::move(tasks_.front());
    tasks_.pop_front();
  }
  const bool was_running = std::exchange(is_running_, true);
  task();
  task = nullptr;
  is_running_ = was_running;
  return true;
}

size_t ManualExecutor::RunUntilIdle() {
  size_t ran = 0;
  while (RunOne()) ++ran;
  return ran;
}

void ManualExecutor::DropAll() {
  std::deque<base::Task> tasks;
  std::map<std::pair<absl::Duration, uint64_t>, base::Task> timers;
  {
    const base::MutexLock lock(mutex_);
    tasks.swap(tasks_);
    timers.swap(timers_);
  }
}

absl::Duration ManualExecutor::NextTimer() const {
  const base::MutexLock lock(mutex_);
  return timers_.empty() ? absl::InfiniteDuration() : timers_.begin()->first.first;
}

size_t ManualExecutor::queued() const {
  const base::MutexLock lock(mutex_);
  return tasks_.size();
}

void RunAllUntilIdle(std::initializer_list<ManualExecutor*> executors) {
  bool ran = true;
  while (ran) {
    ran = false;
    for (ManualExecutor* executor : executors) ran = executor->RunUntilIdle() > 0 || ran;
  }
}

}  // namespace talosmq::support
