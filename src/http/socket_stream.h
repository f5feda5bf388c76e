#pragma once

#include "base/clock.h"
#include "base/tls_files.h"

#include <httplib.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>

struct ssl_st;

namespace talosmq::http {

/// One connection as httplib reads and writes it, within kRequestBytesMax and kRequestTimeout as a
/// whole: httplib bounds single lines and single waits only, so a client that sends many of either
/// would be kept for ever. Confined to the thread that serves the connection, but for
/// is_waiting(). Borrows the socket.
class SocketStream final : public httplib::Stream {
 public:
  SocketStream(socket_t socket, const base::Clock& clock);
  ~SocketStream() override;

  /// Everything from here on goes through TLS. With an authority the client needs a certificate of
  /// it. False when the handshake failed or did not end in time: then the connection is of no use.
  bool StartTls(const base::TlsMaterial& tls);
  /// True while it is the client that lets the connection wait. From any thread.
  bool is_waiting() const { return is_waiting_; }

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
  /// Runs a call of OpenSSL until it has an outcome: what it returned when that is above 0, 0 when
  /// the client has ended TLS, else -1.
  template <typename TlsCall>
  int Drive(TlsCall call);
  ssize_t Receive(char* into, size_t size);
  size_t buffered() const { return end_ - begin_; }

  const socket_t socket_;
  const base::Clock& clock_;
  const absl::Duration deadline_;  ///< By Monotonic().
  mutable std::atomic<bool> is_waiting_ = false;
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> tls_;  ///< Null: plain.
  size_t bytes_left_;                               ///< That may still be read from the socket.
  std::array<char, 4096> buffer_;                   ///< httplib reads lines byte by byte.
  size_t begin_ = 0;                                ///< [begin_, end_) of buffer_ is not taken yet.
  size_t end_ = 0;
};

}  // namespace talosmq::http
