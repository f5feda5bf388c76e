#include "cli/delivery_tally.h"

#include "talosmq/error.h"

namespace talosmq::cli {

void DeliveryTally::Count(std::span<const Delivery> batch) {
  if (batch.empty()) return;
  const absl::Status& status = batch.front().status;
  const auto count = static_cast<int64_t>(batch.size());
  {
    const base::MutexLock lock(mutex_);
    if (status.ok()) {
      totals_.acknowledged += count;
    } else {
      totals_.not_acknowledged += count;
      if (ReasonOf(status) != Reason::kMaybeStored) totals_.certainly_not_stored += count;
      NoteFailureLocked(batch.front().tag, status);
    }
  }
  // With acks=none there is no answer, and so no offset to tell.
  if (status.ok() && on_batch_ && batch.front().offset >= Offset(0)) {
    on_batch_({.partition = batch.front().partition,
               .first_offset = batch.front().offset,
               .last_offset = batch.back().offset,
               .count = count});
  }
}

void DeliveryTally::CountRefused(uint64_t line, const absl::Status& status) {
  const base::MutexLock lock(mutex_);
  ++totals_.not_acknowledged;
  NoteFailureLocked(line, status);
}

DeliveryTally::Totals DeliveryTally::totals() const {
  const base::MutexLock lock(mutex_);
  Totals totals = totals_;
  totals.accepted = accepted_.load(std::memory_order_relaxed);
  return totals;
}

void DeliveryTally::NoteFailureLocked(uint64_t line, const absl::Status& status) {
  if (!totals_.first_failure.ok()) return;
  totals_.first_failed_line = line;
  totals_.first_failure = status;
}

}  // namespace talosmq::cli
