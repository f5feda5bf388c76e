#pragma once

#include "base/mutex.h"

#include "absl/time/time.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace talosmq::client {

/// How much a producer may hold: bytes of all records that were accepted and are not gone yet, in
/// open batches, sealed ones and those that the network still has.
///
/// Invariant: 0 <= taken <= bytes_max. Thread-safe; taking and giving are lock-free as long as
/// nobody waits. Shared with what was taken, see BudgetShare.
class BufferBudget {
 public:
  explicit BufferBudget(int64_t bytes_max) : bytes_max_(bytes_max) {}

  /// False, with nothing taken, when `bytes` more would exceed the bound.
  [[nodiscard]] bool TryTake(int64_t bytes);
  void Give(int64_t bytes);
  /// So much more of what is taken belongs to batches that still fill; negative: so much less.
  void AddFilling(int64_t bytes) { filling_.fetch_add(bytes, std::memory_order_relaxed); }

  /// Waits until `bytes` could be taken, something was given, Close(), or for `wait`. What it saw
  /// may be gone by then.
  void WaitForRoom(int64_t bytes, absl::Duration wait);
  int64_t taken() const { return taken_.load(std::memory_order_relaxed); }
  bool has_waiters() const { return waiting_.load(std::memory_order_relaxed) > 0; }
  /// True when little is to be expected from batches under way: whoever waits for room waits for
  /// those that still fill to be let go.
  bool is_mostly_filling() const { return taken() - filling_.load() < bytes_max_ / 4; }
  /// Nobody waits any more. What was taken may still be given.
  void Close();

 private:
  const int64_t bytes_max_;
  std::atomic<int64_t> taken_{0};
  std::atomic<int64_t> filling_{0};
  std::atomic<int32_t> waiting_{0};
  base::Mutex mutex_;
  base::CondVar given_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

/// A part of a budget, given back when this goes: with the batch it was taken for, or with the last
/// of the batch's bytes that the network holds, whichever is later. Counts as filling until
/// NoteFull().
/// Thread-compatible; given back from any thread. Keeps the budget, for the network may hold bytes
/// longer than their producer lives.
class BudgetShare {
 public:
  explicit BudgetShare(std::shared_ptr<BufferBudget> budget) : budget_(std::move(budget)) {}
  BudgetShare(const BudgetShare&) = delete;
  BudgetShare& operator=(const BudgetShare&) = delete;
  ~BudgetShare() {
    NoteFull();
    if (bytes_ > 0) budget_->Give(bytes_);
  }

  /// False, and nothing has changed, when the budget has not so much left.
  [[nodiscard]] bool TryGrowTo(int64_t bytes) {
    if (!budget_->TryTake(bytes - bytes_)) return false;
    budget_->AddFilling(bytes - bytes_);
    filling_ += bytes - bytes_;
    bytes_ = bytes;
    return true;
  }
  void NoteFull() { budget_->AddFilling(-std::exchange(filling_, 0)); }
  int64_t bytes() const { return bytes_; }

 private:
  const std::shared_ptr<BufferBudget> budget_;
  int64_t bytes_ = 0;
  int64_t filling_ = 0;
};

}  // namespace talosmq::client
