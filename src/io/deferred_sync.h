#pragma once

#include "io/file_system.h"

#include <memory>
#include <string>

namespace talosmq::io {

/// A file system whose File::Sync and SyncDirectory do nothing but say OK: what they were to make
/// durable is so after SyncAll(), with everything else on the same disk. For changes of many files
/// that nobody relies on before all of them are durable.
///
/// Writes keep no order across a crash: a file that was renamed may have lost its content. So what
/// has to appear whole, as WriteFileAtomically promises it, does not go through here.
/// Confined to its owner, with its files. Borrows the other one.
class DeferredSync final : public FileSystem {
 public:
  /// For the disk that holds `directory`.
  static absl::StatusOr<std::unique_ptr<DeferredSync>> Open(FileSystem& file_system,
                                                            const std::string& directory);

  /// After an error nothing since the last call counts as durable.
  absl::Status SyncAll() { return volume_->Sync(); }

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override;
  absl::StatusOr<bool> Exists(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override;
  absl::Status MakeDirectory(const std::string& directory) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status RemoveDirectory(const std::string& directory) override;
  absl::Status SyncDirectory(const std::string& directory) override;
  absl::StatusOr<std::unique_ptr<VolumeSync>> OpenVolume(const std::string& directory) override;
  absl::StatusOr<DiskSpace> Space(const std::string& directory) override;
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override;

 private:
  DeferredSync(FileSystem& file_system, std::unique_ptr<VolumeSync> volume)
      : file_system_(file_system), volume_(std::move(volume)) {}

  FileSystem& file_system_;
  const std::unique_ptr<VolumeSync> volume_;
};

}  // namespace talosmq::io
