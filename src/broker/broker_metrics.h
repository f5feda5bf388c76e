#pragma once

#include "base/metrics.h"

#include "absl/status/status.h"
#include "absl/time/time.h"

#include <array>
#include <atomic>
#include <cstdint>

namespace talosmq::broker {

/// What is asked of one partition.
enum class RequestKind { kProduce, kFetch, kFindOffset, kDeleteRecords };
inline constexpr size_t kRequestKinds = 4;

/// What the broker counts, all partitions together. Thread-safe. Borrows the registry.
class BrokerMetrics {
 public:
  explicit BrokerMetrics(base::MetricRegistry& registry);

  void CountAppend(int64_t records, int64_t bytes);
  void CountFetch(int64_t records, int64_t batches, int64_t bytes);
  /// Once for each request to a partition, when it is answered.
  void CountRequest(RequestKind kind, const absl::Status& status);
  /// From the arrival of a batch until it has its offsets.
  void ObserveQueueWait(absl::Duration taken);
  /// From the arrival of a batch until it is acknowledged.
  void ObserveProduce(absl::Duration taken);
  /// Of a read of committed records; waiting for them is not in it.
  void ObserveFetch(absl::Duration taken);
  /// `change` is +1 or -1 and so on.
  void AddWaitingAppends(int64_t change);
  void AddWaitingFetches(int64_t change);
  void AddPartitionsLed(int64_t change);
  void AddCorruptRanges(int64_t change);

 private:
  base::MetricRegistry& registry_;
  base::Counter& appended_records_;
  base::Counter& appended_bytes_;
  base::Counter& appended_batches_;
  base::Counter& fetched_records_;
  base::Counter& fetched_bytes_;
  base::Counter& fetched_batches_;
  base::Histogram& queue_wait_seconds_;
  base::Histogram& produce_seconds_;
  base::Histogram& fetch_seconds_;
  /// Requests that went well, by kind.
  const std::array<base::Counter*, kRequestKinds> done_requests_;
  base::Gauge& waiting_appends_;
  base::Gauge& waiting_fetches_;
  base::Gauge& partitions_led_;
  base::Gauge& corrupt_ranges_;
  std::atomic<int64_t> waiting_appends_now_{0};
  std::atomic<int64_t> waiting_fetches_now_{0};
  std::atomic<int64_t> partitions_led_now_{0};
  std::atomic<int64_t> corrupt_ranges_now_{0};
};

}  // namespace talosmq::broker
