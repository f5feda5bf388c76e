#pragma once

#include "base/clock.h"

#include <httplib.h>

#include <array>
#include <string>

namespace talosmq::http {

/// One connection as httplib reads and writes it, within kRequestBytesMax and kRequestTimeout as a
/// whole: httplib bounds single lines and single waits only, so a client that sends many of either
/// would be kept for ever. Confined to the thread that serves the connection. Borrows the socket.
class SocketStream final : public httplib::Stream {
 public:
  SocketStream(socket_t socket, const base::Clock& clock);

  bool is_readable() const override;
  bool is_writable() const override;
  /// Bytes read, 0 at the end, -1 when the connection broke or a bound was met.
  ssize_t read(char* into, size_t size) override;
  ssize_t write(const char* from, size_t size) override;
  /// No handler of ours asks for addresses; both are left empty.
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return socket_; }

 private:
  /// Waits until the socket is ready for `events` of poll(2); false when time is up.
  bool WaitFor(short events) const;
  size_t buffered() const { return end_ - begin_; }

  const socket_t socket_;
  const base::Clock& clock_;
  const absl::Duration deadline_;  ///< By Monotonic().
  size_t bytes_left_;              ///< That may still be read from the socket.
  std::array<char, 4096> buffer_;  ///< httplib reads lines byte by byte.
  size_t begin_ = 0;               ///< [begin_, end_) of buffer_ is not taken yet.
  size_t end_ = 0;
};

}  // namespace talosmq::http
