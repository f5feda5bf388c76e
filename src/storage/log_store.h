#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "base/random.h"
#include "io/file_system.h"
#include "kv/store.h"
#include "storage/disk_reserve.h"
#include "storage/flush_target.h"
#include "storage/partition_log.h"
#include "talosmq/ids.h"

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <memory>
#include <string>
#include <vector>

namespace talosmq::storage {

struct LogStoreOptions {
  std::string directory;  ///< The data directory; logs live under topics/ in it.
  int64_t tail_cache_bytes_max = int64_t{256} << 20;
  int64_t flush_group_bytes_max = kFlushGroupBytesMax;
  /// What a server that has crashed may have written to one log without a sync by the defaults,
  /// however little memory this one has: a tear may be as long.
  int64_t unsynced_bytes_min = kFlushGroupBytesMax + (int64_t{128} << 20);
  absl::Duration checkpoint_interval = absl::Seconds(1);
  absl::Duration space_interval = absl::Seconds(1);  ///< How often disk and load are looked at.
  int64_t checkpoint_bytes = int64_t{16} << 20;      ///< Of one log, since its last recorded point.
  /// What goes to the journal and how much of it may be held; docs/storage.md.
  size_t direct_logs_max = 4;
  int64_t direct_bytes_min = int64_t{256} << 10;
  int64_t awaited_bytes_min = int64_t{8} << 10;
  uint64_t journal_file_bytes = uint64_t{64} << 20;
  uint64_t journal_bytes_max = uint64_t{512} << 20;
  absl::Duration producer_expiry = absl::Hours(24);  ///< Silence after which one is forgotten.
  /// Starts although the journal has lost groups that the segments lack; an operator's word.
  bool accept_lost_journal = false;
  size_t compaction_keys_max = 2'000'000;  ///< Of one compaction; 96 bytes each at most.
};

/// All logs of one data directory: folders, catalogue, flush group, checkpoint file, tail cache.
///
/// Invariants:
/// 1. A log folder is deleted only by DeleteLog; everything unknown on disk stays (G10).
/// 2. A log that the catalogue knows and whose folder is gone opens as an error (loss), not empty.
/// Thread-safe. Owns the flush group and the cache; outlives every PartitionLog it opened.
/// Crash: Open() reads the checkpoint and brings what the journal holds to the segments; each log
/// recovers when it is opened.
class LogStore {
 public:
  struct Dependencies {
    io::FileSystem& file_system;
    kv::Store& catalogue;  ///< Keys under "log/".
    DiskReserve& reserve;  ///< Of the same directory; from now on looked at by the flush executor.
    base::Clock& clock;
    base::MetricRegistry& metrics;
    base::Random& random;                 ///< For the identity of a new journal.
    base::Executor& flush_executor;       ///< Runs the flush group: makes durable.
    base::Executor& write_back_executor;  ///< From the journal to the segments.
    base::Executor& compaction_executor;  ///< One log at a time is compacted.
    base::Executor& checkpoint_executor;  ///< Indexes, snapshots, the checkpoint file.
    std::vector<base::Executor*>
        io_executors;  ///< Cold reads, opening, deleting; a log always uses the same.
  };

  static absl::StatusOr<std::unique_ptr<LogStore>> Open(LogStoreOptions options,
                                                        Dependencies dependencies);
  virtual ~LogStore() = default;

  struct OpenedLog {
    std::unique_ptr<PartitionLog> log;
    RecoveryReport report;
  };
  /// Recovers or begins the log and answers on `shard`, where the log is confined from then on.
  /// Files come into being at the first append.
  virtual void OpenLog(const TopicPartition& id, const LogOptions& options, base::Executor& shard,
                       base::Callback<absl::StatusOr<OpenedLog>> done) = 0;

  /// Removes the folder and the catalogue entry of a log that is not open; repeating it is fine.
  /// Answers on an I/O executor.
  virtual void DeleteLog(const TopicPartition& id, base::Callback<absl::Status> done) = 0;

  /// Whether anything of the log may be on the disk; true of every open log. No I/O.
  virtual bool HasRecords(const TopicPartition& id) const = 0;

  /// Folders under topics/ as found now, for the orphan report. Blocks on the disk.
  virtual absl::StatusOr<std::vector<TopicPartition>> ListFolders() = 0;

  /// OK, or kStorageFull: an append would be refused by the disk. Heals by itself. No I/O.
  virtual absl::Status CheckRoom() const = 0;

  /// Of the disk of the data directory, as it was a moment ago. No I/O.
  virtual io::DiskSpace space() const = 0;

  /// What ails the store as a whole now: a full disk, or flushed points that cannot be recorded. A
  /// fenced log tells by itself.
  virtual absl::Status health() const = 0;
  /// The last failed write or sync of a log since the start, healed or not. A full disk is none.
  virtual absl::Status last_failure() const = 0;

  /// Writes what waits, records flushed points and snapshots, closes files. All logs must be
  /// closed. Blocks.
  virtual absl::Status Close() = 0;
};

}  // namespace talosmq::storage
