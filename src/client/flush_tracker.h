#pragma once

#include "base/executor.h"
#include "base/mutex.h"

#include <cstdint>
#include <map>
#include <vector>

namespace talosmq::client {

/// Tells when everything that was accepted before a flush has its deliveries.
///
/// Batches are counted by generation, the number of flushes begun before they were opened. A flush
/// begins the next generation and is over when no batch of an older one is left:
///   open A (generation 0), flush, open B (generation 1), A delivered: the flush is over.
/// Thread-safe; callbacks run outside of the lock, on the thread that ended the wait.
class FlushTracker {
 public:
  /// A batch was opened; returns the generation to end it with.
  int64_t BatchOpened();
  /// All records of a batch of `generation` have their delivery.
  void BatchDone(int64_t generation);

  /// `done` runs once, when every batch opened before has ended; at once if there is none.
  void Flush(base::Task done);
  /// True for an open batch that a flush waits for.
  bool IsAwaited(int64_t generation) const;

 private:
  struct Waiter {
    int64_t generation;  ///< Waits for it and all older ones.
    base::Task done;
  };
  std::vector<base::Task> TakeFinishedLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable base::Mutex mutex_;
  int64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<int64_t, int64_t> batches_ ABSL_GUARDED_BY(mutex_);  ///< Not yet done, by generation.
  std::vector<Waiter> waiters_ ABSL_GUARDED_BY(mutex_);         ///< Ascending generations.
};

}  // namespace talosmq::client
