// How fast does compaction get through a log in which half of the records are superseded? Bytes are
// those of the log before it, items its records, each with a key.

#include "base/check.h"

#include "bench_store.h"
#include "benchmark/benchmark.h"

namespace talosmq::storage {
namespace {

constexpr LogOptions kCompacted{.segment_bytes = int64_t{8} << 20,
                                .compaction = CompactionRules{.dirty_ratio_min = 0.01}};

void BM_Compact(benchmark::State& state) {
  const auto value_bytes = static_cast<size_t>(state.range(0));
  constexpr int64_t kLogBytes = int64_t{64} << 20;
  BenchBatch batch{.records = 100, .value_bytes = value_bytes};
  const int64_t batches = kLogBytes / (100 * static_cast<int64_t>(value_bytes + 20));
  batch.keys = batches * batch.records / 2;
  const BenchDirectory directory;
  BenchStore store(directory.path());
  int64_t bytes = 0;
  for (auto _ : state) {
    state.PauseTiming();
    store.Open(BenchLogId(), kCompacted);
    for (int64_t i = 0; i < batches; ++i) {
      batch.first_key = i * batch.records;
      store.Append(BenchLogId(), MakeBatch(batch));
      if (i % 100 == 0) store.WaitUntilDurable(BenchLogId(), Offset(i * batch.records));
    }
    // Only segments whose index is complete are compacted.
    store.Close(BenchLogId());
    store.Open(BenchLogId(), kCompacted);
    const int64_t before = store.SizeBytes(BenchLogId());
    state.ResumeTiming();
    store.Compact(BenchLogId());
    state.PauseTiming();
    TALOSMQ_CHECK(store.SizeBytes(BenchLogId()) < before * 3 / 4) << before;
    bytes += before;
    store.Close(BenchLogId());
    store.Delete(BenchLogId());
    state.ResumeTiming();
  }
  state.SetBytesProcessed(bytes);
  state.SetItemsProcessed(state.iterations() * batches * batch.records);
}
BENCHMARK(BM_Compact)->Arg(100)->Arg(1000)->Iterations(3)->UseRealTime();

}  // namespace
}  // namespace talosmq::storage
