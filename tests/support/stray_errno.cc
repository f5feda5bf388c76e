// Preloaded into a program: the first connection that is under way when connect() returns is
// followed by a call that succeeds and leaves ENOENT in errno, as one that looked for a file does.

#include <dlfcn.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>

namespace {

enum class Stray { kNotYet, kDue, kDone };
std::atomic<Stray> stray = Stray::kNotYet;

template <typename Function>
Function* Next(const char* name, Function* /*this_one*/) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" int connect(int fd, const sockaddr* address, socklen_t size) {
  static const auto next = Next("connect", &connect);
  const int result = next(fd, address, size);
  const int error = errno;
  if (result < 0 && error == EINPROGRESS && address->sa_family != AF_UNIX) {
    auto expected = Stray::kNotYet;
    stray.compare_exchange_strong(expected, Stray::kDue);
  }
  errno = error;
  return result;
}

extern "C" int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept {
  static const auto next = Next("epoll_ctl", &epoll_ctl);
  const int result = next(epoll, operation, fd, event);
  auto expected = Stray::kDue;
  if (result == 0 && stray.compare_exchange_strong(expected, Stray::kDone)) errno = ENOENT;
  return result;
}
