#pragma once

#include "base/executor.h"
#include "base/mutex.h"

#include <cstdint>
#include <optional>
#include <utility>

namespace talosmq::base {

/// Counts the work that is under way, so that a stop can refuse new work and wait for the rest.
/// (The idea is seastar's gate.) Thread-safe; outlives every Pass it gave.
class Gate {
 public:
  /// Proof of having entered; leaves when it goes. Move-only.
  class Pass {
   public:
    Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Pass& operator=(Pass&&) = delete;
    ~Pass();

   private:
    friend class Gate;
    explicit Pass(Gate* gate) : gate_(gate) {}
    Gate* gate_;
  };

  /// Nothing once Close() was called.
  std::optional<Pass> Enter();
  /// Refuses new work; `done` runs once, when the last Pass has gone (at once if there is none).
  void Close(Task done);
  /// Close() and wait for it. Not from a thread that holds a Pass.
  void CloseAndWait();

 private:
  void Leave();

  Mutex mutex_;
  int64_t entered_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  Task done_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talosmq::base
