// How much does a log cost on top of the disk: a 1 MiB batch appended and flushed by the store,
// against the same bytes through pwritev and fdatasync alone. Twin in bench/load: produce.

#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "io/file_system.h"
#include "kv/store.h"
#include "record/batch.h"
#include "storage/log_store.h"

#include "benchmark/benchmark.h"

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace talosmq::storage {
namespace {

constexpr int64_t kBatchBytes = 1 << 20;
constexpr int kInFlight = 5;
constexpr uint64_t kSegmentBytes = uint64_t{256} << 20;

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    // Beside the build, since /tmp may be memory.
    std::string name = (std::filesystem::current_path() / "storage-bench-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

base::Buffer MakeBatch() {
  record::BatchBuilder builder(record::Codec::kNone, kBatchBytes);
  const std::string value(1000, 'v');
  while (static_cast<int64_t>(builder.bytes()) < kBatchBytes - 1100) {
    record::RecordInput record;
    record.value = value;
    builder.Append(record);
  }
  return *builder.Finish({});
}

/// One thread, kInFlight batches a sync, as the flush group gathers them at best; a new file where
/// the log begins a new segment.
void BM_GatherWriteAndSync(benchmark::State& state) {
  const TemporaryDirectory directory;
  const auto file_system = io::MakePosixFileSystem();
  const base::Buffer batch = MakeBatch();
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

/// The same through a log. Batches are copied before each append, as the receiving thread does.
void BM_LogAppend(benchmark::State& state) {
  const TemporaryDirectory directory;
  const auto file_system = io::MakePosixFileSystem();
  const auto catalogue = kv::MakeMemoryStore();
  const auto metrics = base::MakeNullMetricRegistry();
  base::SystemClock clock;
  base::SystemRandom random;
  base::ThreadExecutor shard({.name = "shard"});
  base::ThreadExecutor flush({.name = "flush"});
  base::ThreadExecutor write_back({.name = "write-back"});
  base::ThreadExecutor compaction({.name = "compaction"});
  base::ThreadExecutor io({.name = "io"});
  const auto reserve =
      *DiskReserve::Open({.directory = directory.path()}, {*file_system, *metrics});
  auto store = *LogStore::Open({.directory = directory.path()}, {.file_system = *file_system,
                                                                 .catalogue = *catalogue,
                                                                 .reserve = *reserve,
                                                                 .clock = clock,
                                                                 .metrics = *metrics,
                                                                 .random = random,
                                                                 .flush_executor = flush,
                                                                 .write_back_executor = write_back,
                                                                 .compaction_executor = compaction,
                                                                 .io_executors = {&io}});
  const base::Buffer batch = MakeBatch();
  const auto header = *record::ParseHeader(batch.bytes());
  base::Mutex mutex;
  base::CondVar changed;
  std::unique_ptr<PartitionLog> log;
  Offset durable;
  bool is_closed = false;
  store->OpenLog({.topic_id = TopicId({1}), .partition = PartitionId(0)}, {}, shard,
                 [&](absl::StatusOr<LogStore::OpenedLog> opened) {
                   const base::MutexLock lock(mutex);
                   log = std::move(opened->log);
                   if (!log->BeginEpoch(LeaderEpoch(1)).ok()) std::abort();
                   log->SetDurableListener([&](const absl::Status& status) {
                     if (!status.ok()) std::abort();
                     const base::MutexLock listener_lock(mutex);
                     durable = log->durable_end();
                     changed.Signal();
                   });
                   changed.Signal();
                 });
  {
    const base::MutexLock lock(mutex);
    while (log == nullptr) changed.Wait(mutex);
  }
  int64_t appended = 0;
  const auto wait_for = [&](int64_t batches) {
    const base::MutexLock lock(mutex);
    while (durable.value() < batches * header.count) changed.Wait(mutex);
  };
  for (auto _ : state) {
    for (int i = 0; i < kInFlight; ++i) {
      wait_for(appended - kInFlight + 1);
      base::Buffer copy = base::Buffer::CopyOf(batch.bytes());
      shard.Post([&log, &header, copy = std::move(copy)]() mutable {
        if (!log->Append(std::move(copy), {.header = header}).ok()) std::abort();
      });
      ++appended;
    }
  }
  wait_for(appended);
  state.SetBytesProcessed(appended * static_cast<int64_t>(batch.size()));
  shard.Post([&] {
    log->Close([&](const absl::Status&) {
      const base::MutexLock lock(mutex);
      is_closed = true;
      changed.Signal();
    });
  });
  {
    const base::MutexLock lock(mutex);
    while (!is_closed) changed.Wait(mutex);
  }
  shard.Stop();
  log.reset();
  if (!store->Close().ok()) std::abort();
}
BENCHMARK(BM_LogAppend)->UseRealTime();

}  // namespace
}  // namespace talosmq::storage
