#pragma once

#include "base/bytes.h"
#include "kafka/protocol/apis.h"
#include "kafka/protocol/headers.h"

#include "gtest/gtest.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace talosmq::kafka {

/// Size, header and request, as they go over the wire.
template <typename Request>
std::string FrameOf(const Request& request, int16_t version, int32_t correlation_id) {
  Encoder encoder;
  Encode(encoder, RequestHeader{.api_key = static_cast<int16_t>(Request::kKey),
                                .version = version,
                                .correlation_id = correlation_id,
                                .client_id = "test"});
  Encode(encoder, version, request);
  const EncodedFrame frame = std::move(encoder).Take().value();
  std::string bytes;
  for (const base::Buffer& piece : frame.pieces) bytes += piece.text();
  return bytes;
}

/// The response in a frame without its size.
template <typename Response>
Response ResponseIn(std::string_view frame, int16_t version, int32_t correlation_id) {
  Decoder decoder(base::AsBytes(frame));
  const auto found = DecodeResponseHeader(decoder, ApiOf(Response::kKey), version);
  EXPECT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found.value_or(-1), correlation_id);
  Response response;
  const absl::Status decoded = Decode(decoder, version, response);
  EXPECT_TRUE(decoded.ok()) << decoded;
  return response;
}

/// A socket to a front on this machine. What does not come in time counts as an end, so that a
/// broken front fails a test instead of hanging it.
class RawClient {
 public:
  explicit RawClient(uint16_t port, const char* from = "127.0.0.1")
      : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval timeout{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    const sockaddr_in own = Address(from, 0);
    EXPECT_EQ(::bind(socket_, AsSocketAddress(own), sizeof(own)), 0);
    const sockaddr_in peer = Address("127.0.0.1", port);
    EXPECT_EQ(::connect(socket_, AsSocketAddress(peer), sizeof(peer)), 0);
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() { Close(); }

  void Close() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }
  /// Ends the connection as a client does that dies with answers unread.
  void Reset() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    Close();
  }
  void EndSending() const { ::shutdown(socket_, SHUT_WR); }
  /// Everything from here on goes through TLS, which trusts any server and shows what `context`
  /// has. Whether the server takes it shows with the first bytes of it.
  bool StartTls(SSL_CTX* context) {
    std::signal(SIGPIPE, SIG_IGN);
    tls_.reset(SSL_new(context));
    SSL_set_fd(tls_.get(), socket_);
    return SSL_connect(tls_.get()) == 1;
  }
  /// Some of it may be lost when the other side has closed.
  void Send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = tls_ != nullptr
                               ? SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size()))
                               : ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  template <typename Request>
  void Ask(const Request& request, int16_t version, int32_t correlation_id) const {
    Send(FrameOf(request, version, correlation_id));
  }
  /// Without its size; nothing: the connection has ended.
  std::optional<std::string> ReadFrame() const {
    std::string size(sizeof(int32_t), '\0');
    if (!Read(size)) return std::nullopt;
    std::string frame(static_cast<size_t>(base::LoadBigEndian<int32_t>(base::AsBytes(size).data())),
                      '\0');
    if (!Read(frame)) return std::nullopt;
    return frame;
  }
  template <typename Response>
  Response ReadAnswer(int16_t version, int32_t correlation_id) const {
    const std::optional<std::string> frame = ReadFrame();
    EXPECT_TRUE(frame.has_value()) << "the connection ended";
    return frame ? ResponseIn<Response>(*frame, version, correlation_id) : Response();
  }
  /// Whether the other side ends the connection, without another byte and soon.
  bool IsEnded() const {
    char byte = 0;
    if (tls_ != nullptr) return SSL_read(tls_.get(), &byte, 1) <= 0;
    const ssize_t count = ::recv(socket_, &byte, 1, 0);
    return count == 0 || (count < 0 && errno == ECONNRESET);
  }
  /// The same of the connection below TLS.
  bool IsCutOff() const {
    char byte = 0;
    return ::recv(socket_, &byte, 1, 0) <= 0;
  }
  /// The same under TLS, and it says so: what has come is all there is.
  bool IsEndedInOrder() const {
    return IsEnded() && (SSL_get_shutdown(tls_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
  }

 private:
  static sockaddr_in Address(const char* host, uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    ::inet_pton(AF_INET, host, &address.sin_addr);
    return address;
  }
  static const sockaddr* AsSocketAddress(const sockaddr_in& address) {
    return reinterpret_cast<const sockaddr*>(&address);
  }
  bool Read(std::string& bytes) const {
    if (tls_ == nullptr) {
      return ::recv(socket_, bytes.data(), bytes.size(), MSG_WAITALL) ==
             static_cast<ssize_t>(bytes.size());
    }
    for (size_t have = 0; have < bytes.size();) {
      const int part =
          SSL_read(tls_.get(), bytes.data() + have, static_cast<int>(bytes.size() - have));
      if (part <= 0) return false;
      have += static_cast<size_t>(part);
    }
    return true;
  }

  int socket_;
  std::unique_ptr<SSL, decltype(&SSL_free)> tls_{nullptr, &SSL_free};
};

}  // namespace talosmq::kafka
