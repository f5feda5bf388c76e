#pragma once

#include "base/metrics.h"

#include "absl/status/status.h"

#include <array>
#include <atomic>
#include <cstdint>

namespace talosmq::broker {

/// What the broker counts, all partitions together. Thread-safe. Borrows the registry.
class BrokerMetrics {
 public:
  explicit BrokerMetrics(base::MetricRegistry& registry);

  void CountAppend(int64_t records, int64_t bytes);
  void CountFetch(int64_t bytes);
  /// Counts a call that failed by its reason.
  void CountError(const absl::Status& status);
  /// `change` is +1 or -1 and so on.
  void AddWaitingFetches(int64_t change);
  void AddPartitionsLed(int64_t change);

 private:
  base::MetricRegistry& registry_;
  base::Counter& appended_records_;
  base::Counter& appended_bytes_;
  base::Counter& appended_batches_;
  base::Counter& fetched_bytes_;
  base::Gauge& waiting_fetches_;
  base::Gauge& partitions_led_;
  std::atomic<int64_t> waiting_fetches_now_{0};
  std::atomic<int64_t> partitions_led_now_{0};
};

}  // namespace talosmq::broker
