#include "io/deferred_sync.h"

#include "base/status.h"

#include <utility>

namespace talosmq::io {
namespace {

class DeferredFile final : public File {
 public:
  explicit DeferredFile(std::unique_ptr<File> file) : file_(std::move(file)) {}

  absl::StatusOr<size_t> Read(uint64_t position, base::MutableByteSpan into) const override {
    return file_->Read(position, into);
  }
  absl::Status Write(uint64_t position, std::span<const base::ByteSpan> pieces) override {
    return file_->Write(position, pieces);
  }
  absl::Status Sync() override { return absl::OkStatus(); }
  absl::StatusOr<uint64_t> Size() const override { return file_->Size(); }
  absl::Status Truncate(uint64_t size) override { return file_->Truncate(size); }
  absl::Status Preallocate(uint64_t size) override { return file_->Preallocate(size); }
  absl::StatusOr<uint64_t> AllocatedBytes() const override { return file_->AllocatedBytes(); }

 private:
  const std::unique_ptr<File> file_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<DeferredSync>> DeferredSync::Open(FileSystem& file_system,
                                                                 const std::string& directory) {
  TALOSMQ_ASSIGN_OR_RETURN(auto volume, file_system.OpenVolume(directory));
  return std::unique_ptr<DeferredSync>(new DeferredSync(file_system, std::move(volume)));
}

absl::StatusOr<std::unique_ptr<File>> DeferredSync::Open(const std::string& path, OpenMode mode) {
  TALOSMQ_ASSIGN_OR_RETURN(auto file, file_system_.Open(path, mode));
  return std::make_unique<DeferredFile>(std::move(file));
}

absl::StatusOr<bool> DeferredSync::Exists(const std::string& path) {
  return file_system_.Exists(path);
}
absl::StatusOr<std::vector<std::string>> DeferredSync::List(const std::string& directory) {
  return file_system_.List(directory);
}
absl::Status DeferredSync::MakeDirectory(const std::string& directory) {
  return file_system_.MakeDirectory(directory);
}
absl::Status DeferredSync::Rename(const std::string& from, const std::string& to) {
  return file_system_.Rename(from, to);
}
absl::Status DeferredSync::Remove(const std::string& path) { return file_system_.Remove(path); }
absl::Status DeferredSync::RemoveDirectory(const std::string& directory) {
  return file_system_.RemoveDirectory(directory);
}
absl::Status DeferredSync::SyncDirectory(const std::string& /*directory*/) {
  return absl::OkStatus();
}
absl::StatusOr<std::unique_ptr<VolumeSync>> DeferredSync::OpenVolume(const std::string& directory) {
  return file_system_.OpenVolume(directory);
}
absl::StatusOr<DiskSpace> DeferredSync::Space(const std::string& directory) {
  return file_system_.Space(directory);
}
absl::StatusOr<std::unique_ptr<FileLock>> DeferredSync::Lock(const std::string& path) {
  return file_system_.Lock(path);
}

}  // namespace talosmq::io
