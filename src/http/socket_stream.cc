#include "http/socket_stream.h"

#include "http/limits.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <limits>

namespace talosmq::http {

SocketStream::SocketStream(socket_t socket, const base::Clock& clock)
    : socket_(socket),
      clock_(clock),
      deadline_(clock.Monotonic() + kRequestTimeout),
      tls_(nullptr, &SSL_free),
      bytes_left_(kRequestBytesMax) {}

SocketStream::~SocketStream() {
  // Says that the answer is whole. Nobody waits for the client to say the same.
  if (tls_ != nullptr && SSL_is_init_finished(tls_.get()) == 1) SSL_shutdown(tls_.get());
  ERR_clear_error();
}

bool SocketStream::StartTls(const base::TlsMaterial& tls) {
  if (fcntl(socket_, F_SETFL, O_NONBLOCK) != 0) return false;
  tls_.reset(SSL_new(tls.context.get()));
  if (tls_ == nullptr || SSL_set_fd(tls_.get(), socket_) != 1) return false;
  if (!tls.ca.empty()) {
    SSL_set_verify(tls_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return Drive([this] { return SSL_accept(tls_.get()); }) > 0;
}

template <typename TlsCall>
int SocketStream::Drive(TlsCall call) {
  for (;;) {
    ERR_clear_error();
    const int result = call();
    if (result > 0) return result;
    switch (SSL_get_error(tls_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        if (!WaitFor(POLLIN)) return -1;
        break;
      case SSL_ERROR_WANT_WRITE:
        if (!WaitFor(POLLOUT)) return -1;
        break;
      case SSL_ERROR_ZERO_RETURN:
        return 0;
      default:
        return -1;
    }
  }
}

bool SocketStream::WaitFor(short events) const {
  const int64_t left_ms = absl::ToInt64Milliseconds(deadline_ - clock_.Monotonic());
  if (left_ms <= 0) return false;
  pollfd ready{.fd = socket_, .events = events, .revents = 0};
  is_waiting_ = true;
  const int count = poll(&ready, 1, static_cast<int>(left_ms));
  is_waiting_ = false;
  return count > 0;
}

bool SocketStream::is_readable() const {
  if (buffered() > 0) return true;
  if (bytes_left_ == 0) return false;
  return (tls_ != nullptr && SSL_has_pending(tls_.get()) == 1) || WaitFor(POLLIN);
}

bool SocketStream::is_writable() const { return WaitFor(POLLOUT); }

ssize_t SocketStream::Receive(char* into, size_t size) {
  if (tls_ != nullptr) {
    return Drive([&] { return SSL_read(tls_.get(), into, static_cast<int>(size)); });
  }
  return WaitFor(POLLIN) ? recv(socket_, into, size, 0) : -1;
}

ssize_t SocketStream::read(char* into, size_t size) {
  if (buffered() == 0) {
    if (bytes_left_ == 0) return -1;
    const ssize_t count = Receive(buffer_.data(), std::min(buffer_.size(), bytes_left_));
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
  if (tls_ != nullptr) {
    const size_t piece = std::min<size_t>(size, std::numeric_limits<int>::max());
    return Drive([&] { return SSL_write(tls_.get(), from, static_cast<int>(piece)); });
  }
  if (!is_writable()) return -1;
  return send(socket_, from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
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
