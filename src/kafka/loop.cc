#include "kafka/loop.h"

#include "base/check.h"

#include <asio/post.hpp>

#include <utility>

namespace talosmq::kafka {

Loop::Loop(const std::string& thread_name)
    : context_(std::make_unique<asio::io_context>(1)),
      work_(context_->get_executor()),
      thread_({.name = thread_name}) {
  thread_.Post([context = context_.get()] { context->run(); });
}

Loop::~Loop() { TALOSMQ_CHECK(context_ == nullptr) << "stop the loop first"; }

void Loop::Post(base::Task task) {
  const base::MutexLock lock(mutex_);
  if (!is_stopped_) asio::post(*context_, std::move(task));
}

void Loop::Stop() {
  {
    const base::MutexLock lock(mutex_);
    is_stopped_ = true;
  }
  context_->stop();
  thread_.Stop();
  // Coroutines that wait hold connections, and these hold the loop.
  work_.reset();
  context_.reset();
}

}  // namespace talosmq::kafka
