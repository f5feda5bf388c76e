#include "io/posix_file.h"

#include "base/status.h"
#include "base/text.h"
#include "io/errno_status.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace talosmq::io {
namespace {

/// What is left to write of a list of pieces: gathers at most IOV_MAX of them for each call and
/// goes on inside a piece when the kernel took a part of it.
class RemainingPieces {
 public:
  explicit RemainingPieces(std::span<const base::ByteSpan> pieces) : pieces_(pieces) {
    SkipEmpty();
  }

  bool empty() const { return pieces_.empty(); }

  /// Valid until the next call of Gather or Consume.
  std::span<const iovec> Gather() {
    size_t count = 0;
    size_t skip = taken_of_first_;
    for (const base::ByteSpan piece : pieces_.first(std::min(pieces_.size(), vector_.size()))) {
      const base::ByteSpan rest = piece.subspan(skip);
      // iovec serves reads too, hence its pointer to mutable bytes; pwritev does not write there.
      vector_[count++] = {.iov_base = const_cast<std::byte*>(rest.data()), .iov_len = rest.size()};
      skip = 0;
    }
    return std::span(vector_).first(count);
  }

  void Consume(size_t bytes) {
    taken_of_first_ += bytes;
    while (!pieces_.empty() && taken_of_first_ >= pieces_.front().size()) {
      taken_of_first_ -= pieces_.front().size();
      pieces_ = pieces_.subspan(1);
    }
  }

 private:
  void SkipEmpty() { Consume(0); }

  std::span<const base::ByteSpan> pieces_;
  size_t taken_of_first_ = 0;
  std::array<iovec, IOV_MAX> vector_;
};

}  // namespace

Descriptor::~Descriptor() {
  if (number_ != kNone) ::close(number_);
}

absl::StatusOr<size_t> PosixFile::Read(uint64_t position, base::MutableByteSpan into) const {
  size_t read = 0;
  while (read < into.size()) {
    const ssize_t count = ::pread(descriptor_.number(), into.data() + read, into.size() - read,
                                  static_cast<off_t>(position + read));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoStatus(errno, path_, "pread");
    if (count == 0) break;
    read += static_cast<size_t>(count);
  }
  return read;
}

absl::Status PosixFile::Write(uint64_t position, std::span<const base::ByteSpan> pieces) {
  RemainingPieces remaining(pieces);
  while (!remaining.empty()) {
    const std::span<const iovec> vector = remaining.Gather();
    const ssize_t count = ::pwritev(descriptor_.number(), vector.data(),
                                    static_cast<int>(vector.size()), static_cast<off_t>(position));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoStatus(errno, path_, "pwritev");
    if (count == 0) {
      return MakeError(Reason::kInternal,
                       base::StrCat(path_, ": pwritev took no byte at position ", position));
    }
    position += static_cast<uint64_t>(count);
    remaining.Consume(static_cast<size_t>(count));
  }
  return absl::OkStatus();
}

absl::Status PosixFile::Sync() {
  if (::fdatasync(descriptor_.number()) != 0) return ErrnoStatus(errno, path_, "fdatasync");
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> PosixFile::Size() const {
  struct stat status {};
  if (::fstat(descriptor_.number(), &status) != 0) return ErrnoStatus(errno, path_, "fstat");
  return static_cast<uint64_t>(status.st_size);
}

absl::Status PosixFile::Truncate(uint64_t size) {
  while (::ftruncate(descriptor_.number(), static_cast<off_t>(size)) != 0) {
    if (errno != EINTR) return ErrnoStatus(errno, path_, "ftruncate");
  }
  return absl::OkStatus();
}

absl::Status PosixFile::Preallocate(uint64_t size) {
  while (::fallocate(descriptor_.number(), 0, 0, static_cast<off_t>(size)) != 0) {
    if (errno == EINTR) continue;
    if (errno != EOPNOTSUPP) return ErrnoStatus(errno, path_, "fallocate");
    // A file system without allocation in advance: the size at least stands before the writes.
    TALOSMQ_ASSIGN_OR_RETURN(const uint64_t present, Size());
    return present < size ? Truncate(size) : absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> PosixFile::AllocatedBytes() const {
  constexpr uint64_t kBlockBytes = 512;  // Of st_blocks, on every file system.
  struct stat status {};
  if (::fstat(descriptor_.number(), &status) != 0) return ErrnoStatus(errno, path_, "fstat");
  return static_cast<uint64_t>(status.st_blocks) * kBlockBytes;
}

}  // namespace talosmq::io
