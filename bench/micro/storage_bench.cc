// How much does a log cost on top of the disk: a 1 MiB batch appended and flushed by the store,
// against the same bytes through pwritev and fdatasync alone; and what does one flush cost that
// many logs share? Twins in bench/load: produce; docs/benchmarks.md, many partitions.

#include "base/check.h"

#include "bench_store.h"
#include "benchmark/benchmark.h"

#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace talosmq::storage {
namespace {

constexpr int kInFlight = 5;
constexpr uint64_t kSegmentBytes = uint64_t{256} << 20;
constexpr BenchBatch kLargeBatch{.records = 1000, .value_bytes = 1000};

/// One thread, kInFlight batches a sync, as the flush group gathers them at best; a new file where
/// the log begins a new segment.
void BM_GatherWriteAndSync(benchmark::State& state) {
  const BenchDirectory directory;
  const auto file_system = io::MakePosixFileSystem();
  const base::Buffer batch = MakeBatch(kLargeBatch);
  const std::vector<base::ByteSpan> pieces(kInFlight, batch.bytes());
  const uint64_t bytes = kInFlight * batch.size();
  std::unique_ptr<io::File> file;
  int files = 0;
  uint64_t position = kSegmentBytes;
  uint64_t allocated = 0;
  for (auto _ : state) {
    if (position + bytes > kSegmentBytes) {
      const std::string path = directory.path() + "/" + std::to_string(files++);
      file = *file_system->Open(path, io::OpenMode::kCreateNew);
      position = 0;
      allocated = 0;
    }
    if (position + bytes > allocated) {
      allocated += uint64_t{16} << 20;
      if (!file->Preallocate(allocated).ok()) state.SkipWithError("preallocate");
    }
    if (!file->Write(position, pieces).ok() || !file->Sync().ok()) state.SkipWithError("write");
    position += bytes;
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes));
}
BENCHMARK(BM_GatherWriteAndSync)->UseRealTime();

/// The same through a log.
void BM_LogAppend(benchmark::State& state) {
  const BenchDirectory directory;
  BenchStore store(directory.path());
  const base::Buffer batch = MakeBatch(kLargeBatch);
  store.Open(BenchLogId());
  int64_t appended = 0;
  const auto wait_for = [&](int64_t batches) {
    store.WaitUntilDurable(BenchLogId(), Offset(batches * kLargeBatch.records));
  };
  for (auto _ : state) {
    for (int i = 0; i < kInFlight; ++i) {
      wait_for(appended - kInFlight + 1);
      store.Append(BenchLogId(), batch);
      ++appended;
    }
  }
  wait_for(appended);
  state.SetBytesProcessed(appended * static_cast<int64_t>(batch.size()));
}
BENCHMARK(BM_LogAppend)->UseRealTime();

/// One batch of 4 KiB to each of so many logs, until all are durable. Items are batches.
void FlushTogether(benchmark::State& state, const LogStoreOptions& options) {
  const BenchDirectory directory;
  BenchStore store(directory.path(), options);
  const auto logs = static_cast<int32_t>(state.range(0));
  const base::Buffer batch = MakeBatch({.records = 4, .value_bytes = 1000});
  for (int32_t i = 0; i < logs; ++i) store.Open(BenchLogId(i));
  Offset end;
  const auto flush_all = [&] {
    end = end + 4;
    for (int32_t i = 0; i < logs; ++i) store.Append(BenchLogId(i), batch);
    for (int32_t i = 0; i < logs; ++i) store.WaitUntilDurable(BenchLogId(i), end);
  };
  flush_all();  // Begins the logs, which counts by itself.
  for (auto _ : state) flush_all();
  state.SetItemsProcessed(state.iterations() * logs);
  state.SetBytesProcessed(state.iterations() * logs * static_cast<int64_t>(batch.size()));
}

void BM_FlushGroup(benchmark::State& state) { FlushTogether(state, {}); }
BENCHMARK(BM_FlushGroup)->Arg(1)->Arg(100)->Arg(1000)->Arg(10'000)->Iterations(20)->UseRealTime();

/// The same without a journal: one sync for each log.
void BM_FlushGroupDirect(benchmark::State& state) {
  LogStoreOptions options;
  options.direct_logs_max = std::numeric_limits<size_t>::max();
  FlushTogether(state, options);
}
BENCHMARK(BM_FlushGroupDirect)
    ->Arg(1)
    ->Arg(100)
    ->Arg(1000)
    ->Arg(10'000)
    ->Iterations(5)
    ->UseRealTime();

}  // namespace
}  // namespace talosmq::storage
