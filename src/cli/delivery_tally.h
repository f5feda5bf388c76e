#pragma once

#include "base/mutex.h"
#include "talosmq/producer.h"

#include "absl/status/status.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

namespace talosmq::cli {

/// A batch that the server acknowledged.
struct AcknowledgedBatch {
  PartitionId partition;
  Offset first_offset;
  Offset last_offset;
  int64_t count = 0;
};

/// Counts what became of the lines that `produce` sent; a delivery's tag is the number of its line.
/// Thread-safe: the producer's thread counts, the command's thread looks.
class DeliveryTally {
 public:
  struct Totals {
    int64_t accepted = 0;  ///< At least what was told below, but for what was not accepted.
    int64_t acknowledged = 0;
    int64_t not_acknowledged = 0;      ///< Refused, or perhaps stored and perhaps not.
    int64_t certainly_not_stored = 0;  ///< Of these, among what was accepted.
    uint64_t first_failed_line = 0;
    absl::Status first_failure;  ///< OK while there is none.
  };

  /// Called with each acknowledged batch, on the producer's thread.
  using OnBatch = std::function<void(const AcknowledgedBatch&)>;

  /// `on_batch` may be empty.
  explicit DeliveryTally(OnBatch on_batch) : on_batch_(std::move(on_batch)) {}

  /// What ProducerOptions::on_delivery is told: one answered batch.
  void Count(std::span<const Delivery> batch);
  /// A line that the producer accepted: Count will tell what became of it.
  void NoteAccepted() { accepted_.fetch_add(1, std::memory_order_relaxed); }
  /// A line that the producer did not accept.
  void CountRefused(uint64_t line, const absl::Status& status);
  Totals totals() const;

 private:
  void NoteFailureLocked(uint64_t line, const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const OnBatch on_batch_;
  std::atomic<int64_t> accepted_ = 0;
  mutable base::Mutex mutex_;
  Totals totals_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talosmq::cli
