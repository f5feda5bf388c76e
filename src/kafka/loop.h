#pragma once

#include "base/executor.h"
#include "base/mutex.h"

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>

#include <memory>
#include <string>

namespace talosmq::kafka {

/// One thread that serves sockets; what is made on its context lives on that thread alone.
/// Thread-safe. Stop() before the destructor; not from the thread itself.
class Loop {
 public:
  explicit Loop(const std::string& thread_name);
  ~Loop();

  /// Only before Stop().
  asio::io_context& context() { return *context_; }
  /// Runs the task on the thread; drops it after Stop().
  void Post(base::Task task);
  /// Ends the thread and destroys all that waits on it.
  void Stop();

 private:
  base::Mutex mutex_;
  bool is_stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<asio::io_context> context_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  base::ThreadExecutor thread_;  ///< Has one task: to run the context.
};

}  // namespace talosmq::kafka
