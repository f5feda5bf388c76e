#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/status.h"
#include "base/text.h"
#include "kv/store.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <memory>
#include <utility>

namespace talosmq::kv {
namespace {

constexpr size_t kBlockCacheBytes = size_t{4} << 20;
constexpr size_t kMemtableBytes = size_t{4} << 20;
constexpr uint64_t kWalBytesMax = uint64_t{16} << 20;
constexpr int kOpenFilesMax = 64;

/// Sends what RocksDB has to say to our log. Its own log file would be one more writer of the disk,
/// and one that aborts the process when a write of it has failed, as on a full disk. Thread-safe.
class LogForwarder final : public rocksdb::Logger {
 public:
  LogForwarder() : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}

  using rocksdb::Logger::Logv;
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < GetInfoLogLevel()) return;
    std::array<char, 1024> line{};
    std::vsnprintf(line.data(), line.size(), format, arguments);
    std::string_view text = line.data();
    while (text.ends_with('\n')) text.remove_suffix(1);
    const bool is_error = level >= rocksdb::InfoLogLevel::ERROR_LEVEL;
    base::Log(is_error ? base::LogLevel::kError : base::LogLevel::kWarning, "kv", text);
  }
  /// Lines that RocksDB gives no level are banners and options.
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

/// Keeps RocksDB from going on by itself once there is space again: it would touch the files whose
/// writes have failed, at which this version aborts the process.
class NoRecovery final : public rocksdb::EventListener {
 public:
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status /*error*/,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }
};

/// Everything is small and keyed, so caches are: an idle server must fit 60 MB.
rocksdb::Options MakeOptions() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.paranoid_checks = true;
  // A record cut off at the end of the log is what a crash leaves of a write that nobody was told
  // of; it is dropped. Anything else that cannot be read was synced and acknowledged, so the store
  // does not open over it. Point-in-time recovery would drop what follows in silence, and absolute
  // consistency would not open after an ordinary crash.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.track_and_verify_wals_in_manifest = true;
  // After an error the store stays shut until it is opened anew (loss class R01).
  options.max_bgerror_resume_count = 0;
  options.listeners.push_back(std::make_shared<NoRecovery>());
  options.write_buffer_size = kMemtableBytes;
  options.max_write_buffer_number = 2;
  options.max_total_wal_size = kWalBytesMax;
  options.max_background_jobs = 2;
  options.max_open_files = kOpenFilesMax;
  options.compression = rocksdb::kNoCompression;
  options.info_log = std::make_shared<LogForwarder>();
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;

  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(kBlockCacheBytes, /*num_shard_bits=*/0);
  table.cache_index_and_filter_blocks = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

rocksdb::Slice ToSlice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string ToString(const rocksdb::Slice& slice) { return slice.ToString(); }

Reason ReasonFor(const rocksdb::Status& status) {
  if (status.IsCorruption()) return Reason::kCorruptData;
  if (status.IsNoSpace()) return Reason::kStorageFull;
  return Reason::kInternal;
}

absl::Status StoreError(std::string_view directory, std::string_view call,
                        const rocksdb::Status& status) {
  return MakeError(ReasonFor(status), base::StrCat("key-value store ", directory, ": ", call, ": ",
                                                   status.ToString()));
}

absl::StatusOr<std::shared_ptr<rocksdb::DB>> OpenDatabase(const std::string& directory) {
  const rocksdb::Options options = MakeOptions();
  rocksdb::DB* db = nullptr;
  // Made first, because RocksDB looks for old log files in it and reports an error without it.
  rocksdb::Status status = options.env->CreateDirIfMissing(directory);
  if (status.ok()) status = rocksdb::DB::Open(options, directory, &db);
  if (!status.ok()) return StoreError(directory, "open", status);
  return std::shared_ptr<rocksdb::DB>(db);
}

absl::Status LostWrites(std::string_view directory, std::string_view what) {
  return MakeError(Reason::kCorruptData,
                   base::StrCat("key-value store ", directory, ": has lost writes: ", what));
}

/// What the store has now; of its manifest what is durable.
absl::StatusOr<StoreMark> MarkOf(rocksdb::DB& db, const std::string& directory) {
  StoreMark mark{.writes = static_cast<int64_t>(db.GetLatestSequenceNumber())};
  std::vector<std::string> files;
  uint64_t manifest_bytes = 0;
  const rocksdb::Status told = db.GetLiveFiles(files, &manifest_bytes, /*flush_memtable=*/false);
  if (!told.ok()) return StoreError(directory, "list files", told);
  const auto manifest = std::find_if(files.begin(), files.end(), [](const std::string& file) {
    return file.starts_with("/MANIFEST");
  });
  TALOSMQ_CHECK(manifest != files.end()) << "RocksDB has a manifest";
  mark.manifest = manifest->substr(1);
  mark.manifest_bytes = static_cast<int64_t>(manifest_bytes);
  return mark;
}

/// The CRC-32C of the first `bytes` of a file; kCorruptData when it has fewer.
absl::StatusOr<uint32_t> CrcOf(const std::string& directory, const std::string& file,
                               int64_t bytes) {
  std::string content;
  const rocksdb::Status read =
      rocksdb::ReadFileToString(rocksdb::Env::Default(), directory + "/" + file, &content);
  if (!read.ok()) return StoreError(directory, "read", read);
  if (std::cmp_less(content.size(), bytes)) {
    return LostWrites(directory, base::StrCat(file, ": expected at least ", bytes, " bytes, found ",
                                              content.size()));
  }
  return base::Crc32c(
      base::AsBytes(std::string_view(content).substr(0, static_cast<size_t>(bytes))));
}

/// Whether manifest `a` was made before `b`: they are numbered.
bool IsOlder(const std::string& a, const std::string& b) {
  return std::pair(a.size(), a) < std::pair(b.size(), b);
}

absl::Status CheckManifest(const std::string& directory, const StoreMark& mark,
                           const StoreMark& found) {
  // A newer one was made whole, by an opening that went by the mark.
  if (IsOlder(mark.manifest, found.manifest)) return absl::OkStatus();
  if (mark.manifest != found.manifest) {
    return LostWrites(directory, base::StrCat("expected ", mark.manifest, " or a newer one, found ",
                                              found.manifest));
  }
  TALOSMQ_ASSIGN_OR_RETURN(const uint32_t crc,
                           CrcOf(directory, mark.manifest, mark.manifest_bytes));
  if (crc == mark.manifest_crc) return absl::OkStatus();
  return LostWrites(directory,
                    base::StrCat(mark.manifest, ": expected the CRC-32C ", mark.manifest_crc,
                                 " of the first ", mark.manifest_bytes, " bytes, found ", crc));
}

/// Judges a store without changing anything in its folder. To open it for writing is to replace
/// files, and to delete those that a damaged manifest does not name any more.
absl::Status CheckWhole(const std::string& directory, const StoreMark& mark) {
  rocksdb::Options options = MakeOptions();
  options.create_if_missing = false;
  // Of each check RocksDB warns that it looks at tables without their ids; what fails it returns.
  options.info_log->SetInfoLogLevel(rocksdb::InfoLogLevel::ERROR_LEVEL);
  rocksdb::DB* opened = nullptr;
  rocksdb::Status status = rocksdb::DB::OpenForReadOnly(options, directory, &opened);
  const std::unique_ptr<rocksdb::DB> db(opened);
  if (status.ok()) status = db->VerifyChecksum();
  if (!status.ok()) {
    return MakeError(Reason::kCorruptData, base::StrCat("key-value store ", directory,
                                                        ": cannot be read: ", status.ToString()));
  }
  TALOSMQ_ASSIGN_OR_RETURN(const StoreMark found, MarkOf(*db, directory));
  if (found.writes < mark.writes) {
    return LostWrites(directory,
                      base::StrCat("expected at least ", mark.writes, ", found ", found.writes));
  }
  return mark.manifest.empty() ? absl::OkStatus() : CheckManifest(directory, mark, found);
}

/// One RocksDB database, opened again by itself after it had run out of space. Thread-safe.
class RocksStore final : public DiskStore {
 public:
  RocksStore(std::string directory, std::shared_ptr<rocksdb::DB> db)
      : directory_(std::move(directory)), db_(std::move(db)) {}

  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    TALOSMQ_ASSIGN_OR_RETURN(const auto db, Use());
    std::string value;
    const rocksdb::Status status = db->Get(rocksdb::ReadOptions(), ToSlice(key), &value);
    if (status.IsNotFound()) return std::optional<std::string>();
    if (!status.ok()) return StoreError(directory_, "get", status);
    return std::optional(std::move(value));
  }

  absl::StatusOr<std::vector<Entry>> Scan(std::string_view prefix, std::string_view from,
                                          size_t limit) override {
    TALOSMQ_ASSIGN_OR_RETURN(const auto db, Use());
    std::vector<Entry> found;
    const std::unique_ptr<rocksdb::Iterator> entry(db->NewIterator(rocksdb::ReadOptions()));
    for (entry->Seek(ToSlice(std::max(prefix, from))); entry->Valid(); entry->Next()) {
      if (found.size() == limit || !entry->key().starts_with(ToSlice(prefix))) break;
      found.push_back({.key = ToString(entry->key()), .value = ToString(entry->value())});
    }
    if (!entry->status().ok()) return StoreError(directory_, "scan", entry->status());
    return found;
  }

  absl::StatusOr<StoreMark> Sync() override {
    TALOSMQ_ASSIGN_OR_RETURN(StoreMark mark, Look());
    mark.manifest_crc = mark_.manifest_crc;
    if (mark == mark_) return mark;
    // Not SyncWAL(): on a log that found no space this version aborts the process.
    TALOSMQ_RETURN_IF_ERROR(Write(WriteBatch(), Durability::kSynced));
    TALOSMQ_ASSIGN_OR_RETURN(mark.manifest_crc,
                             CrcOf(directory_, mark.manifest, mark.manifest_bytes));
    mark_ = mark;
    return mark;
  }

  absl::Status Write(const WriteBatch& batch, Durability durability) override {
    if (is_fenced_.load()) {
      return MakeError(Reason::kStorageFenced,
                       base::StrCat("key-value store ", directory_,
                                    ": refuses writes after an earlier error until it is opened "
                                    "again"));
    }
    if (is_full_.load()) TALOSMQ_RETURN_IF_ERROR(OpenAgain());
    rocksdb::WriteBatch operations;
    for (const WriteBatch::Operation& operation : batch.operations()) {
      const rocksdb::Status added =
          operation.value.has_value()
              ? operations.Put(ToSlice(operation.key), ToSlice(*operation.value))
              : operations.Delete(ToSlice(operation.key));
      if (!added.ok()) return StoreError(directory_, "batch", added);
    }
    TALOSMQ_ASSIGN_OR_RETURN(const auto db, Use());
    rocksdb::WriteOptions options;
    options.sync = durability == Durability::kSynced;
    const rocksdb::Status written = db->Write(options, &operations);
    if (written.ok()) return absl::OkStatus();
    (written.IsNoSpace() ? is_full_ : is_fenced_).store(true);
    return StoreError(directory_, "write", written);
  }

 private:
  /// Lets go of the database before it returns: a write may have to open it again.
  absl::StatusOr<StoreMark> Look() {
    TALOSMQ_ASSIGN_OR_RETURN(const auto db, Use());
    return MarkOf(*db, directory_);
  }

  /// The database, for one call.
  absl::StatusOr<std::shared_ptr<rocksdb::DB>> Use() {
    const base::MutexLock lock(mutex_);
    if (db_ != nullptr) return db_;
    return MakeError(Reason::kStorageFull, base::StrCat("key-value store ", directory_,
                                                        ": is being opened again, now that there "
                                                        "was space"));
  }

  /// What opening may write: the tables of a whole log, and files that are allocated in advance.
  absl::Status CheckSpace() const {
    constexpr uint64_t kBytesMin = 2 * kMemtableBytes;
    uint64_t free = 0;
    const rocksdb::Status told = rocksdb::Env::Default()->GetFreeSpace(directory_, &free);
    if (!told.ok() || free >= kBytesMin) return absl::OkStatus();
    return MakeError(Reason::kStorageFull,
                     base::StrCat("key-value store ", directory_, ": needs ", kBytesMin,
                                  " free bytes to go on, found ", free));
  }

  /// Gives up the database whose write has failed and opens what it has left, as after a crash.
  absl::Status OpenAgain() {
    TALOSMQ_RETURN_IF_ERROR(CheckSpace());
    std::shared_ptr<rocksdb::DB> old;
    {
      const base::MutexLock lock(mutex_);
      if (is_opening_ || db_.use_count() > 1) {
        return MakeError(Reason::kStorageFull, base::StrCat("key-value store ", directory_,
                                                            ": is in use after it ran out of "
                                                            "space; it is opened again later"));
      }
      is_opening_ = true;
      old = std::move(db_);
    }
    old.reset();
    absl::StatusOr<std::shared_ptr<rocksdb::DB>> opened = OpenDatabase(directory_);
    const base::MutexLock lock(mutex_);
    is_opening_ = false;
    if (!opened.ok()) return opened.status();
    db_ = *std::move(opened);
    is_full_.store(false);
    base::LogInfo("kv", "opened ", directory_, " again after it had run out of space");
    return absl::OkStatus();
  }

  const std::string directory_;
  std::atomic<bool> is_fenced_ = false;
  std::atomic<bool> is_full_ = false;  ///< A write found no space.
  StoreMark mark_;                     ///< Of the last Sync().

  base::Mutex mutex_;
  std::shared_ptr<rocksdb::DB> db_ ABSL_GUARDED_BY(mutex_);  ///< Null while it is opened again.
  bool is_opening_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<DiskStore>> OpenRocksStore(const std::string& directory,
                                                          const StoreMark& mark) {
  if (mark.writes > 0) TALOSMQ_RETURN_IF_ERROR(CheckWhole(directory, mark));
  TALOSMQ_ASSIGN_OR_RETURN(auto db, OpenDatabase(directory));
  return std::make_unique<RocksStore>(directory, std::move(db));
}

}  // namespace talosmq::kv
