#include "client/flush_tracker.h"

#include "base/check.h"

#include <utility>

namespace talosmq::client {

int64_t FlushTracker::BatchOpened() {
  const base::MutexLock lock(mutex_);
  ++batches_[generation_];
  return generation_;
}

void FlushTracker::BatchDone(int64_t generation) {
  std::vector<base::Task> finished;
  {
    const base::MutexLock lock(mutex_);
    const auto count = batches_.find(generation);
    TALOSMQ_CHECK(count != batches_.end()) << "generation=" << generation;
    if (--count->second == 0) batches_.erase(count);
    finished = TakeFinishedLocked();
  }
  for (base::Task& done : finished) done();
}

void FlushTracker::Flush(base::Task done) {
  std::vector<base::Task> finished;
  {
    const base::MutexLock lock(mutex_);
    waiters_.push_back({.generation = generation_, .done = std::move(done)});
    ++generation_;
    finished = TakeFinishedLocked();
  }
  for (base::Task& task : finished) task();
}

bool FlushTracker::IsAwaited(int64_t generation) const {
  const base::MutexLock lock(mutex_);
  return generation < generation_;
}

std::vector<base::Task> FlushTracker::TakeFinishedLocked() {
  std::vector<base::Task> finished;
  while (!waiters_.empty() &&
         (batches_.empty() || batches_.begin()->first > waiters_.front().generation)) {
    finished.push_back(std::move(waiters_.front().done));
    waiters_.erase(waiters_.begin());
  }
  return finished;
}

}  // namespace talosmq::client
