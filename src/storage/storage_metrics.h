#pragma once

#include "base/metrics.h"

#include <atomic>
#include <cstdint>

namespace talosmq::storage {

/// What the logs of a data directory tell about themselves. Thread-safe; borrows the registry.
struct StorageMetrics {
  explicit StorageMetrics(base::MetricRegistry& registry);

  base::Counter& flushes;
  base::Histogram& flush_seconds;
  base::Histogram& flush_group_bytes;
  base::Gauge& cache_bytes;
  base::Counter& cache_hits;
  base::Counter& cold_reads;
  base::Counter& cold_read_bytes;
  base::Counter& recovered_bytes;
  base::Counter& truncated_bytes;
  base::Counter& indexes_rebuilt;
  base::Counter& corruptions;
  base::Counter& fences;

  /// Files of segments were opened or closed, `change` of them.
  void AddOpenFiles(int64_t change);

 private:
  base::Gauge& open_files_;
  std::atomic<int64_t> open_files_now_{0};
};

}  // namespace talosmq::storage
