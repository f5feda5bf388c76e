#pragma once

#include "base/executor.h"
#include "base/mutex.h"

#include <utility>

namespace talosmq::kafka {

/// Tells whoever works on something that nobody waits for it any more. Thread-safe.
class Cancellation {
 public:
  bool is_cancelled() const {
    const base::MutexLock lock(mutex_);
    return is_cancelled_;
  }
  /// `listener` runs once when it is cancelled, at once when it is already; another one takes its
  /// place.
  void SetListener(base::Task listener) {
    {
      const base::MutexLock lock(mutex_);
      if (!is_cancelled_) {
        listener_ = std::move(listener);
        return;
      }
    }
    listener();
  }
  void Cancel() {
    base::Task listener;
    {
      const base::MutexLock lock(mutex_);
      is_cancelled_ = true;
      listener = std::move(listener_);
      listener_ = nullptr;
    }
    if (listener) listener();
  }

 private:
  mutable base::Mutex mutex_;
  bool is_cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  base::Task listener_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talosmq::kafka
