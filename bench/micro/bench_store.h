#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "base/random.h"
#include "io/file_system.h"
#include "kv/store.h"
#include "storage/log_store.h"

#include "absl/functional/function_ref.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace talosmq::storage {

/// A folder beside the build, since /tmp may be memory; removed with the object.
class BenchDirectory {
 public:
  BenchDirectory();
  ~BenchDirectory();
  BenchDirectory(const BenchDirectory&) = delete;
  BenchDirectory& operator=(const BenchDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// What one batch of a benchmark is made of.
struct BenchBatch {
  int32_t records = 1;
  size_t value_bytes = 1000;
  /// Keys are taken in turn from so many; 0: records have none.
  int64_t keys = 0;
  int64_t first_key = 0;
};
base::Buffer MakeBatch(const BenchBatch& batch);

/// Partition `number` of the only topic.
TopicPartition BenchLogId(int32_t number = 0);

/// A log store with the threads of a server, over a folder of the real disk; its logs share one
/// shard. Whatever fails ends the program. Used by one thread, which waits for the others.
class BenchStore {
 public:
  explicit BenchStore(const std::string& directory, LogStoreOptions options = {});
  /// In good order: closes what is open.
  ~BenchStore();
  BenchStore(const BenchStore&) = delete;
  BenchStore& operator=(const BenchStore&) = delete;

  void Open(const TopicPartition& id, const LogOptions& options = {});
  void Close(const TopicPartition& id);
  void Delete(const TopicPartition& id);

  /// Queues a copy of the batch, as the receiving thread makes one.
  void Append(const TopicPartition& id, const base::Buffer& batch);
  void WaitUntilDurable(const TopicPartition& id, Offset end);
  /// One read of what is durable.
  ReadResult Read(const TopicPartition& id, Offset offset, int64_t bytes_max);
  void Compact(const TopicPartition& id);
  int64_t SizeBytes(const TopicPartition& id);

 private:
  /// Runs `call` on the shard and waits for the answer that it gives or has somebody give.
  template <typename T>
  T Await(absl::FunctionRef<void(base::Callback<T>)> call);

  struct Log {
    std::unique_ptr<PartitionLog> log;  ///< Confined to the shard.
    Offset durable_end;                 ///< Guarded by mutex_.
  };

  base::SystemClock clock_;
  base::SystemRandom random_;
  std::unique_ptr<io::FileSystem> file_system_;
  std::unique_ptr<kv::Store> catalogue_;
  std::unique_ptr<base::MetricRegistry> metrics_;
  std::unique_ptr<DiskReserve> reserve_;
  base::Mutex mutex_;
  base::CondVar changed_;
  std::map<TopicPartition, Log> logs_;
  base::ThreadExecutor shard_{{.name = "shard"}};
  base::ThreadExecutor flush_{{.name = "flush"}};
  base::ThreadExecutor write_back_{{.name = "write-back"}};
  base::ThreadExecutor compaction_{{.name = "compaction"}};
  base::ThreadExecutor io_{{.name = "io"}};
  std::unique_ptr<LogStore> store_;
};

template <typename T>
T BenchStore::Await(absl::FunctionRef<void(base::Callback<T>)> call) {
  std::optional<T> answer;
  shard_.Post([&] {
    call([&](T value) {
      const base::MutexLock lock(mutex_);
      answer.emplace(std::move(value));
      changed_.Signal();
    });
  });
  const base::MutexLock lock(mutex_);
  while (!answer) changed_.Wait(mutex_);
  return *std::move(answer);
}

}  // namespace talosmq::storage
