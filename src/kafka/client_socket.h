#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "base/tls_files.h"

#include "absl/time/time.h"
#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ssl/stream.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace talosmq::kafka {

/// The socket of one client, plain or under TLS. One read and one write at a time.
/// Confined to its loop.
class ClientSocket {
 public:
  ClientSocket(asio::ip::tcp::socket socket, const base::Clock& clock);
  ClientSocket(const ClientSocket&) = delete;
  ClientSocket& operator=(const ClientSocket&) = delete;

  asio::ip::tcp::socket& tcp() { return socket_; }
  const std::string& address() const { return address_; }  ///< "127.0.0.1".
  std::string name() const;                                ///< "127.0.0.1:50000".
  /// When something last went in or out, by Clock::Monotonic().
  absl::Duration active() const { return active_; }
  void NoteActive() { active_ = clock_.Monotonic(); }

  enum class ClientCertificate { kNone, kRequired };
  /// Everything from here on goes through TLS. kRequired: the client needs a certificate of the
  /// authority in `material`. With an error, as of the handshake, the connection is of no use.
  asio::awaitable<asio::error_code> StartTls(const base::TlsMaterial& material,
                                             ClientCertificate certificate);

  /// True: nothing more goes in or out; tells it also while nobody reads. A client that has only
  /// ended its sending has not gone.
  bool HasGone();
  /// False: so many more bytes cannot come, since the client has ended its sending or the
  /// connection; tells it also while nobody reads.
  bool CanCome(size_t bytes);
  /// Reads into `bytes` until it has `bytes_min` of them; how many there are, fewer only at the end
  /// of the connection.
  asio::awaitable<size_t> Read(base::MutableByteSpan bytes, size_t bytes_min);
  /// How many bytes were written; fewer only at the end of the connection.
  asio::awaitable<size_t> Write(const std::vector<asio::const_buffer>& buffers);
  /// Under TLS, tells the client that nothing more comes, and waits until it has heard that; only
  /// Close() ends the wait. Without it the client takes what has come for cut off.
  asio::awaitable<void> EndTls();
  /// Ends reads and writes that are under way.
  void Close();

 private:
  size_t NoteTransfer(const asio::error_code& error);
  template <typename Stream>
  asio::awaitable<size_t> ReadFrom(Stream& stream, base::MutableByteSpan bytes, size_t bytes_min);
  template <typename Stream>
  asio::awaitable<size_t> WriteTo(Stream& stream, const std::vector<asio::const_buffer>& buffers);

  asio::ip::tcp::socket socket_;
  std::optional<asio::ssl::stream<asio::ip::tcp::socket&>> tls_;  ///< Nothing: plain.
  const base::Clock& clock_;
  std::string address_;
  uint16_t port_ = 0;
  absl::Duration active_;
};

}  // namespace talosmq::kafka
