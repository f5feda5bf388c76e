#pragma once

#include "base/executor.h"
#include "base/mutex.h"

#include <memory>
#include <optional>
#include <utility>

namespace talosmq::client {

/// The place where a blocking call waits for the one value that a callback brings. Thread-safe.
/// Shared with the callback, which may outlive the waiting call.
template <typename T>
class PendingResult {
 public:
  /// Brings the value; to be called once.
  base::Callback<T> callback() {
    return [state = state_](T value) {
      const base::MutexLock lock(state->mutex);
      state->value = std::move(value);
      state->came.Signal();
    };
  }

  T Wait() {
    const base::MutexLock lock(state_->mutex);
    while (!state_->value.has_value()) state_->came.Wait(state_->mutex);
    return std::move(*state_->value);
  }

 private:
  struct State {
    base::Mutex mutex;
    base::CondVar came;
    std::optional<T> value ABSL_GUARDED_BY(mutex);
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace talosmq::client
