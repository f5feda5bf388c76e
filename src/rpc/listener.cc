#include "rpc/listener.h"

#include "base/check.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "rpc/limits.h"
#include "talosmq/error.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

namespace talosmq::rpc {
namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Addresses Resolve(const std::string& address) {
  const size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &found) != 0) found = nullptr;
  return {found, &freeaddrinfo};
}

/// The socket, or -1.
int ListenOn(const addrinfo& address) {
  const int descriptor =
      socket(address.ai_family, address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  const int yes = 1;
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));  // Connections inherit it.
  if (bind(descriptor, address.ai_addr, address.ai_addrlen) == 0 &&
      listen(descriptor, SOMAXCONN) == 0) {
    return descriptor;
  }
  close(descriptor);
  return -1;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Open(const std::string& address) {
  const Addresses addresses = Resolve(address);
  for (const addrinfo* next = addresses.get(); next != nullptr; next = next->ai_next) {
    const int socket = ListenOn(*next);
    if (socket < 0) continue;
    const int stop_event = eventfd(0, EFD_CLOEXEC);
    if (stop_event >= 0) return std::unique_ptr<Listener>(new Listener(socket, stop_event));
    close(socket);
  }
  return MakeError(Reason::kUnavailable,
                   base::StrCat("grpc.listen: cannot listen on ", address,
                                "; is the port taken, or the address not of this machine?"));
}

Listener::Listener(int socket, int stop_event)
    : socket_(socket), stop_event_(stop_event), descriptor_max_(base::ConnectionDescriptorMax()) {}

Listener::~Listener() {
  TALOSMQ_CHECK(socket_ < 0) << "stop the listener first";
  close(stop_event_);
}

int Listener::port() const {
  sockaddr_in6 address{};  // The port is at the same place in that of IPv4.
  socklen_t size = sizeof(address);
  getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin6_port);
}

void Listener::Start(Accept accept) {
  executor_.Post([this, accept = std::move(accept)] { Run(accept); });
}

void Listener::Stop() {
  if (socket_ < 0) return;
  const uint64_t one = 1;
  TALOSMQ_CHECK(write(stop_event_, &one, sizeof(one)) == sizeof(one)) << std::strerror(errno);
  executor_.Stop();
  close(std::exchange(socket_, -1));
}

bool Listener::WaitForConnection() const {
  std::array<pollfd, 2> ready{{{.fd = stop_event_, .events = POLLIN, .revents = 0},
                               {.fd = socket_, .events = POLLIN, .revents = 0}}};
  poll(ready.data(), ready.size(), -1);
  return ready[0].revents == 0;
}

void Listener::Run(const Accept& accept) {
  while (WaitForConnection()) {
    const int descriptor = accept4(socket_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
      Serve(descriptor, accept);
      continue;
    }
    // A connection that is gone again is nothing; lack of descriptors or of memory passes.
    if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) continue;
    pollfd stop{.fd = stop_event_, .events = POLLIN, .revents = 0};
    poll(&stop, 1, static_cast<int>(absl::ToInt64Milliseconds(kAcceptBackoff)));
  }
}

void Listener::Serve(int descriptor, const Accept& accept) {
  if (descriptor < descriptor_max_) {
    is_told_ = false;
    accept(descriptor);
    return;
  }
  close(descriptor);
  if (std::exchange(is_told_, true)) return;
  base::LogWarning("grpc", "connections are turned away: ", descriptor_max_,
                   " descriptors are open, the others are kept for files; raise LimitNOFILE when "
                   "so many clients are right");
}

}  // namespace talosmq::rpc
