#include "base/executor.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <system_error>
#include <thread>
#include <utility>

namespace talosmq::base {
namespace {

/// Linux keeps a priority for each thread, whatever POSIX says of the process.
void LowerPriority(const std::string& name, int niceness) {
  if (setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), niceness) == 0) return;
  LogWarning("base", "thread ", name, " keeps its priority, expected niceness ", niceness, ": ",
             std::generic_category().message(errno));
}

}  // namespace

/// The queue, the timers and the thread of one ThreadExecutor. Thread-safe.
class ThreadExecutor::Queue {
 public:
  explicit Queue(Options options) : tasks_max_(options.queue_tasks_max) {
    thread_ = std::thread([this, name = std::move(options.name), niceness = options.niceness] {
      thread_id_.store(std::this_thread::get_id());
      pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
      if (niceness > 0) LowerPriority(name, niceness);
      Run();
    });
  }

  void Post(Task task) {
    const MutexLock lock(mutex_);
    if (!stopping_) PushLocked(std::move(task));
  }

  bool TryPost(Task& task) {
    const MutexLock lock(mutex_);
    if (tasks_.size() >= tasks_max_) return false;
    if (!stopping_) PushLocked(std::move(task));
    return true;
  }

  TimerId PostAfter(absl::Duration delay, Task task) {
    const absl::Duration due = clock_.Monotonic() + std::max(delay, absl::ZeroDuration());
    const MutexLock lock(mutex_);
    const uint64_t id = ++last_timer_;
    if (stopping_) return TimerId{id};
    const auto timer = timers_.emplace(std::pair(due, id), std::move(task)).first;
    due_of_.emplace(id, due);
    if (timer == timers_.begin()) changed_.Signal();
    return TimerId{id};
  }

  void Cancel(TimerId timer) {
    Task dropped;  // Destroyed after the lock: what it holds may post.
    const MutexLock lock(mutex_);
    const auto due = due_of_.find(static_cast<uint64_t>(timer));
    if (due == due_of_.end()) return;
    const auto entry = timers_.find(std::pair(due->second, due->first));
    dropped = std::move(entry->second);
    timers_.erase(entry);
    due_of_.erase(due);
  }

  bool IsCurrent() const { return std::this_thread::get_id() == thread_id_.load(); }

  void Stop() {
    {
      const MutexLock lock(mutex_);
      stopping_ = true;
      changed_.Signal();
    }
    if (!thread_.joinable()) return;
    TALOSMQ_CHECK(!IsCurrent()) << "an executor cannot stop itself";
    thread_.join();
  }

 private:
  void PushLocked(Task task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    tasks_.push_back(std::move(task));
    if (idle_) changed_.Signal();
  }

  void Run() {
    std::deque<Task> batch;
    while (TakeBatch(batch)) {
      for (Task& task : batch) {
        task();
        task = nullptr;
      }
      batch.clear();
    }
  }

  /// Waits for tasks and takes all there are; false when stopped and nothing is left.
  bool TakeBatch(std::deque<Task>& batch) {
    std::map<std::pair<absl::Duration, uint64_t>, Task> dropped;
    const MutexLock lock(mutex_);
    while (true) {
      MoveDueTimersLocked();
      if (!tasks_.empty()) {
        batch.swap(tasks_);
        return true;
      }
      if (stopping_) {
        dropped.swap(timers_);
        due_of_.clear();
        return false;
      }
      idle_ = true;
      const absl::Duration wait = timers_.empty()
                                      ? absl::InfiniteDuration()
                                      : timers_.begin()->first.first - clock_.Monotonic();
      changed_.WaitFor(mutex_, wait);
      idle_ = false;
    }
  }

  void MoveDueTimersLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (timers_.empty() || stopping_) return;
    const absl::Duration now = clock_.Monotonic();
    while (!timers_.empty() && timers_.begin()->first.first <= now) {
      const auto timer = timers_.begin();
      tasks_.push_back(std::move(timer->second));
      due_of_.erase(timer->first.second);
      timers_.erase(timer);
    }
  }

  const size_t tasks_max_;
  const SystemClock clock_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  /// By due time, then by id so that equal times keep their order.
  std::map<std::pair<absl::Duration, uint64_t>, Task> timers_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, absl::Duration> due_of_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_timer_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  /// The thread waits; only then is a signal worth its system call.
  bool idle_ ABSL_GUARDED_BY(mutex_) = false;
  std::atomic<std::thread::id> thread_id_;
  std::thread thread_;  // Last: it starts with everything above in place.
};

ThreadExecutor::ThreadExecutor(Options options)
    : queue_(std::make_unique<Queue>(std::move(options))) {}

ThreadExecutor::~ThreadExecutor() { Stop(); }

void ThreadExecutor::Post(Task task) { queue_->Post(std::move(task)); }
bool ThreadExecutor::TryPost(Task& task) { return queue_->TryPost(task); }
TimerId ThreadExecutor::PostAfter(absl::Duration delay, Task task) {
  return queue_->PostAfter(delay, std::move(task));
}
void ThreadExecutor::Cancel(TimerId timer) { queue_->Cancel(timer); }
bool ThreadExecutor::IsCurrent() const { return queue_->IsCurrent(); }
void ThreadExecutor::Stop() { queue_->Stop(); }

}  // namespace talosmq::base
