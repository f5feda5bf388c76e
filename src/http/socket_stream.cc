#include "http/socket_stream.h"

#include "http/limits.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

namespace talosmq::http {

SocketStream::SocketStream(socket_t socket, const base::Clock& clock)
    : socket_(socket),
      clock_(clock),
      deadline_(clock.Monotonic() + kRequestTimeout),
      bytes_left_(kRequestBytesMax) {}

bool SocketStream::WaitFor(short events) const {
  const int64_t left_ms = absl::ToInt64Milliseconds(deadline_ - clock_.Monotonic());
  if (left_ms <= 0) return false;
  pollfd ready{.fd = socket_, .events = events, .revents = 0};
  return poll(&ready, 1, static_cast<int>(left_ms)) > 0;
}

bool SocketStream::is_readable() const {
  return buffered() > 0 || (bytes_left_ > 0 && WaitFor(POLLIN));
}

bool SocketStream::is_writable() const { return WaitFor(POLLOUT); }

ssize_t SocketStream::read(char* into, size_t size) {
  if (buffered() == 0) {
    if (!is_readable()) return -1;
    const ssize_t count = recv(socket_, buffer_.data(), std::min(buffer_.size(), bytes_left_), 0);
    if (count <= 0) return count;
    begin_ = 0;
    end_ = static_cast<size_t>(count);
    bytes_left_ -= end_;
  }
  const size_t taken = std::min(size, buffered());
  std::copy_n(buffer_.data() + begin_, taken, into);
  begin_ += taken;
  return static_cast<ssize_t>(taken);
}

ssize_t SocketStream::write(const char* from, size_t size) {
  if (!is_writable()) return -1;
  return send(socket_, from, size, MSG_NOSIGNAL);
}

void SocketStream::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

void SocketStream::get_local_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

}  // namespace talosmq::http
