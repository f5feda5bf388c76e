#include "http/connection_queue.h"

#include "http/limits.h"

#include <string>
#include <utility>

namespace talosmq::http {

ConnectionQueue::ConnectionQueue() {
  for (size_t i = 0; i < kThreads; ++i) {
    threads_.push_back(std::make_unique<base::ThreadExecutor>(
        base::ThreadExecutor::Options{.name = "http-" + std::to_string(i)}));
  }
}

ConnectionQueue::~ConnectionQueue() = default;

void ConnectionQueue::enqueue(std::function<void()> connection) {
  size_t thread = 0;
  {
    const base::MutexLock lock(mutex_);
    while (waiting_ >= kWaitingConnectionsMax) has_room_.Wait(mutex_);
    ++waiting_;
    thread = next_++ % threads_.size();
  }
  threads_[thread]->Post([this, connection = std::move(connection)] {
    {
      const base::MutexLock lock(mutex_);
      --waiting_;
      has_room_.Signal();
    }
    connection();
  });
}

void ConnectionQueue::shutdown() {
  for (const auto& thread : threads_) thread->Stop();
}

}  // namespace talosmq::http
