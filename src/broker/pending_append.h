#pragma once

#include "base/executor.h"
#include "broker/messages.h"
#include "record/batch.h"

#include "absl/time/time.h"

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

namespace talosmq::broker {

/// Bytes of batches that have been taken in and given no offset yet, with a bound. Thread-safe;
/// outlives every Share.
class AppendBudget {
 public:
  /// Part of the budget; goes back when it goes. Move-only.
  class Share {
   public:
    Share(Share&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)), bytes_(other.bytes_) {}
    Share& operator=(Share&&) = delete;
    ~Share() { Release(); }
    /// Gives it back now.
    void Release() {
      if (budget_ != nullptr) std::exchange(budget_, nullptr)->taken_.fetch_sub(bytes_);
    }

   private:
    friend class AppendBudget;
    Share(AppendBudget* budget, int64_t bytes) : budget_(budget), bytes_(bytes) {}
    AppendBudget* budget_;
    int64_t bytes_;
  };

  explicit AppendBudget(int64_t bytes_max) : bytes_max_(bytes_max) {}

  /// Nothing when `bytes` more would go beyond the bound. Something alone always fits.
  std::optional<Share> Take(int64_t bytes) {
    const int64_t before = taken_.fetch_add(bytes);
    if (before == 0 || before + bytes <= bytes_max_) return Share(this, bytes);
    taken_.fetch_sub(bytes);
    return std::nullopt;
  }

 private:
  const int64_t bytes_max_;
  std::atomic<int64_t> taken_{0};
};

/// A checked batch on its way into a log. Answered exactly once through `done`.
struct PendingAppend {
  AppendRequest request;
  absl::Duration arrival;  ///< By the monotonic clock.
  record::BatchFacts facts;
  std::optional<absl::Time> log_append_time;
  AppendBudget::Share bytes;
  base::Callback<AppendOutcome> done;
  /// What is answered when the acknowledgement is released; set once the batch has its offsets.
  AppendOutcome outcome;
};

}  // namespace talosmq::broker
