#pragma once

#include "base/mutex.h"
#include "io/file_system.h"
#include "support/manual_clock.h"
#include "support/memory_disk.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::support {

/// A call on the file system or on one of its files.
enum class DiskCall {
  kOpen,
  kCreate,  ///< After kOpen, when it makes the file; no change of its own.
  kRead,
  kWrite,
  kSync,
  kTruncate,
  kPreallocate,
  kSize,
  kExists,
  kList,
  kMakeDirectory,
  kRename,
  kRemove,
  kRemoveDirectory,
  kSyncDirectory,
  kSyncVolume,
  kSpace,
  kLock,
};

/// Where bytes of a write go.
struct WritePlace {
  std::string path;
  uint64_t position = 0;
};

/// A disk in memory that can lose its power, fail its calls, be slow, rot and write elsewhere.
///
/// Invariants:
/// 1. What was synced (bytes by File::Sync, names by SyncDirectory, both by VolumeSync) survives
///    every power cut.
/// 2. A failed Write has written the first half of its bytes; a failed Sync never makes the bytes
///    durable, and neither does a later one (R01).
/// 3. Files and locks from before a power cut fail every call after it.
/// Relative and absolute paths mean the same: there is one root and it is the working directory.
/// Thread-safe. Outlives its files and locks.
class MemoryFileSystem final : public io::FileSystem {
 public:
  /// Not OK: the call fails with that status. Called without a lock held.
  using FaultHook = std::function<absl::Status(DiskCall call, const std::string& path)>;
  static constexpr uint64_t kUnlimited = uint64_t{1} << 40;

  MemoryFileSystem();
  ~MemoryFileSystem() override;

  absl::StatusOr<std::unique_ptr<io::File>> Open(const std::string& path,
                                                 io::OpenMode mode) override;
  absl::StatusOr<bool> Exists(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override;
  absl::Status MakeDirectory(const std::string& directory) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status RemoveDirectory(const std::string& directory) override;
  absl::Status SyncDirectory(const std::string& directory) override;
  absl::StatusOr<std::unique_ptr<io::VolumeSync>> OpenVolume(const std::string& directory) override;
  absl::StatusOr<io::DiskSpace> Space(const std::string& directory) override;
  absl::StatusOr<std::unique_ptr<io::FileLock>> Lock(const std::string& path) override;

  /// The machine stops and starts again: what is left is what a new process finds.
  void CutPower(PowerCut cut);

  void SetFaultHook(FaultHook hook);
  /// From now on the contents of all files together fit into `bytes`: what would go beyond fails
  /// as StorageFull(), a write after half of what still fits. Below what is there: nothing grows.
  void SetCapacity(uint64_t bytes);
  /// From now on files are not allocated in advance: zeros at their end are a hole, which
  /// AllocatedBytes() leaves out. Space() goes on counting them.
  void KeepHoles();
  /// Fails the `nth` call of this kind from now on (1: the next one) and no other.
  void FailNth(DiskCall call, uint64_t nth, absl::Status status);
  /// The `nth` write from now on (1: the next one) reports success and lands where `elsewhere`
  /// says, in a file that is there; its own place keeps what it held. What does not fit into that
  /// file is lost, as all of a write is that lands beyond its end (R32). Called without a lock
  /// held.
  void MisdirectNth(uint64_t nth, std::function<WritePlace(const WritePlace& meant)> elsewhere);
  /// The bit rots where it stands: durably, and without a call that anybody made.
  void FlipBit(const std::string& path, uint64_t position, int bit);
  /// Reads that touch [begin, end) fail as IoError() from now on, as of a sector that the disk
  /// cannot give any more.
  void MakeUnreadable(const std::string& path, uint64_t begin, uint64_t end);
  /// Each call of this kind takes so long on `clock`, and nothing else happens to it.
  static FaultHook Delay(DiskCall call, absl::Duration by, ManualClock& clock);
  /// The `nth` changing call from now on (1: the next one) fails as if the process had died in it,
  /// and so does every call after it until CutPower().
  void DieAtChange(uint64_t nth);
  /// A change that something else of the same machine makes, as a store beside this disk: it counts
  /// as one of this disk, and fails when the process has died.
  absl::Status CountChange();
  /// Calls so far that change anything or make it durable: the moments at which to die.
  uint64_t changes() const;

  /// "PATH: EIO" and "PATH: ENOSPC" with the reasons that the kernel's form gives them.
  static absl::Status IoError(std::string_view path);
  static absl::Status StorageFull(std::string_view path);

 private:
  class OpenedFile;
  class HeldLock;
  class Volume;
  struct Location;
  struct UnreadableRange {
    std::string path;
    uint64_t begin = 0;
    uint64_t end = 0;
  };

  absl::Status Begin(DiskCall call, const std::string& path);
  bool HasName(const std::string& path) const;
  bool IsDeadLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// As IsDeadLocked(), but not yet in the call in which it dies.
  bool DiedBeforeLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<DiskNode> FindLocked(std::string_view path) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Location> LocateLocked(const std::string& path) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Where the write that begins now lands instead, if it is the one.
  std::optional<WritePlace> TakeMisdirection(const WritePlace& meant);
  DiskFile& FileLocked(const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t FreeBytesLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// StorageFull when the file cannot grow to `size`.
  absl::Status CheckGrowthLocked(const std::string& path, const DiskFile& file, uint64_t size) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable base::Mutex mutex_;
  FreedBlocks freed_ ABSL_GUARDED_BY(mutex_);  ///< Outlives the nodes.
  const std::shared_ptr<DiskNode> root_;       ///< The tree under it is guarded by mutex_.
  std::set<std::string> locked_ ABSL_GUARDED_BY(mutex_);
  uint64_t boots_ ABSL_GUARDED_BY(mutex_) = 0;  ///< Power cuts so far.
  FaultHook hook_ ABSL_GUARDED_BY(mutex_);
  uint64_t writes_until_misdirection_ ABSL_GUARDED_BY(mutex_) = 0;  ///< 0: none is.
  std::function<WritePlace(const WritePlace&)> elsewhere_ ABSL_GUARDED_BY(mutex_);
  std::vector<UnreadableRange> unreadable_ ABSL_GUARDED_BY(mutex_);
  uint64_t capacity_bytes_ ABSL_GUARDED_BY(mutex_) = kUnlimited;
  bool keeps_holes_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t changes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t dies_at_ ABSL_GUARDED_BY(mutex_) = 0;  ///< A value of changes_; 0: never.
};

}  // namespace talosmq::support
