#pragma once

#include "base/bytes.h"
#include "kafka/cancellation.h"
#include "kafka/exchange.h"
#include "kafka/front_metrics.h"
#include "kafka/listener_limits.h"
#include "kafka/loop.h"
#include "kafka/services.h"

#include "absl/time/time.h"
#include <asio/awaitable.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace talosmq::kafka {

/// One client. Reads requests, hands them to their handlers and sends the answers in the order of
/// the requests.
///
/// 1. Produce requests that follow each other are under way at once, up to kPipelinedMax; any other
///    request begins when all before it are answered, as in Kafka, and what is behind it waits in
///    the socket.
/// 2. A frame is read only when the memory of the listener has room for it.
/// 3. A frame that cannot be understood, an idle timeout and a client that does not take its
///    answers end the connection; the log says why.
///
/// Confined to its loop; held by its own coroutines. Answers that come when it has gone are
/// dropped.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  static constexpr size_t kPipelinedMax = 100;

  struct Dependencies {
    Services services;
    std::shared_ptr<Loop> loop;
    std::shared_ptr<ListenerLimits> limits;
    ListenerLimits::Seat seat;
    FrontMetrics& metrics;  ///< Outlives the loop.
    absl::Duration idle_timeout;
  };

  Connection(asio::ip::tcp::socket socket, Endpoint endpoint, Dependencies dependencies);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  /// Also when the loop stops with the connection open: whoever still works for it hears of that.
  ~Connection() { cancellation_->Cancel(); }

  /// On the loop, as all that follows.
  void Start();
  void Close(std::string_view why);

 private:
  struct Slot {
    bool is_produce;
    std::optional<Answer> answer = std::nullopt;
  };

  asio::awaitable<void> ReadRequests();
  asio::awaitable<bool> ReadExactly(base::MutableByteSpan bytes);
  /// For asio, after each part of a transfer: how much the next part may have.
  size_t NoteTransfer(const asio::error_code& error);
  asio::awaitable<bool> ReadFrame(base::Buffer& frame);
  /// Until the request may begin.
  asio::awaitable<void> AwaitTurn(bool is_produce);
  void Dispatch(base::Buffer frame);
  asio::awaitable<void> WriteAnswers();
  /// Takes the answers that are due off the front; false when the connection is to end.
  bool TakeAnswers(std::vector<EncodedFrame>& frames, size_t& slots);
  asio::awaitable<void> WatchIdle();
  asio::awaitable<void> AwaitChange();
  void NoteChange() { change_.cancel(); }

  asio::ip::tcp::socket socket_;
  const Endpoint endpoint_;
  Dependencies dependencies_;
  const std::string peer_;  ///< "127.0.0.1:50000".
  const std::string host_;  ///< "/127.0.0.1".
  const std::shared_ptr<ClientMetrics> metrics_;
  const std::shared_ptr<Cancellation> cancellation_ = std::make_shared<Cancellation>();
  std::deque<std::shared_ptr<Slot>> slots_;
  asio::steady_timer change_;
  asio::steady_timer idle_;
  absl::Duration active_;   ///< When something last went in or out, by Clock::Monotonic().
  bool has_ended_ = false;  ///< No more requests are read.
  bool is_closed_ = false;
};

}  // namespace talosmq::kafka
