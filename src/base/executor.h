#pragma once

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"

#include <cstdint>
#include <memory>
#include <string>

namespace talosmq::base {

using Task = absl::AnyInvocable<void()>;

/// A callback that is called exactly once.
template <typename... Args>
using Callback = absl::AnyInvocable<void(Args...)>;

enum class TimerId : uint64_t { kNone = 0 };

/// A serial queue: tasks run one after another, in the order they were posted; a task may post.
/// Everything that waits is a callback on one of these. Thread-safe.
class Executor {
 public:
  virtual ~Executor() = default;

  /// Always takes the task: for completions and for work that is bounded elsewhere.
  virtual void Post(Task task) = 0;
  /// Takes new work from outside; false, with the task untouched, when the queue is at its bound.
  [[nodiscard]] virtual bool TryPost(Task& task) = 0;
  /// Posts the task once `delay` has passed by the monotonic clock.
  virtual TimerId PostAfter(absl::Duration delay, Task task) = 0;
  /// Drops a timer that has not been posted yet; any other id is ignored. A task already posted
  /// runs.
  virtual void Cancel(TimerId timer) = 0;
  /// True when called from a task of this executor.
  virtual bool IsCurrent() const = 0;
};

/// An executor with a thread of its own, named `name` (at most 15 characters).
///
/// Stop(): what is queued still runs, timers are dropped, later posts are dropped, then the thread
/// is joined. The destructor stops too. Must not be stopped from one of its own tasks.
class ThreadExecutor final : public Executor {
 public:
  struct Options {
    std::string name;
    size_t queue_tasks_max = 65536;  ///< Bound of TryPost.
    /// Of the thread, as nice(1): at 10 it gets a tenth of a busy processor. 0 to 19.
    int niceness = 0;
  };

  explicit ThreadExecutor(Options options);
  ~ThreadExecutor() override;

  void Post(Task task) override;
  [[nodiscard]] bool TryPost(Task& task) override;
  TimerId PostAfter(absl::Duration delay, Task task) override;
  void Cancel(TimerId timer) override;
  bool IsCurrent() const override;
  void Stop();

 private:
  class Queue;
  std::unique_ptr<Queue> queue_;
};

}  // namespace talosmq::base
