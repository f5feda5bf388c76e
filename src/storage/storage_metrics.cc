#include "storage/storage_metrics.h"

namespace talosmq::storage {
namespace {

base::Counter& AddCounter(base::MetricRegistry& registry, const char* name, const char* help) {
  return registry.AddCounter(name, help, {});
}

}  // namespace

StorageMetrics::StorageMetrics(base::MetricRegistry& registry)
    : flushes(AddCounter(registry, "talosmq_storage_flushes_total", "Flush groups made durable.")),
      flush_seconds(registry.AddHistogram(
          "talosmq_storage_flush_seconds", "Time to write and sync one flush group.", {},
          {0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3})),
      flush_group_bytes(registry.AddHistogram(
          "talosmq_storage_flush_group_bytes", "Bytes of one flush group.", {},
          {1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24, 1 << 25})),
      cache_bytes(registry.AddGauge("talosmq_storage_cache_bytes", "Bytes in the tail cache.", {})),
      cache_hits(AddCounter(registry, "talosmq_storage_cache_hits_total",
                            "Reads that the tail cache answered.")),
      cold_reads(AddCounter(registry, "talosmq_storage_cold_reads_total",
                            "Reads that the tail cache could not answer.")),
      cold_read_bytes(AddCounter(registry, "talosmq_storage_cold_read_bytes_total",
                                 "Bytes of batches read from segment files.")),
      recovered_bytes(AddCounter(registry, "talosmq_storage_recovered_bytes_total",
                                 "Bytes above the recorded flushed points that recovery kept.")),
      truncated_bytes(AddCounter(registry, "talosmq_storage_truncated_bytes_total",
                                 "Bytes of torn or zero tails that recovery cut.")),
      indexes_rebuilt(AddCounter(registry, "talosmq_storage_indexes_rebuilt_total",
                                 "Segment indexes that were missing or broken and made again.")),
      corruptions(AddCounter(registry, "talosmq_storage_corruptions_total",
                             "Times that damaged data was met.")),
      fences(AddCounter(registry, "talosmq_storage_fences_total",
                        "Logs fenced by a failed write or sync.")),
      open_files_(registry.AddGauge("talosmq_storage_open_files",
                                    "Files of segments held open, to write and to read.", {})) {}

void StorageMetrics::AddOpenFiles(int64_t change) {
  open_files_.Set(static_cast<double>(open_files_now_.fetch_add(change) + change));
}

}  // namespace talosmq::storage
