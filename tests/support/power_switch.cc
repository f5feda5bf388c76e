// Preloaded into a program: keeps beside its folder the one that a power cut would leave. Into that
// goes what was synced and nothing else: bytes by fsync, fdatasync or syncfs, names by fsync of
// their folder or syncfs.
//
//   TALOSMQ_POWER_SWITCH/live      the program's folder, where everything is as it has done it
//   TALOSMQ_POWER_SWITCH/durable   what is left of it when the power is cut
//   TALOSMQ_POWER_SWITCH/synced    the bytes of each file of `live`, by its inode; the files of
//                                  `durable` are other names of them
//   TALOSMQ_POWER_SWITCH/pinned    other names of the files of `live`, by inode: none is given
//   twice TALOSMQ_POWER_SWITCH/switch    who holds its lock may kill the program: folders are
//   synced as a
//                                  whole, files by pieces
//
// Bytes that stdio or a mapping writes are never synced; of this project none of them need be.

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr off_t kPieceBytes = 64 << 10;

template <typename Function>
Function* Next(const char* name, Function* /*this_one*/) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}
#define NEXT(function)                                     \
  ([] {                                                    \
    static const auto next = Next(#function, &(function)); \
    return next;                                           \
  }())

[[noreturn]] void Fail(const std::string& what) {
  std::perror(("power switch: " + what).c_str());
  std::abort();
}

const std::string& Root() {
  static const std::string root = [] {
    const char* const value = std::getenv("TALOSMQ_POWER_SWITCH");
    return std::string(value == nullptr ? "" : value);
  }();
  return root;
}

std::string Of(const char* folder, ino_t inode) { return Root() + folder + std::to_string(inode); }

int OpenOwn(const std::string& path, int flags) {
  const int fd = NEXT(open)(path.c_str(), flags | O_CLOEXEC, 0644);
  if (fd < 0) Fail(path);
  return fd;
}

/// No power cut while one of them is there.
class PowerStaysOn {
 public:
  PowerStaysOn() : lock_(mutex_) {
    static const int fd = OpenOwn(Root() + "/switch", O_RDWR | O_CREAT);
    fd_ = fd;
    if (flock(fd_, LOCK_EX) != 0) Fail("flock");
  }
  ~PowerStaysOn() { flock(fd_, LOCK_UN); }
  PowerStaysOn(const PowerStaysOn&) = delete;
  PowerStaysOn& operator=(const PowerStaysOn&) = delete;

 private:
  static inline std::mutex mutex_;
  const std::lock_guard<std::mutex> lock_;
  int fd_ = -1;
};

using Range = std::pair<off_t, off_t>;  ///< [begin, end)
constexpr off_t kEndOfFile = std::numeric_limits<off_t>::max();

std::mutex mutex;
std::map<ino_t, std::vector<Range>>& Unsynced() {
  static auto* const unsynced = new std::map<ino_t, std::vector<Range>>;  // Threads outlive main.
  return *unsynced;
}

std::string PathOf(int fd) {
  std::string path(4096, '\0');
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t size = readlink(link.c_str(), path.data(), path.size());
  path.resize(static_cast<size_t>(std::max<ssize_t>(size, 0)));
  return path;
}

bool IsLive(const std::string& path) {
  return !Root().empty() && (path + "/").starts_with(Root() + "/live/");
}

/// The inode of a file of the program; 0 for anything else.
ino_t InodeOf(int fd) {
  struct stat status {};
  if (Root().empty() || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return 0;
  const std::lock_guard lock(mutex);
  return Unsynced().contains(status.st_ino) ? status.st_ino : 0;
}

void NoteOpened(int fd, int flags) {
  struct stat status {};
  if (fd < 0 || Root().empty() || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return;
  const std::string path = PathOf(fd);
  if (!IsLive(path)) return;
  const std::string pinned = Of("/pinned/", status.st_ino);
  if (link(path.c_str(), pinned.c_str()) != 0 && errno != EEXIST) Fail(pinned);
  const std::lock_guard lock(mutex);
  std::vector<Range>& unsynced = Unsynced()[status.st_ino];
  if ((flags & O_TRUNC) != 0) unsynced.emplace_back(0, kEndOfFile);
}

void NoteWritten(int fd, off_t begin, off_t end) {
  const ino_t inode = InodeOf(fd);
  if (inode == 0) return;
  const std::lock_guard lock(mutex);
  std::vector<Range>& unsynced = Unsynced()[inode];
  if (!unsynced.empty() && unsynced.back().second == begin) {
    unsynced.back().second = end;
  } else {
    unsynced.emplace_back(begin, end);
  }
}

void CopyPiece(int from, int to, off_t position, off_t end) {
  std::vector<char> bytes(static_cast<size_t>(std::min(kPieceBytes, end - position)));
  const ssize_t count = pread(from, bytes.data(), bytes.size(), position);
  if (count < 0) Fail("pread");
  const PowerStaysOn on;
  if (NEXT(pwrite)(to, bytes.data(), static_cast<size_t>(count), position) != count) Fail("pwrite");
}

void SyncFile(ino_t inode) {
  std::vector<Range> ranges;
  {
    const std::lock_guard lock(mutex);
    ranges = std::exchange(Unsynced()[inode], {});
  }
  if (ranges.empty()) return;
  const int from = OpenOwn(Of("/pinned/", inode), O_RDONLY);
  const int to = OpenOwn(Of("/synced/", inode), O_RDWR | O_CREAT);
  struct stat status {};
  if (fstat(from, &status) != 0) Fail("fstat");
  for (const auto& [begin, end] : ranges) {
    for (off_t at = begin; at < std::min(end, status.st_size); at += kPieceBytes) {
      CopyPiece(from, to, at, std::min(end, status.st_size));
    }
  }
  if (NEXT(ftruncate)(to, status.st_size) != 0) Fail("ftruncate");
  close(from);
  close(to);
}

/// The power stays on.
void SyncName(const std::filesystem::directory_entry& live, const std::filesystem::path& durable) {
  struct stat status {};
  if (lstat(live.path().c_str(), &status) != 0) return;  // Gone meanwhile.
  if (S_ISDIR(status.st_mode)) {
    mkdir(durable.c_str(), 0755);
    return;
  }
  const std::string synced = Of("/synced/", status.st_ino);
  close(OpenOwn(synced, O_RDWR | O_CREAT));
  if (std::error_code error; std::filesystem::equivalent(synced, durable, error)) return;
  const std::string renamed = Root() + "/renamed";
  if (link(synced.c_str(), renamed.c_str()) != 0 || rename(renamed.c_str(), durable.c_str()) != 0) {
    Fail(durable);
  }
}

enum class Depth { kThisFolder, kAllBelow };

/// The power stays on.
void SyncFolder(const std::filesystem::path& live, Depth depth) {
  const std::filesystem::path durable =
      std::filesystem::path(Root()) / "durable" / live.lexically_relative(Root() + "/live");
  if (!std::filesystem::exists(durable)) return;  // Its own name is not synced.
  std::set<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(live, error)) {
    names.insert(entry.path().filename());
    SyncName(entry, durable / entry.path().filename());
    if (depth == Depth::kAllBelow && entry.is_directory(error)) SyncFolder(entry.path(), depth);
  }
  for (const auto& entry : std::filesystem::directory_iterator(durable)) {
    if (!names.contains(entry.path().filename())) std::filesystem::remove_all(entry.path(), error);
  }
}

void NoteSynced(int fd) {
  if (const ino_t inode = InodeOf(fd); inode != 0) return SyncFile(inode);
  const std::string path = PathOf(fd);
  struct stat status {};
  if (!IsLive(path) || fstat(fd, &status) != 0 || !S_ISDIR(status.st_mode)) return;
  const PowerStaysOn on;
  SyncFolder(path, Depth::kThisFolder);
}

void NoteAllSynced() {
  if (Root().empty()) return;
  std::vector<ino_t> inodes;
  {
    const std::lock_guard lock(mutex);
    for (const auto& [inode, ranges] : Unsynced()) inodes.push_back(inode);
  }
  for (const ino_t inode : inodes) SyncFile(inode);
  const PowerStaysOn on;
  SyncFolder(Root() + "/live", Depth::kAllBelow);
}

template <typename Result>
Result Written(Result result, int fd, off_t begin) {
  if (result > 0) NoteWritten(fd, begin, begin + static_cast<off_t>(result));
  return result;
}

/// Of a call that answers 0 and changes the size, and maybe what lies behind `begin`.
int Resized(int result, int fd, off_t begin) {
  if (result == 0) NoteWritten(fd, begin, kEndOfFile);
  return result;
}

}  // namespace

extern "C" int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  const int fd = NEXT(open)(path, flags, mode);
  const int error = errno;
  NoteOpened(fd, flags);
  errno = error;
  return fd;
}

extern "C" int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return open(path, flags, mode);
}

extern "C" ssize_t write(int fd, const void* bytes, size_t size) {
  const ssize_t count = NEXT(write)(fd, bytes, size);
  if (count <= 0 || InodeOf(fd) == 0) return count;
  return Written(count, fd, lseek(fd, 0, SEEK_CUR) - count);
}

extern "C" ssize_t pwrite(int fd, const void* bytes, size_t size, off_t position) {
  return Written(NEXT(pwrite)(fd, bytes, size, position), fd, position);
}
extern "C" ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t position) {
  return pwrite(fd, bytes, size, position);
}

extern "C" ssize_t pwritev(int fd, const iovec* pieces, int count, off_t position) {
  return Written(NEXT(pwritev)(fd, pieces, count, position), fd, position);
}
extern "C" ssize_t pwritev64(int fd, const iovec* pieces, int count, off64_t position) {
  return pwritev(fd, pieces, count, position);
}

extern "C" int ftruncate(int fd, off_t size) noexcept {
  return Resized(NEXT(ftruncate)(fd, size), fd, size);
}
extern "C" int ftruncate64(int fd, off64_t size) noexcept { return ftruncate(fd, size); }

extern "C" int fallocate(int fd, int mode, off_t position, off_t size) {
  return Resized(NEXT(fallocate)(fd, mode, position, size), fd, position + size);
}
extern "C" int fallocate64(int fd, int mode, off64_t position, off64_t size) {
  return fallocate(fd, mode, position, size);
}
extern "C" int posix_fallocate(int fd, off_t position, off_t size) {
  return Resized(NEXT(posix_fallocate)(fd, position, size), fd, position + size);
}
extern "C" int posix_fallocate64(int fd, off64_t position, off64_t size) {
  return posix_fallocate(fd, position, size);
}

extern "C" int fsync(int fd) {
  const int result = NEXT(fsync)(fd);
  if (result == 0) NoteSynced(fd);
  return result;
}

extern "C" int fdatasync(int fd) {
  const int result = NEXT(fdatasync)(fd);
  if (result == 0) NoteSynced(fd);
  return result;
}

extern "C" int syncfs(int fd) noexcept {
  const int result = NEXT(syncfs)(fd);
  if (result == 0) NoteAllSynced();
  return result;
}
