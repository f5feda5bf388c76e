// How fast does one reader get through a log, from memory and from the disk's files, and what does
// finding its place cost? Cold reads check CRC, chain and index of every byte; the files are in the
// page cache. Twins in bench/load: consume, catch_up.py.

#include "storage/segment_index.h"

#include "bench_store.h"
#include "benchmark/benchmark.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace talosmq::storage {
namespace {

constexpr BenchBatch kBatch{.records = 16, .value_bytes = 1000};
constexpr int64_t kReadBytes = int64_t{1} << 20;

/// Reads the log from its start to its end again and again.
void ReadThrough(benchmark::State& state, int64_t log_bytes, LogStoreOptions options) {
  const BenchDirectory directory;
  BenchStore store(directory.path(), std::move(options));
  store.Open(BenchLogId());
  const base::Buffer batch = MakeBatch(kBatch);
  Offset end;
  for (int64_t bytes = 0; bytes < log_bytes; bytes += static_cast<int64_t>(batch.size())) {
    store.Append(BenchLogId(), batch);
    end = end + kBatch.records;
    if (end.value() % (100 * kBatch.records) == 0) store.WaitUntilDurable(BenchLogId(), end);
  }
  store.WaitUntilDurable(BenchLogId(), end);
  int64_t bytes = 0;
  Offset next;
  for (auto _ : state) {
    const ReadResult read = store.Read(BenchLogId(), next, kReadBytes);
    for (const base::Buffer& chunk : read.chunks) bytes += static_cast<int64_t>(chunk.size());
    next = read.next_offset < end ? read.next_offset : Offset(0);
  }
  state.SetBytesProcessed(bytes);
}

void BM_ReadFromCache(benchmark::State& state) { ReadThrough(state, int64_t{64} << 20, {}); }
BENCHMARK(BM_ReadFromCache)->UseRealTime();

void BM_ReadCold(benchmark::State& state) {
  LogStoreOptions options;
  options.tail_cache_bytes_max = int64_t{4} << 20;
  ReadThrough(state, int64_t{256} << 20, std::move(options));
}
BENCHMARK(BM_ReadCold)->UseRealTime();

/// In the index of a segment with so many runs: 256 MiB have 65,536 of 4 KiB.
void BM_IndexLookup(benchmark::State& state) {
  const int64_t runs = state.range(0);
  std::vector<IndexEntry> entries;
  for (int64_t i = 0; i < runs; ++i) {
    entries.push_back({.first_offset = Offset(i * 4),
                       .end_offset = Offset(i * 4 + 4),
                       .position = static_cast<uint32_t>(i * 4096),
                       .size = 4096});
  }
  uint64_t place = 0;
  for (auto _ : state) {
    place = place * 6364136223846793005U + 1442695040888963407U;
    const auto offset = static_cast<int64_t>(place >> 33U) % (runs * 4);
    benchmark::DoNotOptimize(FindRun(entries, Offset(offset)));
  }
}
BENCHMARK(BM_IndexLookup)->Arg(256)->Arg(65536);

}  // namespace
}  // namespace talosmq::storage
