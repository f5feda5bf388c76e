#pragma once

#include "base/executor.h"
#include "base/mutex.h"
#include "support/manual_clock.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <map>
#include <utility>

namespace talosmq::support {

/// An executor whose tasks run when the test says so, on the test's thread. Timers follow the
/// clock: they are due when it has passed them. Tasks may be posted from any thread; running is
/// for one thread.
class ManualExecutor final : public base::Executor {
 public:
  explicit ManualExecutor(const ManualClock& clock) : clock_(clock) {}
  ~ManualExecutor() override;

  void Post(base::Task task) override;
  [[nodiscard]] bool TryPost(base::Task& task) override;
  base::TimerId PostAfter(absl::Duration delay, base::Task task) override;
  void Cancel(base::TimerId timer) override;
  bool IsCurrent() const override { return is_running_; }

  /// Runs the oldest task that is due; false when there is none.
  bool RunOne();
  /// Runs until nothing is due; returns how many ran.
  size_t RunUntilIdle();
  /// What a process that dies leaves undone.
  void DropAll();
  /// When the next timer is due, InfiniteDuration without one.
  absl::Duration NextTimer() const;
  size_t queued() const;
  /// Bound of TryPost.
  void set_queue_tasks_max(size_t tasks) { queue_tasks_max_ = tasks; }

 private:
  void MoveDueTimersLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ManualClock& clock_;
  bool is_running_ = false;
  size_t queue_tasks_max_ = 65536;
  mutable base::Mutex mutex_;
  std::deque<base::Task> tasks_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<absl::Duration, uint64_t>, base::Task> timers_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_timer_ ABSL_GUARDED_BY(mutex_) = 0;
};

/// Runs all of them, round and round, until none has a task that is due.
void RunAllUntilIdle(std::initializer_list<ManualExecutor*> executors);

}  // namespace talosmq::support
