#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"

#ifdef TALOSMQ_PTHREAD_MUTEX
#include <condition_variable>
#include <mutex>
#else
#include "absl/synchronization/mutex.h"
#endif

namespace talosmq::base {

class CondVar;

/// The one mutex of the project: absl::Mutex, or a standard one where ThreadSanitizer has to see
/// into it (preset tsan; the prebuilt Abseil is not instrumented). Thread-safe.
class ABSL_LOCKABLE Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

#ifdef TALOSMQ_PTHREAD_MUTEX
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  void Unlock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }
#else
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.Lock(); }
  void Unlock() ABSL_UNLOCK_FUNCTION() { mutex_.Unlock(); }
#endif

 private:
  friend class CondVar;
#ifdef TALOSMQ_PTHREAD_MUTEX
  std::mutex mutex_;
#else
  absl::Mutex mutex_;
#endif
};

class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_.Lock();
  }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

/// Waits may wake without reason; callers loop over their condition.
class CondVar {
 public:
  void Wait(Mutex& mutex) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  /// True when `timeout` passed without a signal. An infinite duration waits for ever.
  bool WaitFor(Mutex& mutex, absl::Duration timeout) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void Signal();
  void SignalAll();

 private:
#ifdef TALOSMQ_PTHREAD_MUTEX
  std::condition_variable condition_;
#else
  absl::CondVar condition_;
#endif
};

}  // namespace talosmq::base
