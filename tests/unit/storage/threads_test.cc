// The store on real threads and the kernel's file system: several shards append, read and roll at
// once, and a second start finds what the first one acknowledged.

#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "io/file_system.h"
#include "kv/store.h"
#include "storage/log_store.h"
#include "support/storage_world.h"

#include "gtest/gtest.h"

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace talosmq::storage {
namespace {

using base::Executor;
using base::ThreadExecutor;

/// Waits for a callback from another thread.
template <typename T>
class Waiter {
 public:
  base::Callback<T> Callback() {
    return [this](T value) {
      const base::MutexLock lock(mutex_);
      value_.emplace(std::move(value));
      arrived_.Signal();
    };
  }
  T Wait() {
    const base::MutexLock lock(mutex_);
    while (!value_) arrived_.Wait(mutex_);
    return std::move(*value_);
  }

 private:
  base::Mutex mutex_;
  base::CondVar arrived_;
  std::optional<T> value_ ABSL_GUARDED_BY(mutex_);
};

/// Appends batches to one log as its flushes complete, a few in flight, and reads each back.
/// Confined to its shard.
class Producer {
 public:
  Producer(PartitionLog& log, int batches, base::Callback<absl::Status> done)
      : log_(log), left_(batches), done_(std::move(done)) {}

  void Begin() {
    log_.SetDurableListener([this](const absl::Status& status) { OnDurable(status); });
    AppendMore();
  }

 private:
  static constexpr int64_t kInFlight = 5;

  void AppendMore() {
    while (left_ > 0 && log_.log_end() - log_.durable_end() < kInFlight) {
      --left_;
      base::Buffer batch = support::MakeBatch(
          {.values = {std::to_string(log_.log_end().value()) + std::string(3000, 'v')}});
      const auto header = record::ParseHeader(batch.bytes());
      const auto appended = log_.Append(std::move(batch), {.header = *header});
      if (!appended.ok()) return Finish(appended.status());
    }
    if (left_ == 0 && log_.durable_end() == log_.log_end()) CheckFrom(Offset(0));
  }

  void OnDurable(const absl::Status& status) {
    if (!status.ok()) return Finish(status);
    AppendMore();
  }

  void CheckFrom(Offset offset) {
    if (offset == log_.durable_end()) return Finish(absl::OkStatus());
    log_.Read({.offset = offset, .limit = log_.durable_end(), .bytes_max = 64 << 10},
              [this, offset](absl::StatusOr<ReadResult> read) {
                if (!read.ok()) return Finish(read.status());
                for (const auto& record : support::RecordsIn(read->chunks, offset)) {
                  if (!record.value.starts_with(std::to_string(record.offset.value()) + "v")) {
                    return Finish(absl::InternalError(record.value.substr(0, 20)));
                  }
                }
                CheckFrom(read->next_offset);
              });
  }

  void Finish(absl::Status status) {
    if (done_) std::exchange(done_, nullptr)(std::move(status));
  }

  PartitionLog& log_;
  int left_;
  base::Callback<absl::Status> done_;
};

class ThreadsTest : public testing::Test {
 protected:
  static constexpr int kLogs = 6;
  static constexpr int kBatches = 120;

  ThreadsTest() {
    std::string name = (std::filesystem::temp_directory_path() / "talosmq-storage-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  ~ThreadsTest() override { std::filesystem::remove_all(directory_); }

  Executor& ShardOf(int log) { return log % 2 == 0 ? shard_a_ : shard_b_; }
  static TopicPartition Id(int log) {
    return {.topic_id = support::StorageWorld::kLog.topic_id, .partition = PartitionId(log)};
  }

  void StartStore() {
    auto reserve =
        DiskReserve::Open({.directory = directory_, .bytes = 1 << 20}, {*file_system_, *metrics_});
    ASSERT_TRUE(reserve.ok()) << reserve.status();
    reserve_ = std::move(*reserve);
    auto store = LogStore::Open({.directory = directory_,
                                 .tail_cache_bytes_max = 800'000,
                                 .checkpoint_interval = absl::Milliseconds(5),
                                 .direct_logs_max = 2,
                                 .journal_file_bytes = 100'000},
                                {.file_system = *file_system_,
                                 .catalogue = *catalogue_,
                                 .reserve = *reserve_,
                                 .clock = clock_,
                                 .metrics = *metrics_,
                                 .random = random_,
                                 .flush_executor = flush_,
                                 .write_back_executor = write_back_,
                                 .compaction_executor = compaction_,
                                 .checkpoint_executor = io_a_,
                                 .io_executors = {&io_a_, &io_b_}});
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = std::move(*store);
    for (int i = 0; i < kLogs; ++i) {
      Waiter<absl::StatusOr<LogStore::OpenedLog>> opened;
      store_->OpenLog(Id(i), {.segment_bytes = 100'000}, ShardOf(i), opened.Callback());
      auto log = opened.Wait();
      ASSERT_TRUE(log.ok()) << log.status();
      logs_.push_back(std::move(log->log));
    }
  }

  void StopStore() {
    for (int i = 0; i < kLogs; ++i) {
      Waiter<absl::Status> closed;
      ShardOf(i).Post([&, i] { logs_[static_cast<size_t>(i)]->Close(closed.Callback()); });
      EXPECT_TRUE(closed.Wait().ok());
      Waiter<bool> gone;
      ShardOf(i).Post([&, i, done = gone.Callback()]() mutable {
        logs_[static_cast<size_t>(i)].reset();
        done(true);
      });
      gone.Wait();
    }
    logs_.clear();
    EXPECT_TRUE(store_->Close().ok());
    store_.reset();
  }

  std::string directory_;
  base::SystemClock clock_;
  base::SystemRandom random_;
  std::unique_ptr<base::MetricRegistry> metrics_ = base::MakeNullMetricRegistry();
  std::unique_ptr<kv::MemoryStore> catalogue_ = kv::MakeMemoryStore();
  std::unique_ptr<io::FileSystem> file_system_ = io::MakePosixFileSystem();
  ThreadExecutor shard_a_{{.name = "shard-a"}};
  ThreadExecutor shard_b_{{.name = "shard-b"}};
  ThreadExecutor flush_{{.name = "flush"}};
  ThreadExecutor write_back_{{.name = "write-back"}};
  ThreadExecutor compaction_{{.name = "compaction"}};
  ThreadExecutor io_a_{{.name = "io-a"}};
  ThreadExecutor io_b_{{.name = "io-b"}};
  std::unique_ptr<DiskReserve> reserve_;
  std::unique_ptr<LogStore> store_;
  std::vector<std::unique_ptr<PartitionLog>> logs_;
};

TEST_F(ThreadsTest, ShardsAppendReadAndRollAtOnce) {
  StartStore();
  std::vector<std::unique_ptr<Waiter<absl::Status>>> waiters;
  std::vector<std::unique_ptr<Producer>> producers;
  for (int i = 0; i < kLogs; ++i) {
    waiters.push_back(std::make_unique<Waiter<absl::Status>>());
    PartitionLog& log = *logs_[static_cast<size_t>(i)];
    producers.push_back(std::make_unique<Producer>(log, kBatches, waiters.back()->Callback()));
    ShardOf(i).Post([&log, producer = producers.back().get()] {
      ASSERT_TRUE(log.BeginEpoch(LeaderEpoch(1)).ok());
      producer->Begin();
    });
  }
  for (const auto& waiter : waiters) {
    const absl::Status status = waiter->Wait();
    EXPECT_TRUE(status.ok()) << status;
  }
  StopStore();
  EXPECT_TRUE(std::filesystem::exists(directory_ + "/checkpoint"));

  StartStore();
  for (int i = 0; i < kLogs; ++i) {
    Waiter<Offset> end;
    ShardOf(i).Post([&, i, done = end.Callback()]() mutable {
      done(logs_[static_cast<size_t>(i)]->log_end());
    });
    EXPECT_EQ(end.Wait(), Offset(kBatches));
  }
  StopStore();
}

}  // namespace
}  // namespace talosmq::storage
