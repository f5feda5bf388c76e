#pragma once

#include "base/metrics.h"
#include "base/random.h"
#include "kv/store.h"
#include "record/batch.h"
#include "storage/log_store.h"
#include "storage/partition_log.h"
#include "support/checkers.h"
#include "support/manual_clock.h"
#include "support/manual_executor.h"
#include "support/memory_file_system.h"
#include "talosmq/error.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace talosmq::support {

/// What one batch is made of.
struct BatchOf {
  std::vector<std::string> values;
  record::ProducerStamp producer = {};
  int64_t timestamp_ms = 1'767'225'600'000;
  record::Codec codec = record::Codec::kNone;
  std::vector<std::string> keys = {};  ///< Of the values at the same index; none for the others.
  std::set<size_t> tombstones = {};    ///< Which of the values are null, whatever stands there.
};
base::Buffer MakeBatch(const BatchOf& batch);

/// The records of some chunks at or above `from`.
std::vector<ReadRecord> RecordsIn(const std::vector<base::Buffer>& chunks, Offset from);

/// What a reader gets of a log that goes on behind what is refused as damaged.
struct ReadableRecords {
  std::vector<ReadRecord> records;
  std::vector<CorruptRange> refused;
};

/// The real storage code over a disk in memory, with executors that run when the test says so. The
/// disk outlives the processes: a test kills, cuts the power, starts again.
///
/// Thread-compatible.
class StorageWorld {
 public:
  static constexpr const char* kDirectory = "data";
  /// The log that is meant when none is named.
  static const TopicPartition kLog;

  StorageWorld();
  ~StorageWorld();
  StorageWorld(const StorageWorld&) = delete;
  StorageWorld& operator=(const StorageWorld&) = delete;

  // The machine.
  absl::Status Start();
  /// In good order: closes all logs and the store.
  absl::Status Stop();
  /// kill -9: nothing that was queued runs, what was written stays in the page cache.
  void Kill();
  void CutPower(PowerCut cut);
  void Advance(absl::Duration by);
  /// Runs all executors until nothing is due.
  void Run();
  /// One task; false when none is due.
  bool RunOne();
  /// All but the one that writes and syncs: nothing becomes durable.
  void RunWithoutFlush();
  /// All but cold reads, opening and the checkpoint: batches become durable and nothing is
  /// recorded.
  void RunWithoutCheckpoint();
  /// All but the one that brings batches from the journal to the segments.
  void RunWithoutWriteBack();

  // Logs.
  absl::StatusOr<storage::RecoveryReport> Open(const TopicPartition& id = kLog);
  absl::Status Close(const TopicPartition& id = kLog);
  absl::Status Delete(const TopicPartition& id = kLog);
  storage::PartitionLog& log(const TopicPartition& id = kLog);
  bool is_open(const TopicPartition& id = kLog) const { return logs_.contains(id); }
  /// What the durable listener was last told.
  absl::Status last_told(const TopicPartition& id = kLog) const { return told_.at(id); }

  /// Opens the log and begins an epoch that was never used when need be. Nothing runs yet.
  absl::StatusOr<storage::AppendResult> Append(const BatchOf& batch,
                                               const TopicPartition& id = kLog);
  /// The same, and runs; the listener's status when it was told an error.
  absl::StatusOr<storage::AppendResult> AppendDurably(const BatchOf& batch,
                                                      const TopicPartition& id = kLog);
  /// One read of durable records.
  absl::StatusOr<storage::ReadResult> Read(Offset offset, int64_t bytes_max = 1 << 20,
                                           const TopicPartition& id = kLog);
  /// Everything durable, by as many reads as it takes; what was read before an error is lost.
  absl::StatusOr<std::vector<ReadRecord>> ReadAll(const TopicPartition& id = kLog);
  absl::StatusOr<ReadableRecords> ReadAroundDamage(const TopicPartition& id = kLog);
  absl::StatusOr<Offset> FindOffset(int64_t time_ms, const TopicPartition& id = kLog);
  absl::Status MoveLogStart(Offset offset, const TopicPartition& id = kLog);
  /// By the world's clock, up to the durable end.
  absl::Status ApplyRetention(const TopicPartition& id = kLog);
  absl::Status Compact(const TopicPartition& id = kLog);

  // Files.
  std::string Path(const std::string& name, const TopicPartition& id = kLog) const;
  std::string ReadFile(const std::string& path);
  /// Written and synced.
  void WriteFile(const std::string& path, const std::string& content);
  void FlipBit(const std::string& path, uint64_t position, int bit = 0);
  void Resize(const std::string& path, uint64_t size);
  void RemoveFile(const std::string& path);
  bool Exists(const std::string& path);

  MemoryFileSystem& disk() { return disk_; }
  ManualClock& clock() { return clock_; }
  ManualExecutor& flush() { return flush_; }
  storage::LogStore& store() { return *store_; }
  kv::MemoryStore& catalogue() { return *catalogue_; }
  storage::LogStoreOptions& store_options() { return store_options_; }  ///< For the next Start().
  storage::DiskReserve::Options& reserve_options() { return reserve_options_; }  ///< Likewise.
  storage::LogOptions& log_options() { return log_options_; }  ///< For the next Open().

 private:
  ManualClock clock_;
  MemoryFileSystem disk_;
  base::SystemRandom random_;
  std::unique_ptr<kv::MemoryStore> catalogue_;
  std::unique_ptr<base::MetricRegistry> metrics_;
  ManualExecutor shard_;
  ManualExecutor flush_;
  ManualExecutor write_back_;
  ManualExecutor io_;
  ManualExecutor compaction_;
  storage::LogStoreOptions store_options_;
  storage::DiskReserve::Options reserve_options_;
  storage::LogOptions log_options_;
  std::unique_ptr<storage::DiskReserve> reserve_;
  std::unique_ptr<storage::LogStore> store_;
  std::map<TopicPartition, std::unique_ptr<storage::PartitionLog>> logs_;
  std::map<TopicPartition, absl::Status> told_;
  /// As the metadata store would: the newest epoch ever given out, and whether it still holds.
  std::map<TopicPartition, int32_t> epochs_;
  std::map<TopicPartition, bool> is_leading_;
};

}  // namespace talosmq::support
