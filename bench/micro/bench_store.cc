#include "bench_store.h"

#include "base/check.h"
#include "record/batch.h"

#include <cstdlib>
#include <filesystem>

namespace talosmq::storage {

BenchDirectory::BenchDirectory() {
  std::string name = (std::filesystem::current_path() / "storage-bench-XXXXXX").string();
  TALOSMQ_CHECK(::mkdtemp(name.data()) != nullptr) << name;
  path_ = name;
}

BenchDirectory::~BenchDirectory() { std::filesystem::remove_all(path_); }

base::Buffer MakeBatch(const BenchBatch& batch) {
  record::BatchBuilder builder(record::Codec::kNone, size_t{1} << 20);
  const std::string value(batch.value_bytes, 'v');
  for (int32_t i = 0; i < batch.records; ++i) {
    record::RecordInput record{.value = value};
    std::string key;
    if (batch.keys > 0) {
      key = "key-" + std::to_string((batch.first_key + i) % batch.keys);
      record.key = key;
    }
    builder.Append(record);
  }
  return *builder.Finish({});
}

TopicPartition BenchLogId(int32_t number) {
  return {.topic_id = TopicId({1}), .partition = PartitionId(number)};
}

BenchStore::BenchStore(const std::string& directory, LogStoreOptions options)
    : file_system_(io::MakePosixFileSystem()),
      catalogue_(kv::MakeMemoryStore()),
      metrics_(base::MakeNullMetricRegistry()),
      reserve_(*DiskReserve::Open({.directory = directory}, {*file_system_, *metrics_})) {
  options.directory = directory;
  auto store = LogStore::Open(std::move(options), {.file_system = *file_system_,
                                                   .catalogue = *catalogue_,
                                                   .reserve = *reserve_,
                                                   .clock = clock_,
                                                   .metrics = *metrics_,
                                                   .random = random_,
                                                   .flush_executor = flush_,
                                                   .write_back_executor = write_back_,
                                                   .compaction_executor = compaction_,
                                                   .checkpoint_executor = io_,
                                                   .io_executors = {&io_}});
  TALOSMQ_CHECK(store.ok()) << store.status();
  store_ = *std::move(store);
}

BenchStore::~BenchStore() {
  while (!logs_.empty()) Close(logs_.begin()->first);
  shard_.Stop();
  const absl::Status closed = store_->Close();
  TALOSMQ_CHECK(closed.ok()) << closed;
}

void BenchStore::Open(const TopicPartition& id, const LogOptions& options) {
  Log& slot = logs_[id];
  const auto opened = Await<absl::Status>([&](base::Callback<absl::Status> done) {
    store_->OpenLog(id, options, shard_,
                    [&, done = std::move(done)](absl::StatusOr<LogStore::OpenedLog> log) mutable {
                      if (!log.ok()) return done(log.status());
                      slot.log = std::move(log->log);
                      const auto& epochs = slot.log->epochs();
                      const int32_t last = epochs.empty() ? 0 : epochs.back().epoch.value();
                      slot.log->SetDurableListener([this, &slot](const absl::Status& status) {
                        TALOSMQ_CHECK(status.ok()) << status;
                        const base::MutexLock lock(mutex_);
                        slot.durable_end = slot.log->durable_end();
                        changed_.Signal();
                      });
                      done(slot.log->BeginEpoch(LeaderEpoch(last + 1)));
                    });
  });
  TALOSMQ_CHECK(opened.ok()) << opened;
}

void BenchStore::Close(const TopicPartition& id) {
  Log& slot = logs_.at(id);
  const auto closed = Await<absl::Status>(
      [&](base::Callback<absl::Status> done) { slot.log->Close(std::move(done)); });
  TALOSMQ_CHECK(closed.ok()) << closed;
  Await<bool>([&](base::Callback<bool> done) {
    slot.log.reset();
    done(true);
  });
  logs_.erase(id);
}

void BenchStore::Delete(const TopicPartition& id) {
  const auto deleted = Await<absl::Status>(
      [&](base::Callback<absl::Status> done) { store_->DeleteLog(id, std::move(done)); });
  TALOSMQ_CHECK(deleted.ok()) << deleted;
}

void BenchStore::Append(const TopicPartition& id, const base::Buffer& batch) {
  shard_.Post([&log = *logs_.at(id).log, copy = base::Buffer::CopyOf(batch.bytes())]() mutable {
    const auto header = record::ParseHeader(copy.bytes());
    const auto appended = log.Append(std::move(copy), {.header = *header});
    TALOSMQ_CHECK(appended.ok()) << appended.status();
  });
}

void BenchStore::WaitUntilDurable(const TopicPartition& id, Offset end) {
  const Log& slot = logs_.at(id);
  const base::MutexLock lock(mutex_);
  while (slot.durable_end < end) changed_.Wait(mutex_);
}

ReadResult BenchStore::Read(const TopicPartition& id, Offset offset, int64_t bytes_max) {
  auto read =
      Await<absl::StatusOr<ReadResult>>([&](base::Callback<absl::StatusOr<ReadResult>> done) {
        PartitionLog& log = *logs_.at(id).log;
        log.Read({.offset = offset, .limit = log.durable_end(), .bytes_max = bytes_max},
                 std::move(done));
      });
  TALOSMQ_CHECK(read.ok()) << read.status();
  return *std::move(read);
}

void BenchStore::Compact(const TopicPartition& id) {
  const auto compacted = Await<absl::Status>([&](base::Callback<absl::Status> done) {
    PartitionLog& log = *logs_.at(id).log;
    log.Compact(clock_.Now(), log.durable_end(), std::move(done));
  });
  TALOSMQ_CHECK(compacted.ok()) << compacted;
}

int64_t BenchStore::SizeBytes(const TopicPartition& id) {
  return Await<int64_t>(
      [&](base::Callback<int64_t> done) { done(logs_.at(id).log->size_bytes()); });
}

}  // namespace talosmq::storage
