// How long does a start take: reading a tail that no index covers, and opening many small logs
// after a clean stop? Twin: the start-up times in docs/benchmarks.md.

#include "base/check.h"
#include "record/batch.h"
#include "storage/recovery.h"
#include "storage/segment.h"

#include "bench_store.h"
#include "benchmark/benchmark.h"

#include <memory>
#include <optional>

namespace talosmq::storage {
namespace {

/// A segment without index above a flushed point that nobody recorded: every byte is read, checked,
/// written once more and synced.
void BM_RecoverTail(benchmark::State& state) {
  const BenchDirectory directory;
  const auto file_system = io::MakePosixFileSystem();
  base::Buffer batch = MakeBatch({.records = 16, .value_bytes = 1000});
  record::PatchEpoch(batch.mutable_bytes(), LeaderEpoch(1));
  const auto file = *file_system->Open(
      directory.path() + "/" + OffsetFileName(Offset(0), kSegmentSuffix), io::OpenMode::kCreateNew);
  uint64_t position = 0;
  for (Offset base; position < (uint64_t{64} << 20); base = base + 16) {
    record::PatchBaseOffset(batch.mutable_bytes(), base);
    const base::ByteSpan bytes = batch.bytes();
    TALOSMQ_CHECK(file->Write(position, {&bytes, 1}).ok());
    position += batch.size();
  }
  const RecoveryInput input{
      .log = BenchLogId(), .directory = directory.path(), .recorded = std::nullopt};
  for (auto _ : state) {
    const auto recovered = RecoverLog(*file_system, input);
    TALOSMQ_CHECK(recovered.ok()) << recovered.status();
    TALOSMQ_CHECK(recovered->size_bytes == static_cast<int64_t>(position)) << recovered->size_bytes;
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(position));
}
BENCHMARK(BM_RecoverTail)->UseRealTime();

/// Logs of one batch of 1 KB each, one after another. Items are logs.
void BM_OpenLogs(benchmark::State& state) {
  const BenchDirectory directory;
  const auto logs = static_cast<int32_t>(state.range(0));
  const base::Buffer batch = MakeBatch({.records = 1, .value_bytes = 1000});
  auto store = std::make_unique<BenchStore>(directory.path());
  for (int32_t i = 0; i < logs; ++i) store->Open(BenchLogId(i));
  for (int32_t i = 0; i < logs; ++i) store->Append(BenchLogId(i), batch);
  for (int32_t i = 0; i < logs; ++i) store->WaitUntilDurable(BenchLogId(i), Offset(1));
  for (auto _ : state) {
    state.PauseTiming();
    store.reset();
    state.ResumeTiming();
    store = std::make_unique<BenchStore>(directory.path());
    for (int32_t i = 0; i < logs; ++i) store->Open(BenchLogId(i));
  }
  state.SetItemsProcessed(state.iterations() * logs);
}
BENCHMARK(BM_OpenLogs)->Arg(1000)->UseRealTime();

}  // namespace
}  // namespace talosmq::storage
