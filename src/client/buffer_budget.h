#pragma once

#include "base/mutex.h"

#include <atomic>
#include <cstdint>

namespace talosmq::client {

/// How much a producer may hold: bytes of all records that were accepted and not yet answered, in
/// open batches, sealed ones and those under way.
///
/// Invariant: 0 <= taken <= bytes_max. Thread-safe; taking and giving are lock-free as long as
/// nobody waits.
class BufferBudget {
 public:
  explicit BufferBudget(int64_t bytes_max) : bytes_max_(bytes_max) {}

  /// False, with nothing taken, when `bytes` more would exceed the bound.
  [[nodiscard]] bool TryTake(int64_t bytes);
  void Give(int64_t bytes);

  /// Waits until `bytes` could be taken, or Close(). What it saw may be gone when it returns.
  void WaitForRoom(int64_t bytes);
  /// True while somebody waits: whoever holds back bytes for company should let them go.
  bool is_scarce() const { return waiting_.load(std::memory_order_relaxed) > 0; }
  /// Nobody waits any more. What was taken may still be given.
  void Close();

 private:
  const int64_t bytes_max_;
  std::atomic<int64_t> taken_{0};
  std::atomic<int32_t> waiting_{0};
  base::Mutex mutex_;
  base::CondVar given_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace talosmq::client
