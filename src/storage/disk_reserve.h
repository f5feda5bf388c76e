#pragma once

#include "base/metrics.h"
#include "base/mutex.h"
#include "io/file_system.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace talosmq::storage {

/// Room on the disk of a data directory that records never take, so that with a full disk reads,
/// deletions, metadata and recovery still work (docs/adr/0005-disk-reserve.md).
///
///   roomy: the file `reserve` holds the room; appends are taken
///     |                                         ^
///     |  less than twice the room is free       |  three times the room is free
///     v                                         |
///   full: the file is gone, its room free for all but records; appends are refused
///
/// Free: what the file system has left, and what the file holds. Where the file system allocates
/// nothing in advance there is no file: the bounds hold all the same, against our own records only.
///
/// Invariants:
/// 1. No flush that Look() lets pass leaves less than the room free.
/// 2. A state is only left by what Look() finds: nobody has to tell that there is space again.
/// CheckRoom, space and bytes are thread-safe; Look is confined to the flush executor once that
/// runs. Crash: the file is there, whole or not; Open() goes by its size.
class DiskReserve {
 public:
  static constexpr const char* kFileName = "reserve";
  /// The room is at most this share of the file system.
  static constexpr int64_t kShareOfDisk = 32;

  struct Options {
    std::string directory;  ///< The data directory.
    int64_t bytes = 0;      ///< The room; 0: none, and only an empty disk is full.
  };
  struct Dependencies {
    io::FileSystem& file_system;
    base::MetricRegistry& metrics;
  };

  /// Looks once: on a full disk the room is free when this returns.
  static absl::StatusOr<std::unique_ptr<DiskReserve>> Open(Options options,
                                                           Dependencies dependencies);

  /// OK, or kStorageFull when appends are refused. No I/O.
  absl::Status CheckRoom() const;
  /// Looks at the disk before `bytes` are written to it, or for its own sake with 0. kStorageFull:
  /// do not. Blocks on the disk.
  absl::Status Look(int64_t bytes);

  /// Of the disk, as the last look has found it; what the file holds is not free. No I/O.
  io::DiskSpace space() const;

  int64_t bytes() const { return bytes_; }

 private:
  DiskReserve(Options options, Dependencies dependencies, int64_t bytes);

  void BecomeFull(const absl::Status& full);
  void BecomeRoomy();
  absl::Status Make();
  absl::Status Drop();
  absl::Status DescribeFull(const io::DiskSpace& space) const;

  const std::string directory_;
  const std::string path_;
  io::FileSystem& file_system_;
  const int64_t bytes_;
  base::Gauge& free_bytes_;
  base::Gauge& capacity_bytes_;
  base::Gauge& full_;

  int64_t held_bytes_ = 0;  ///< Of the file.

  std::atomic<bool> is_full_ = false;
  mutable base::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);  ///< Not OK while full.
  io::DiskSpace space_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talosmq::storage
