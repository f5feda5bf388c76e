#include "base/mutex.h"

#ifdef TALOSMQ_PTHREAD_MUTEX
#include <chrono>
#endif

namespace talosmq::base {

#ifdef TALOSMQ_PTHREAD_MUTEX

void CondVar::Wait(Mutex& mutex) {
  std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
  condition_.wait(lock);
  lock.release();
}

bool CondVar::WaitFor(Mutex& mutex, absl::Duration timeout) {
  if (timeout == absl::InfiniteDuration()) {
    Wait(mutex);
    return false;
  }
  std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
  const std::cv_status status = condition_.wait_for(lock, absl::ToChronoNanoseconds(timeout));
  lock.release();
  return status == std::cv_status::timeout;
}

void CondVar::Signal() { condition_.notify_one(); }
void CondVar::SignalAll() { condition_.notify_all(); }

#else

#ifdef NDEBUG
namespace {

// Debian builds Abseil with its deadlock detector in, which more than doubles the price of a lock
// (60 ns, 24 ns without it). Release builds do without; all others keep it.
[[maybe_unused]] const bool kDetectorIsOff = [] {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return true;
}();

}  // namespace
#endif

void CondVar::Wait(Mutex& mutex) { condition_.Wait(&mutex.mutex_); }

bool CondVar::WaitFor(Mutex& mutex, absl::Duration timeout) {
  return condition_.WaitWithTimeout(&mutex.mutex_, timeout);
}

void CondVar::Signal() { condition_.Signal(); }
void CondVar::SignalAll() { condition_.SignalAll(); }

#endif

}  // namespace talosmq::base
