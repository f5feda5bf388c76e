#pragma once

#include "base/executor.h"
#include "base/mutex.h"

#include <memory>
#include <optional>
#include <utility>

namespace talosmq::server {

/// Waits for the one answer of a call that takes a callback:
///   absl::Status status = Await<absl::Status>([&](auto done) { broker.Stop(std::move(done)); });
/// For the main thread, which starts and stops the parts one after another; never for an executor.
template <typename T, typename Call>
T Await(Call&& call) {
  struct Answer {
    base::Mutex mutex;
    base::CondVar is_there;
    std::optional<T> value ABSL_GUARDED_BY(mutex);
  };
  // Shared: the callback may still be inside Signal when the wait is over.
  const auto answer = std::make_shared<Answer>();
  std::forward<Call>(call)(base::Callback<T>([answer](T value) {
    const base::MutexLock lock(answer->mutex);
    answer->value.emplace(std::move(value));
    answer->is_there.Signal();
  }));
  const base::MutexLock lock(answer->mutex);
  while (!answer->value.has_value()) answer->is_there.Wait(answer->mutex);
  return *std::move(answer->value);
}

}  // namespace talosmq::server
