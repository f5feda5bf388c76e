#include "base/status.h"
#include "base/text.h"
#include "io/errno_status.h"
#include "io/posix_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

namespace talosmq::io {
namespace {

constexpr mode_t kFileMode = 0640;
constexpr mode_t kDirectoryMode = 0750;

/// flock() belongs to the open file, so a second lock within the process is refused as well.
class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

 private:
  const Descriptor descriptor_;
};

/// The kernel's form of FileSystem. Thread-safe: it has no state.
class PosixFileSystem final : public FileSystem {
 public:
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
};

/// Its descriptor stays open, since the kernel counts for each which errors it was told of.
class PosixVolumeSync final : public VolumeSync {
 public:
  PosixVolumeSync(std::string directory, Descriptor descriptor)
      : directory_(std::move(directory)), descriptor_(std::move(descriptor)) {}

  absl::Status Sync() override {
    if (::syncfs(descriptor_.number()) == 0) return absl::OkStatus();
    return ErrnoStatus(errno, directory_, "syncfs");
  }

 private:
  const std::string directory_;
  const Descriptor descriptor_;
};

int FlagsOf(OpenMode mode) {
  switch (mode) {
    case OpenMode::kRead:
      return O_RDONLY;
    case OpenMode::kReadWrite:
      return O_RDWR;
    case OpenMode::kCreate:
      return O_RDWR | O_CREAT;
    case OpenMode::kCreateNew:
      return O_RDWR | O_CREAT | O_EXCL;
    case OpenMode::kTruncate:
      return O_RDWR | O_CREAT | O_TRUNC;
  }
  return O_RDONLY;
}

absl::StatusOr<Descriptor> OpenDescriptor(const std::string& path, int flags) {
  int number = -1;
  do {
    number = ::open(path.c_str(), flags | O_CLOEXEC, kFileMode);
  } while (number < 0 && errno == EINTR);
  if (number < 0) return ErrnoStatus(errno, path, "open");
  return Descriptor(number);
}

absl::StatusOr<std::unique_ptr<File>> PosixFileSystem::Open(const std::string& path,
                                                            OpenMode mode) {
  TALOSMQ_ASSIGN_OR_RETURN(Descriptor descriptor, OpenDescriptor(path, FlagsOf(mode)));
  return std::make_unique<PosixFile>(path, std::move(descriptor));
}

absl::StatusOr<bool> PosixFileSystem::Exists(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return ErrnoStatus(errno, path, "stat");
}

absl::StatusOr<std::vector<std::string>> PosixFileSystem::List(const std::string& directory) {
  std::error_code error;
  std::vector<std::string> names;
  std::filesystem::directory_iterator entry(directory, error);
  while (!error && entry != std::filesystem::directory_iterator()) {
    names.push_back(entry->path().filename().string());
    entry.increment(error);
  }
  if (error) return ErrnoStatus(error.value(), directory, "readdir");
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status PosixFileSystem::MakeDirectory(const std::string& directory) {
  if (::mkdir(directory.c_str(), kDirectoryMode) == 0 || errno == EEXIST) return absl::OkStatus();
  return ErrnoStatus(errno, directory, "mkdir");
}

absl::Status PosixFileSystem::Rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, base::StrCat(from, " -> ", to), "rename");
}

absl::Status PosixFileSystem::Remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return ErrnoStatus(errno, path, "unlink");
  return absl::OkStatus();
}

absl::Status PosixFileSystem::RemoveDirectory(const std::string& directory) {
  if (::rmdir(directory.c_str()) != 0) return ErrnoStatus(errno, directory, "rmdir");
  return absl::OkStatus();
}

absl::Status PosixFileSystem::SyncDirectory(const std::string& directory) {
  TALOSMQ_ASSIGN_OR_RETURN(const Descriptor descriptor,
                           OpenDescriptor(directory, O_RDONLY | O_DIRECTORY));
  if (::fsync(descriptor.number()) != 0) return ErrnoStatus(errno, directory, "fsync");
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<VolumeSync>> PosixFileSystem::OpenVolume(
    const std::string& directory) {
  TALOSMQ_ASSIGN_OR_RETURN(Descriptor descriptor,
                           OpenDescriptor(directory, O_RDONLY | O_DIRECTORY));
  return std::make_unique<PosixVolumeSync>(directory, std::move(descriptor));
}

absl::StatusOr<DiskSpace> PosixFileSystem::Space(const std::string& directory) {
  struct statvfs status {};
  if (::statvfs(directory.c_str(), &status) != 0) return ErrnoStatus(errno, directory, "statvfs");
  const auto bytes = [&status](fsblkcnt_t blocks) {
    return static_cast<int64_t>(blocks * status.f_frsize);
  };
  return DiskSpace{.capacity_bytes = bytes(status.f_blocks), .free_bytes = bytes(status.f_bavail)};
}

absl::StatusOr<std::unique_ptr<FileLock>> PosixFileSystem::Lock(const std::string& path) {
  TALOSMQ_ASSIGN_OR_RETURN(Descriptor descriptor, OpenDescriptor(path, O_RDWR | O_CREAT));
  if (::flock(descriptor.number(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return ErrnoStatus(errno, path, "flock");
    return MakeError(Reason::kConflict,
                     base::StrCat(path, ": locked by another process that uses this directory"));
  }
  return std::make_unique<PosixFileLock>(std::move(descriptor));
}

}  // namespace

std::unique_ptr<FileSystem> MakePosixFileSystem() { return std::make_unique<PosixFileSystem>(); }

}  // namespace talosmq::io
