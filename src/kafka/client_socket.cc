#include "kafka/client_socket.h"

#include "base/text.h"

#include <asio/read.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <poll.h>

#include <utility>

namespace talosmq::kafka {
namespace {

constexpr size_t kTransferBytes = size_t{1} << 20;  ///< In one call of the kernel.
/// Of TLS, that have left the kernel and not been asked for yet: two records at most.
constexpr size_t kTlsAheadBytes = size_t{64} << 10;

/// Of POLLRDHUP and the faults, what holds now.
int PollEnds(int socket) {
  pollfd state{.fd = socket, .events = POLLRDHUP, .revents = 0};
  return ::poll(&state, 1, 0) > 0 ? state.revents : 0;
}

}  // namespace

ClientSocket::ClientSocket(asio::ip::tcp::socket socket, const base::Clock& clock)
    : socket_(std::move(socket)), clock_(clock), active_(clock.Monotonic()) {
  asio::error_code failed;
  const auto peer = socket_.remote_endpoint(failed);
  address_ = failed ? "?" : peer.address().to_string();
  port_ = peer.port();
  socket_.set_option(asio::ip::tcp::no_delay(true), failed);
}

std::string ClientSocket::name() const { return base::StrCat(address_, ":", port_); }

/// For asio, after each part of a transfer: how much the next part may have.
size_t ClientSocket::NoteTransfer(const asio::error_code& error) {
  NoteActive();
  return error ? 0 : kTransferBytes;
}

asio::awaitable<asio::error_code> ClientSocket::StartTls(const base::TlsMaterial& material,
                                                         ClientCertificate certificate) {
  SSL* const connection = SSL_new(material.context.get());
  if (connection == nullptr) co_return asio::error::no_memory;
  const int verification = certificate == ClientCertificate::kRequired
                               ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                               : SSL_VERIFY_NONE;
  SSL_set_verify(connection, verification, nullptr);
  tls_.emplace(socket_, connection);
  asio::error_code failed;
  co_await tls_->async_handshake(asio::ssl::stream_base::server,
                                 asio::redirect_error(asio::use_awaitable, failed));
  co_return failed;
}

template <typename Stream>
asio::awaitable<size_t> ClientSocket::ReadFrom(Stream& stream, base::MutableByteSpan bytes,
                                               size_t bytes_min) {
  asio::error_code ended;
  const auto part = [this, bytes_min](const asio::error_code& error, size_t done) {
    const size_t next = NoteTransfer(error);
    return done < bytes_min ? next : size_t{0};
  };
  co_return co_await asio::async_read(stream, asio::buffer(bytes.data(), bytes.size()), part,
                                      asio::redirect_error(asio::use_awaitable, ended));
}

template <typename Stream>
asio::awaitable<size_t> ClientSocket::WriteTo(Stream& stream,
                                              const std::vector<asio::const_buffer>& buffers) {
  asio::error_code ended;
  const auto part = [this](const asio::error_code& error, size_t /*done*/) {
    return NoteTransfer(error);
  };
  co_return co_await asio::async_write(stream, buffers, part,
                                       asio::redirect_error(asio::use_awaitable, ended));
}

bool ClientSocket::HasGone() {
  return (PollEnds(socket_.native_handle()) & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

bool ClientSocket::CanCome(size_t bytes) {
  if (PollEnds(socket_.native_handle()) == 0) return true;
  if (HasGone()) return false;
  // Who has only ended its sending wants to be answered what it has sent.
  asio::error_code failed;
  const size_t here = socket_.available(failed) + (tls_ ? kTlsAheadBytes : 0);
  return !failed && here >= bytes;
}

asio::awaitable<size_t> ClientSocket::Read(base::MutableByteSpan bytes, size_t bytes_min) {
  if (tls_) return ReadFrom(*tls_, bytes, bytes_min);
  return ReadFrom(socket_, bytes, bytes_min);
}

asio::awaitable<size_t> ClientSocket::Write(const std::vector<asio::const_buffer>& buffers) {
  if (tls_) return WriteTo(*tls_, buffers);
  return WriteTo(socket_, buffers);
}

asio::awaitable<void> ClientSocket::EndTls() {
  if (!tls_) co_return;
  asio::error_code ignored;
  co_await tls_->async_shutdown(asio::redirect_error(asio::use_awaitable, ignored));
}

void ClientSocket::Close() {
  asio::error_code ignored;
  socket_.close(ignored);
}

}  // namespace talosmq::kafka
