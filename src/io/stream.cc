#include "io/stream.h"

#include "base/status.h"
#include "base/text.h"
#include "io/errno_status.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace talosmq::io {
absl::StatusOr<std::unique_ptr<InputStream>> InputStream::Open(const std::string& path, int stop) {
  if (path == "-") {
    return std::unique_ptr<InputStream>(new InputStream("standard input", STDIN_FILENO, stop));
  }
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return ErrnoStatus(errno, path, "open");
  return std::unique_ptr<InputStream>(new InputStream(path, descriptor, stop));
}

InputStream::~InputStream() {
  if (descriptor_ != STDIN_FILENO) ::close(descriptor_);
}

absl::StatusOr<size_t> InputStream::Read(base::MutableByteSpan into) {
  while (true) {
    TALOSMQ_RETURN_IF_ERROR(WaitForBytes());
    const ssize_t count = ::read(descriptor_, into.data(), into.size());
    if (count >= 0) return static_cast<size_t>(count);
    if (errno != EINTR && errno != EAGAIN) return ErrnoStatus(errno, name_, "read");
  }
}

absl::Status InputStream::WaitForBytes() {
  // poll() passes over negative descriptors, so kNeverStops needs no case of its own.
  std::array<pollfd, 2> waits = {pollfd{.fd = descriptor_, .events = POLLIN, .revents = 0},
                                 pollfd{.fd = stop_, .events = POLLIN, .revents = 0}};
  while (::poll(waits.data(), waits.size(), -1) < 0) {
    if (errno != EINTR) return ErrnoStatus(errno, name_, "poll");
  }
  if (waits[1].revents != 0) {
    return MakeError(Reason::kCancelled, base::StrCat(name_, ": reading was interrupted"));
  }
  return absl::OkStatus();
}

absl::Status OutputStream::Write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor_, text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<size_t>(count));
    } else if (errno == EPIPE) {
      return MakeError(Reason::kClosed, "the reader of the output has gone");
    } else if (errno == EAGAIN) {
      // Somebody set the shared terminal or pipe to non-blocking.
      pollfd wait{.fd = descriptor_, .events = POLLOUT, .revents = 0};
      ::poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      return ErrnoStatus(errno, "output", "write");
    }
  }
  return absl::OkStatus();
}

bool OutputStream::IsTerminal() const { return ::isatty(descriptor_) == 1; }

}  // namespace talosmq::io
