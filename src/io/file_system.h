#pragma once

#include "base/bytes.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::io {

/// An open file. Positions and sizes are in bytes. Thread-compatible; Read may be called from
/// several threads at once. A failed Write or Sync leaves the content above the last Sync
/// undefined: the caller must give the file up, never try again (loss class R01).
class File {
 public:
  virtual ~File() = default;
  /// Reads up to `into.size()` bytes at `position`; fewer only at the end of the file.
  virtual absl::StatusOr<size_t> Read(uint64_t position, base::MutableByteSpan into) const = 0;
  /// Writes all pieces one after another at `position`, or fails. ENOSPC is Reason::kStorageFull.
  virtual absl::Status Write(uint64_t position, std::span<const base::ByteSpan> pieces) = 0;
  /// Makes content and size durable (fdatasync). Not the directory entry.
  virtual absl::Status Sync() = 0;
  virtual absl::StatusOr<uint64_t> Size() const = 0;
  virtual absl::Status Truncate(uint64_t size) = 0;
  /// Grows the file to at least `size`, zero-filled and, where the file system can, allocated, so
  /// that a later Sync need not journal a new size.
  virtual absl::Status Preallocate(uint64_t size) = 0;
  /// What the file takes from the disk: less than its size where it has holes, more by what the
  /// last block leaves over.
  virtual absl::StatusOr<uint64_t> AllocatedBytes() const = 0;
};

/// Holds an exclusive lock on a file until it goes; the kernel drops it with the process.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

/// Makes durable what was written to a file system: every file and every name, by whomever. Tells
/// of every write in the background that has failed since it was opened or last called (Linux 5.8).
/// Confined to its owner.
class VolumeSync {
 public:
  virtual ~VolumeSync() = default;
  virtual absl::Status Sync() = 0;
};

enum class OpenMode {
  kRead,       ///< Must exist.
  kReadWrite,  ///< Must exist.
  kCreate,     ///< Read and write; made when missing, content kept when not.
  kCreateNew,  ///< Read and write; kAlreadyExists when there is one.
  kTruncate,   ///< Read and write; made when missing, emptied when not.
};

/// Of a file system, in bytes.
struct DiskSpace {
  int64_t capacity_bytes = 0;
  int64_t free_bytes = 0;  ///< That this process may take; quotas are not in it.
};

/// The only way to the disk: open, sync, rename and remove happen nowhere else. A new, renamed or
/// removed name is durable after SyncDirectory of its folder. Errors name path, call and errno.
/// Missing paths are kNotFound. Thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) = 0;
  virtual absl::StatusOr<bool> Exists(const std::string& path) = 0;
  /// Names (not paths) of all entries, sorted, without "." and "..".
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& directory) = 0;
  /// An existing directory is fine; its parent must exist.
  virtual absl::Status MakeDirectory(const std::string& directory) = 0;
  /// With missing parents, each synced into its own; an existing directory is fine.
  absl::Status MakeDirectories(const std::string& directory);
  /// Replaces an existing `to` atomically. Into another folder of the same file system, until both
  /// folders are synced a crash may leave the file under either name or under both: sync the new
  /// folder first.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  virtual absl::Status Remove(const std::string& path) = 0;
  /// An empty directory.
  virtual absl::Status RemoveDirectory(const std::string& directory) = 0;
  virtual absl::Status SyncDirectory(const std::string& directory) = 0;
  /// For the file system that holds `directory`.
  virtual absl::StatusOr<std::unique_ptr<VolumeSync>> OpenVolume(const std::string& directory) = 0;
  /// Of the file system that holds `directory`.
  virtual absl::StatusOr<DiskSpace> Space(const std::string& directory) = 0;
  /// Makes the file if need be and locks it; kConflict when another process holds it.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;
};

std::unique_ptr<FileSystem> MakePosixFileSystem();

/// The whole file; kInvalidArgument when it is larger than `size_max`.
absl::StatusOr<std::string> ReadFile(FileSystem& file_system, const std::string& path,
                                     uint64_t size_max);
/// Replaces `path` so that after a crash it holds either the old or the new content: writes
/// `path`.tmp, syncs it, renames, syncs the folder.
absl::Status WriteFileAtomically(FileSystem& file_system, const std::string& path,
                                 base::ByteSpan content);
/// `path` up to its last '/', "." without one.
std::string ParentDirectory(std::string_view path);

}  // namespace talosmq::io
