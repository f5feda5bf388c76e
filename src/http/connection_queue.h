#pragma once

#include "base/executor.h"
#include "base/mutex.h"

#include <httplib.h>

#include <functional>
#include <memory>
#include <vector>

namespace talosmq::http {

/// Hands accepted connections to kThreads threads. With kWaitingConnectionsMax of them waiting,
/// enqueue() blocks, so the accepting thread stops and further connections wait in the kernel.
/// Thread-safe. Owned by httplib while it listens.
class ConnectionQueue final : public httplib::TaskQueue {
 public:
  ConnectionQueue();
  ~ConnectionQueue() override;
  void enqueue(std::function<void()> connection) override;
  void shutdown() override;

 private:
  base::Mutex mutex_;
  base::CondVar has_room_;
  size_t waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t next_ ABSL_GUARDED_BY(mutex_) = 0;  ///< Thread that gets the next connection.
  std::vector<std::unique_ptr<base::ThreadExecutor>> threads_;
};

}  // namespace talosmq::http
