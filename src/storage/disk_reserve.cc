#include "storage/disk_reserve.h"

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"

#include <algorithm>
#include <utility>

namespace talosmq::storage {
namespace {

/// A hole holds no room, whatever the size says.
absl::StatusOr<int64_t> HeldBy(const io::File& file) {
  TALOSMQ_ASSIGN_OR_RETURN(const uint64_t size, file.Size());
  TALOSMQ_ASSIGN_OR_RETURN(const uint64_t allocated, file.AllocatedBytes());
  return static_cast<int64_t>(std::min(size, allocated));
}

}  // namespace

absl::StatusOr<std::unique_ptr<DiskReserve>> DiskReserve::Open(Options options,
                                                               Dependencies dependencies) {
  io::FileSystem& file_system = dependencies.file_system;
  TALOSMQ_ASSIGN_OR_RETURN(const io::DiskSpace space, file_system.Space(options.directory));
  const int64_t bytes = std::min(options.bytes, space.capacity_bytes / kShareOfDisk);
  std::unique_ptr<DiskReserve> reserve(new DiskReserve(std::move(options), dependencies, bytes));
  const auto file = file_system.Open(reserve->path_, io::OpenMode::kRead);
  if (file.ok()) {
    TALOSMQ_ASSIGN_OR_RETURN(reserve->held_bytes_, HeldBy(**file));
  } else if (!absl::IsNotFound(file.status())) {
    return file.status();
  }
  // Of another size: from another setting, cut off by a crash, or copied with holes.
  if (reserve->held_bytes_ != bytes) TALOSMQ_RETURN_IF_ERROR(reserve->Drop());
  reserve->Look(0).IgnoreError();
  if (!reserve->is_full_.load()) reserve->BecomeRoomy();
  return reserve;
}

DiskReserve::DiskReserve(Options options, Dependencies dependencies, int64_t bytes)
    : directory_(std::move(options.directory)),
      path_(base::StrCat(directory_, "/", kFileName)),
      file_system_(dependencies.file_system),
      bytes_(bytes),
      free_bytes_(dependencies.metrics.AddGauge(
          "talosmq_storage_disk_free_bytes", "Bytes left on the disk of the data directory.", {})),
      capacity_bytes_(dependencies.metrics.AddGauge(
          "talosmq_storage_disk_capacity_bytes", "Bytes of the disk of the data directory.", {})),
      full_(dependencies.metrics.AddGauge(
          "talosmq_storage_full", "1 while appends are refused because the disk is full.", {})) {}

absl::Status DiskReserve::CheckRoom() const {
  if (!is_full_.load(std::memory_order_relaxed)) return absl::OkStatus();
  base::MutexLock lock(mutex_);
  return status_;
}

io::DiskSpace DiskReserve::space() const {
  base::MutexLock lock(mutex_);
  return space_;
}

absl::Status DiskReserve::Look(int64_t bytes) {
  const auto space = file_system_.Space(directory_);
  if (!space.ok()) return absl::OkStatus();  // The write itself will tell.
  free_bytes_.Set(static_cast<double>(space->free_bytes));
  capacity_bytes_.Set(static_cast<double>(space->capacity_bytes));
  {
    base::MutexLock lock(mutex_);
    space_ = *space;
  }
  const int64_t left = space->free_bytes + held_bytes_ - bytes;
  if (left < 2 * bytes_) {
    BecomeFull(DescribeFull(*space));
  } else if (left >= 3 * bytes_ && is_full_.load()) {
    BecomeRoomy();
  }
  return left < bytes_ ? DescribeFull(*space) : absl::OkStatus();
}

absl::Status DiskReserve::DescribeFull(const io::DiskSpace& space) const {
  return MakeError(
      Reason::kStorageFull,
      base::StrCat("the disk of ", directory_, " is full: of ", space.capacity_bytes, " bytes ",
                   space.free_bytes + held_bytes_, " are free, and appends need ", 3 * bytes_));
}

void DiskReserve::BecomeFull(const absl::Status& full) {
  {
    base::MutexLock lock(mutex_);
    status_ = full;
  }
  if (!is_full_.exchange(true)) {
    base::LogError("storage", full.message(), "; appends are refused");
    full_.Set(1);
  }
  const absl::Status dropped = held_bytes_ > 0 ? Drop() : absl::OkStatus();
  if (!dropped.ok()) base::LogWarning("storage", dropped.message());
}

void DiskReserve::BecomeRoomy() {
  const absl::Status made = Make();
  if (ReasonOf(made) == Reason::kStorageFull) return;  // A quota, or somebody was quicker.
  if (!made.ok()) base::LogWarning("storage", "no room is kept on the disk: ", made.message());
  full_.Set(0);
  if (!is_full_.exchange(false)) return;
  base::LogInfo("storage", "the disk of ", directory_, " has room again; appends are taken");
}

absl::Status DiskReserve::Make() {
  if (held_bytes_ == bytes_) return absl::OkStatus();
  absl::Status made = [&]() -> absl::Status {
    TALOSMQ_ASSIGN_OR_RETURN(const auto file, file_system_.Open(path_, io::OpenMode::kTruncate));
    TALOSMQ_RETURN_IF_ERROR(file->Preallocate(static_cast<uint64_t>(bytes_)));
    TALOSMQ_RETURN_IF_ERROR(file->Sync());
    TALOSMQ_ASSIGN_OR_RETURN(const int64_t held, HeldBy(*file));
    if (held == bytes_) return absl::OkStatus();
    return MakeError(Reason::kInternal,
                     base::StrCat(path_, ": expected ", bytes_, " allocated bytes, found ", held,
                                  ": the file system allocates nothing in advance"));
  }();
  if (made.ok()) {
    held_bytes_ = bytes_;
    return file_system_.SyncDirectory(directory_);
  }
  Drop().IgnoreError();
  return made;
}

absl::Status DiskReserve::Drop() {
  const absl::Status removed = file_system_.Remove(path_);
  if (!removed.ok() && !absl::IsNotFound(removed)) return removed;
  held_bytes_ = 0;
  return absl::OkStatus();
}

}  // namespace talosmq::storage
