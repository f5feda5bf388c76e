#pragma once

#include "base/executor.h"
#include "base/mutex.h"

#include <httplib.h>

#include <functional>
#include <memory>
#include <vector>

namespace talosmq::http {

/// Hands accepted connections to kThreads threads, each to the first that is free. While none is,
/// enqueue() asks for room and waits, so the accepting thread stops and further connections wait in
/// the kernel.
/// Thread-safe, but for enqueue(), which is the accepting thread's. Owned by httplib while it
/// listens.
class ConnectionQueue final : public httplib::TaskQueue {
 public:
  /// `make_room` may end a connection that has a thread.
  explicit ConnectionQueue(std::function<void()> make_room);
  ~ConnectionQueue() override;
  void enqueue(std::function<void()> connection) override;
  /// Waits for what is being served.
  void shutdown() override;

 private:
  bool WaitUntilTaken(absl::Duration patience);
  void Serve();

  const std::function<void()> make_room_;
  base::Mutex mutex_;
  base::CondVar is_taken_;
  base::CondVar has_work_;
  std::function<void()> next_ ABSL_GUARDED_BY(mutex_);  ///< Null when all have a thread.
  size_t idle_threads_ ABSL_GUARDED_BY(mutex_) = 0;
  bool is_over_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::unique_ptr<base::ThreadExecutor>> threads_;
};

}  // namespace talosmq::http
