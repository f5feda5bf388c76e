#include "support/memory_file_system.h"

#include "base/check.h"
#include "base/status.h"
#include "base/text.h"

#include <algorithm>
#include <atomic>
#include <utility>

namespace talosmq::support {
namespace {

bool IsChange(DiskCall call) {
  switch (call) {
    case DiskCall::kOpen:
    case DiskCall::kWrite:
    case DiskCall::kSync:
    case DiskCall::kTruncate:
    case DiskCall::kPreallocate:
    case DiskCall::kMakeDirectory:
    case DiskCall::kRename:
    case DiskCall::kRemove:
    case DiskCall::kRemoveDirectory:
    case DiskCall::kSyncDirectory:
    case DiskCall::kSyncVolume:
      return true;
    case DiskCall::kCreate:
    case DiskCall::kRead:
    case DiskCall::kSize:
    case DiskCall::kExists:
    case DiskCall::kList:
    case DiskCall::kSpace:
    case DiskCall::kLock:
      return false;
  }
  return false;
}

absl::Status NotFound(std::string_view path) {
  return absl::NotFoundError(base::StrCat(path, ": ENOENT (No such file or directory)"));
}

absl::Status WrongKind(std::string_view path, std::string_view expected) {
  return MakeError(Reason::kInternal, base::StrCat(path, ": expected ", expected));
}

/// Takes the first name off `path`; empty when there is none.
std::string_view TakeName(std::string_view& path) {
  const size_t begin = std::min(path.find_first_not_of('/'), path.size());
  const size_t end = std::min(path.find('/', begin), path.size());
  const std::string_view name = path.substr(begin, end - begin);
  path.remove_prefix(end);
  return name;
}

uint64_t BytesIn(const DiskNode& node) {
  if (node.file != nullptr) return node.file->content().size();
  uint64_t bytes = 0;
  for (const auto& [name, entry] : node.directory->entries()) bytes += BytesIn(*entry);
  return bytes;
}

std::string LastName(std::string_view path) {
  std::string_view last;
  for (std::string_view name = TakeName(path); !name.empty(); name = TakeName(path)) last = name;
  return std::string(last);
}

}  // namespace

/// Where a name is or would be.
struct MemoryFileSystem::Location {
  DiskDirectory* directory = nullptr;
  std::string name;
  std::shared_ptr<DiskNode> node;  ///< Null: there is no such entry.
};

/// Open file of one boot.
class MemoryFileSystem::OpenedFile final : public io::File {
 public:
  OpenedFile(MemoryFileSystem& disk, std::string path, std::shared_ptr<DiskNode> node,
             uint64_t boot)
      : disk_(disk), path_(std::move(path)), node_(std::move(node)), boot_(boot) {}
  ~OpenedFile() override {
    const base::MutexLock lock(disk_.mutex_);
    node_.reset();  // It may be the last one that holds the blocks.
  }

  absl::StatusOr<size_t> Read(uint64_t position, base::MutableByteSpan into) const override {
    TALOSMQ_RETURN_IF_ERROR(disk_.Begin(DiskCall::kRead, path_));
    const base::MutexLock lock(disk_.mutex_);
    TALOSMQ_RETURN_IF_ERROR(CheckBootLocked());
    const base::ByteSpan content = base::AsBytes(node_->file->content());
    if (position >= content.size()) return size_t{0};
    const size_t size = std::min(into.size(), content.size() - position);
    for (const UnreadableRange& range : disk_.unreadable_) {
      const bool is_touched = position < range.end && range.begin < position + size;
      if (is_touched && range.path == path_) return IoError(path_);
    }
    std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(position), size, into.begin());
    return size;
  }

  absl::Status Write(uint64_t position, std::span<const base::ByteSpan> pieces) override {
    std::string bytes;
    for (const base::ByteSpan piece : pieces) bytes += base::AsText(piece);
    const absl::Status begun = disk_.Begin(DiskCall::kWrite, path_);
    const auto elsewhere = disk_.TakeMisdirection({.path = path_, .position = position});
    const base::MutexLock lock(disk_.mutex_);
    TALOSMQ_RETURN_IF_ERROR(CheckBootLocked());
    if (disk_.DiedBeforeLocked()) return begun;
    const absl::Status written =
        begun.ok() ? disk_.CheckGrowthLocked(path_, *node_->file, position + bytes.size()) : begun;
    if (!written.ok()) bytes.resize(bytes.size() / 2);
    if (disk_.CheckGrowthLocked(path_, *node_->file, position + bytes.size()).ok()) {
      StoreLocked(position, bytes, elsewhere);
    }
    return written;
  }

  absl::Status Sync() override {
    const absl::Status begun = disk_.Begin(DiskCall::kSync, path_);
    const base::MutexLock lock(disk_.mutex_);
    TALOSMQ_RETURN_IF_ERROR(CheckBootLocked());
    if (begun.ok()) {
      node_->file->Sync();
    } else if (!disk_.IsDeadLocked()) {
      node_->file->FailSync();
    }
    return begun;
  }

  absl::StatusOr<uint64_t> Size() const override {
    TALOSMQ_RETURN_IF_ERROR(disk_.Begin(DiskCall::kSize, path_));
    const base::MutexLock lock(disk_.mutex_);
    TALOSMQ_RETURN_IF_ERROR(CheckBootLocked());
    return node_->file->content().size();
  }

  absl::Status Truncate(uint64_t size) override {
    TALOSMQ_RETURN_IF_ERROR(disk_.Begin(DiskCall::kTruncate, path_));
    const base::MutexLock lock(disk_.mutex_);
    TALOSMQ_RETURN_IF_ERROR(CheckBootLocked());
    node_->file->Resize(size);
    return absl::OkStatus();
  }

  absl::Status Preallocate(uint64_t size) override {
    TALOSMQ_RETURN_IF_ERROR(disk_.Begin(DiskCall::kPreallocate, path_));
    const base::MutexLock lock(disk_.mutex_);
    TALOSMQ_RETURN_IF_ERROR(CheckBootLocked());
    TALOSMQ_RETURN_IF_ERROR(disk_.CheckGrowthLocked(path_, *node_->file, size));
    if (node_->file->content().size() < size) node_->file->Resize(size);
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> AllocatedBytes() const override {
    TALOSMQ_RETURN_IF_ERROR(disk_.Begin(DiskCall::kSize, path_));
    const base::MutexLock lock(disk_.mutex_);
    TALOSMQ_RETURN_IF_ERROR(CheckBootLocked());
    const std::string& content = node_->file->content();
    return disk_.keeps_holes_ ? content.find_last_not_of('\0') + 1 : content.size();
  }

 private:
  void StoreLocked(uint64_t position, const std::string& bytes,
                   const std::optional<WritePlace>& elsewhere)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(disk_.mutex_) {
    DiskFile& file = *node_->file;
    if (!elsewhere) return file.Write(position, bytes);
    file.Resize(std::max(file.content().size(), position + bytes.size()));
    disk_.FileLocked(elsewhere->path).Overwrite(elsewhere->position, bytes);
  }

  absl::Status CheckBootLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(disk_.mutex_) {
    return disk_.boots_ == boot_ ? absl::OkStatus() : IoError(path_);
  }

  MemoryFileSystem& disk_;
  const std::string path_;
  std::shared_ptr<DiskNode> node_;
  const uint64_t boot_;
};

class MemoryFileSystem::HeldLock final : public io::FileLock {
 public:
  HeldLock(MemoryFileSystem& disk, std::string path, uint64_t boot)
      : disk_(disk), path_(std::move(path)), boot_(boot) {}
  ~HeldLock() override {
    const base::MutexLock lock(disk_.mutex_);
    if (disk_.boots_ == boot_) disk_.locked_.erase(path_);
  }

 private:
  MemoryFileSystem& disk_;
  const std::string path_;
  const uint64_t boot_;
};

MemoryFileSystem::MemoryFileSystem() : root_(DiskNode::NewDirectory()) {}
MemoryFileSystem::~MemoryFileSystem() = default;

absl::StatusOr<std::unique_ptr<io::File>> MemoryFileSystem::Open(const std::string& path,
                                                                 io::OpenMode mode) {
  TALOSMQ_RETURN_IF_ERROR(Begin(DiskCall::kOpen, path));
  const bool must_exist = mode == io::OpenMode::kRead || mode == io::OpenMode::kReadWrite;
  if (!must_exist && !HasName(path)) TALOSMQ_RETURN_IF_ERROR(Begin(DiskCall::kCreate, path));
  const base::MutexLock lock(mutex_);
  TALOSMQ_ASSIGN_OR_RETURN(Location at, LocateLocked(path));
  if (at.node == nullptr && must_exist) return NotFound(path);
  if (at.node != nullptr && mode == io::OpenMode::kCreateNew) {
    return absl::AlreadyExistsError(base::StrCat(path, ": EEXIST (File exists)"));
  }
  if (at.node != nullptr && at.node->file == nullptr) return WrongKind(path, "a file");
  if (at.node == nullptr) {
    at.node = DiskNode::NewFile(freed_);
    at.directory->Make({{at.name, at.node}});
  } else if (mode == io::OpenMode::kTruncate) {
    at.node->file->Resize(0);
  }
  return std::make_unique<OpenedFile>(*this, path, std::move(at.node), boots_);
}

bool MemoryFileSystem::HasName(const std::string& path) const {
  const base::MutexLock lock(mutex_);
  return FindLocked(path) != nullptr;
}

absl::StatusOr<bool> MemoryFileSystem::Exists(const std::string& path) {
  TALOSMQ_RETURN_IF_ERROR(Begin(DiskCall::kExists, path));
  const base::MutexLock lock(mutex_);
  return FindLocked(path) != nullptr;
}

absl::StatusOr<std::vector<std::string>> MemoryFileSystem::List(const std::string& directory) {
  TALOSMQ_RETURN_IF_ERROR(Begin(DiskCall::kList, directory));
  const base::MutexLock lock(mutex_);
  const std::shared_ptr<DiskNode> node = FindLocked(directory);
  if (node == nullptr) return NotFound(directory);
  if (node->directory == nullptr) return WrongKind(directory, "a directory");
  std::vector<std::string> names;
  for (const auto& [name, entry] : node->directory->entries()) names.push_back(name);
  return names;
}

absl::Status MemoryFileSystem::MakeDirectory(const std::string& directory) {
  TALOSMQ_RETURN_IF_ERROR(Begin(DiskCall::kMakeDirectory, directory));
  const base::MutexLock lock(mutex_);
  TALOSMQ_ASSIGN_OR_RETURN(const Location at, LocateLocked(directory));
  if (at.node == nullptr) at.directory->Make({{at.name, DiskNode::NewDirectory()}});
  return absl::OkStatus();
}

absl::Status MemoryFileSystem::Rename(const std::string& from, const std::string& to) {
  TALOSMQ_RETURN_IF_ERROR(Begin(DiskCall::kRename, from));
  const base::MutexLock lock(mutex_);
  TALOSMQ_ASSIGN_OR_RETURN(const Location source, LocateLocked(from));
  TALOSMQ_ASSIGN_OR_RETURN(const Location target, LocateLocked(to));
  if (source.node == nullptr) return NotFound(from);
  if (source.node == target.node) return absl::OkStatus();
  if (source.directory == target.directory) {
    source.directory->Make({{source.name, nullptr}, {target.name, source.node}});
  } else {
    target.directory->Make({{target.name, source.node}});
    source.directory->MoveAway(source.name);
  }
  return absl::OkStatus();
}

absl::Status MemoryFileSystem::Remove(const std::string& path) {
  TALOSMQ_RETURN_IF_ERROR(Begin(DiskCall::kRemove, path));
  const base::MutexLock lock(mutex_);
  TALOSMQ_ASSIGN_OR_RETURN(const Location at, LocateLocked(path));
  if (at.node == nullptr) return NotFound(path);
  if (at.node->file == nullptr) return WrongKind(path, "a file");
  at.directory->Make({{at.name, nullptr}});
  return absl::OkStatus();
}

absl::Status MemoryFileSystem::RemoveDirectory(const std::string& directory) {
  TALOSMQ_RETURN_IF_ERROR(Begin(DiskCall::kRemoveDirectory, directory));
  const base::MutexLock lock(mutex_);
  TALOSMQ_ASSIGN_OR_RETURN(const Location at, LocateLocked(directory));
  if (at.node == nullptr) return NotFound(directory);
  if (at.node->directory == nullptr || !at.node->directory->entries().empty()) {
    return WrongKind(directory, "an empty directory");
  }
  at.directory->Make({{at.name, nullptr}});
  return absl::OkStatus();
}

absl::Status MemoryFileSystem::SyncDirectory(const std::string& directory) {
  TALOSMQ_RETURN_IF_ERROR(Begin(DiskCall::kSyncDirectory, directory));
  const base::MutexLock lock(mutex_);
  const std::shared_ptr<DiskNode> node = FindLocked(directory);
  if (node == nullptr) return NotFound(directory);
  if (node->directory == nullptr) return WrongKind(directory, "a directory");
  node->directory->Sync();
  return absl::OkStatus();
}

class MemoryFileSystem::Volume final : public io::VolumeSync {
 public:
  Volume(MemoryFileSystem& disk, std::string directory)
      : disk_(disk), directory_(std::move(directory)) {}

  absl::Status Sync() override {
    const absl::Status begun = disk_.Begin(DiskCall::kSyncVolume, directory_);
    const base::MutexLock lock(disk_.mutex_);
    if (begun.ok()) {
      disk_.root_->Sync();
    } else if (!disk_.IsDeadLocked()) {
      disk_.root_->FailSync();
    }
    return begun;
  }

 private:
  MemoryFileSystem& disk_;
  const std::string directory_;
};

absl::StatusOr<std::unique_ptr<io::VolumeSync>> MemoryFileSystem::OpenVolume(
    const std::string& directory) {
  TALOSMQ_ASSIGN_OR_RETURN(const bool exists, Exists(directory));
  if (!exists) return NotFound(directory);
  return std::make_unique<Volume>(*this, directory);
}

absl::StatusOr<io::DiskSpace> MemoryFileSystem::Space(const std::string& directory) {
  TALOSMQ_RETURN_IF_ERROR(Begin(DiskCall::kSpace, directory));
  const base::MutexLock lock(mutex_);
  return io::DiskSpace{.capacity_bytes = static_cast<int64_t>(capacity_bytes_),
                       .free_bytes = static_cast<int64_t>(FreeBytesLocked())};
}

absl::StatusOr<std::unique_ptr<io::FileLock>> MemoryFileSystem::Lock(const std::string& path) {
  TALOSMQ_RETURN_IF_ERROR(Begin(DiskCall::kLock, path));
  const base::MutexLock lock(mutex_);
  TALOSMQ_ASSIGN_OR_RETURN(const Location at, LocateLocked(path));
  if (at.node == nullptr) at.directory->Make({{at.name, DiskNode::NewFile(freed_)}});
  if (!locked_.insert(path).second) {
    return MakeError(Reason::kConflict, base::StrCat(path, ": locked by another process"));
  }
  return std::make_unique<HeldLock>(*this, path, boots_);
}

void MemoryFileSystem::CutPower(PowerCut cut) {
  const base::MutexLock lock(mutex_);
  root_->directory->CutPower(cut);
  locked_.clear();
  ++boots_;
  dies_at_ = 0;
}

void MemoryFileSystem::SetFaultHook(FaultHook hook) {
  const base::MutexLock lock(mutex_);
  hook_ = std::move(hook);
}

void MemoryFileSystem::SetCapacity(uint64_t bytes) {
  const base::MutexLock lock(mutex_);
  capacity_bytes_ = bytes;
}

void MemoryFileSystem::KeepHoles() {
  const base::MutexLock lock(mutex_);
  keeps_holes_ = true;
}

uint64_t MemoryFileSystem::FreeBytesLocked() const {
  if (capacity_bytes_ == kUnlimited) return kUnlimited;  // Spares the walk.
  const uint64_t used = BytesIn(*root_);
  return used < capacity_bytes_ ? capacity_bytes_ - used : 0;
}

absl::Status MemoryFileSystem::CheckGrowthLocked(const std::string& path, const DiskFile& file,
                                                 uint64_t size) const {
  const uint64_t present = file.content().size();
  if (size <= present || size - present <= FreeBytesLocked()) return absl::OkStatus();
  return StorageFull(path);
}

void MemoryFileSystem::FailNth(DiskCall call, uint64_t nth, absl::Status status) {
  auto left = std::make_shared<std::atomic<uint64_t>>(nth);
  SetFaultHook([call, left, status](DiskCall made, const std::string&) {
    if (made != call || left->load() == 0) return absl::OkStatus();
    return left->fetch_sub(1) == 1 ? status : absl::OkStatus();
  });
}

void MemoryFileSystem::MisdirectNth(uint64_t nth,
                                    std::function<WritePlace(const WritePlace&)> elsewhere) {
  const base::MutexLock lock(mutex_);
  writes_until_misdirection_ = nth;
  elsewhere_ = std::move(elsewhere);
}

std::optional<WritePlace> MemoryFileSystem::TakeMisdirection(const WritePlace& meant) {
  std::function<WritePlace(const WritePlace&)> elsewhere;
  {
    const base::MutexLock lock(mutex_);
    if (writes_until_misdirection_ == 0 || --writes_until_misdirection_ > 0) return std::nullopt;
    elsewhere = elsewhere_;
  }
  return elsewhere(meant);
}

void MemoryFileSystem::FlipBit(const std::string& path, uint64_t position, int bit) {
  const base::MutexLock lock(mutex_);
  DiskFile& file = FileLocked(path);
  TALOSMQ_CHECK(position < file.content().size()) << path << " at " << position;
  const char flipped = static_cast<char>(file.content()[position] ^ (1 << bit));
  file.Overwrite(position, std::string_view(&flipped, 1));
}

void MemoryFileSystem::MakeUnreadable(const std::string& path, uint64_t begin, uint64_t end) {
  const base::MutexLock lock(mutex_);
  unreadable_.push_back({.path = path, .begin = begin, .end = end});
}

DiskFile& MemoryFileSystem::FileLocked(const std::string& path) {
  const std::shared_ptr<DiskNode> node = FindLocked(path);
  TALOSMQ_CHECK(node != nullptr && node->file != nullptr) << path << " is no file";
  return *node->file;
}

MemoryFileSystem::FaultHook MemoryFileSystem::Delay(DiskCall call, absl::Duration by,
                                                    ManualClock& clock) {
  return [call, by, &clock](DiskCall made, const std::string&) {
    if (made == call) clock.Advance(by);
    return absl::OkStatus();
  };
}

void MemoryFileSystem::DieAtChange(uint64_t nth) {
  const base::MutexLock lock(mutex_);
  dies_at_ = changes_ + nth;
}

absl::Status MemoryFileSystem::CountChange() {
  const base::MutexLock lock(mutex_);
  ++changes_;
  return IsDeadLocked() ? IoError("machine") : absl::OkStatus();
}

uint64_t MemoryFileSystem::changes() const {
  const base::MutexLock lock(mutex_);
  return changes_;
}

absl::Status MemoryFileSystem::IoError(std::string_view path) {
  return MakeError(Reason::kInternal, base::StrCat(path, ": EIO (Input/output error)"));
}

absl::Status MemoryFileSystem::StorageFull(std::string_view path) {
  return MakeError(Reason::kStorageFull, base::StrCat(path, ": ENOSPC (No space left on device)"));
}

absl::Status MemoryFileSystem::Begin(DiskCall call, const std::string& path) {
  FaultHook hook;
  {
    const base::MutexLock lock(mutex_);
    if (IsChange(call)) ++changes_;
    if (IsDeadLocked()) return IoError(path);
    hook = hook_;
  }
  return hook ? hook(call, path) : absl::OkStatus();
}

bool MemoryFileSystem::IsDeadLocked() const { return dies_at_ != 0 && changes_ >= dies_at_; }

bool MemoryFileSystem::DiedBeforeLocked() const { return dies_at_ != 0 && changes_ > dies_at_; }

std::shared_ptr<DiskNode> MemoryFileSystem::FindLocked(std::string_view path) const {
  std::shared_ptr<DiskNode> node = root_;
  std::string_view rest = path;
  for (std::string_view name = TakeName(rest); !name.empty(); name = TakeName(rest)) {
    if (name == ".") continue;
    if (node->directory == nullptr) return nullptr;
    const auto& entries = node->directory->entries();
    const auto entry = entries.find(name);
    if (entry == entries.end()) return nullptr;
    node = entry->second;
  }
  return node;
}

absl::StatusOr<MemoryFileSystem::Location> MemoryFileSystem::LocateLocked(
    const std::string& path) const {
  const std::shared_ptr<DiskNode> parent = FindLocked(io::ParentDirectory(path));
  if (parent == nullptr) return NotFound(path);
  if (parent->directory == nullptr) return WrongKind(io::ParentDirectory(path), "a directory");
  Location location;
  location.directory = parent->directory.get();
  location.name = LastName(path);
  const auto entry = parent->directory->entries().find(location.name);
  if (entry != parent->directory->entries().end()) location.node = entry->second;
  return location;
}

}  // namespace talosmq::support
