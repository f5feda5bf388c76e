#pragma once

#include "base/metrics.h"

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
};

}  // namespace talosmq::storage
