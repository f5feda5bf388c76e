#pragma once

#include "base/bytes.h"
#include "base/clock.h"

#include "absl/time/time.h"
#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/ip/tcp.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace talosmq::kafka {

/// The socket of one client. One read and one write at a time.
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

  /// Reads into `bytes` until it has `bytes_min` of them; how many there are, fewer only at the end
  /// of the connection.
  asio::awaitable<size_t> Read(base::MutableByteSpan bytes, size_t bytes_min);
  /// How many bytes were written; fewer only at the end of the connection.
  asio::awaitable<size_t> Write(const std::vector<asio::const_buffer>& buffers);
  /// Ends reads and writes that are under way.
  void Close();

 private:
  size_t NoteTransfer(const asio::error_code& error);

  asio::ip::tcp::socket socket_;
  const base::Clock& clock_;
  std::string address_;
  uint16_t port_ = 0;
  absl::Duration active_;
};

}  // namespace talosmq::kafka
