#include "http/connection_queue.h"

#include "http/limits.h"

#include <string>
#include <utility>

namespace talosmq::http {

ConnectionQueue::ConnectionQueue(std::function<void()> make_room)
    : make_room_(std::move(make_room)) {
  for (size_t i = 0; i < kThreads; ++i) {
    threads_.push_back(std::make_unique<base::ThreadExecutor>(
        base::ThreadExecutor::Options{.name = "http-" + std::to_string(i)}));
    threads_.back()->Post([this] { Serve(); });
  }
}

ConnectionQueue::~ConnectionQueue() = default;

void ConnectionQueue::enqueue(std::function<void()> connection) {
  absl::Duration patience = kMakeRoomInterval;
  {
    const base::MutexLock lock(mutex_);
    next_ = std::move(connection);
    has_work_.Signal();
    if (idle_threads_ == 0) patience = absl::ZeroDuration();
  }
  for (; !WaitUntilTaken(patience); patience = kMakeRoomInterval) make_room_();
}

bool ConnectionQueue::WaitUntilTaken(absl::Duration patience) {
  const base::MutexLock lock(mutex_);
  if (next_ != nullptr) is_taken_.WaitFor(mutex_, patience);
  return next_ == nullptr;
}

void ConnectionQueue::Serve() {
  for (;;) {
    std::function<void()> connection;
    {
      const base::MutexLock lock(mutex_);
      ++idle_threads_;
      while (next_ == nullptr && !is_over_) has_work_.Wait(mutex_);
      --idle_threads_;
      if (next_ == nullptr) return;
      connection = std::exchange(next_, nullptr);
      is_taken_.Signal();
    }
    connection();
  }
}

void ConnectionQueue::shutdown() {
  {
    const base::MutexLock lock(mutex_);
    is_over_ = true;
    has_work_.SignalAll();
  }
  for (const auto& thread : threads_) thread->Stop();
}

}  // namespace talosmq::http
