#include "cli/interrupt.h"

#include "base/check.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>

namespace talosmq::cli {
namespace {

// A signal handler reaches nothing but globals of lock-free types.
std::atomic<bool> raised = false;
std::atomic<int> write_end = -1;
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

void OnSignal(int) {
  const int errno_before = errno;
  raised.store(true);
  // The pipe is empty when the first signal comes, so one byte always fits.
  [[maybe_unused]] const ssize_t written = ::write(write_end.load(), "", 1);
  errno = errno_before;
}

void Handle(int signal, void (*handler)(int), int flags) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  TALOSMQ_CHECK(::sigaction(signal, &action, nullptr) == 0) << "errno=" << errno;
}

}  // namespace

const Interrupt& Interrupt::Install() {
  static const Interrupt interrupt;
  return interrupt;
}

Interrupt::Interrupt() {
  std::array<int, 2> ends{};
  TALOSMQ_CHECK(::pipe2(ends.data(), O_CLOEXEC) == 0) << "errno=" << errno;
  read_end_ = ends[0];
  write_end.store(ends[1]);
  // SA_RESETHAND is what lets a second signal through to its default.
  Handle(SIGINT, OnSignal, static_cast<int>(SA_RESETHAND));
  Handle(SIGTERM, OnSignal, static_cast<int>(SA_RESETHAND));
  Handle(SIGPIPE, SIG_IGN, 0);
}

bool Interrupt::IsRaised() const { return raised.load(); }

bool Interrupt::WaitFor(absl::Duration wait) const {
  pollfd readable{.fd = read_end_, .events = POLLIN, .revents = 0};
  // A signal that cuts the wait short is the one that is waited for, or as good as none.
  ::poll(&readable, 1, static_cast<int>(absl::ToInt64Milliseconds(wait)));
  return IsRaised();
}

}  // namespace talosmq::cli
