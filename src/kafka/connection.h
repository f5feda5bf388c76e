#pragma once

#include "base/bytes.h"
#include "kafka/cancellation.h"
#include "kafka/client_socket.h"
#include "kafka/exchange.h"
#include "kafka/front_metrics.h"
#include "kafka/listener_limits.h"
#include "kafka/login.h"
#include "kafka/loop.h"
#include "kafka/services.h"

#include "absl/time/time.h"
#include <asio/awaitable.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

#include <chrono>
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
///    request begins when all before it are answered, as in Kafka. Until then it and what is behind
///    it wait in the socket, and take no memory here.
/// 2. A frame is read only as far as the memory of the listener has room for it, and takes only a
///    few times what has come of it; a client that announces more than it sends takes little, and
///    not for long.
/// 3. A frame that cannot be understood, an idle timeout and a client that does not take its
///    answers end the connection; the log says why.
/// 4. Where a login is asked for, nothing else is served before it; a failed one ends the
///    connection after a pause, and the end of the user does at once.
/// 5. A request whose answer may be very large is read when there is room for one; other answers
///    are counted when they are there. While somebody waits for room, or more has been taken than
///    there is, a client that takes nothing of its answer for answer_timeout goes. Of the answers
///    to Produce no more than kUnsentMax, and those under way, wait to be taken.
/// 6. Whoever works for a client that has gone hears of it at once, also when other requests wait
///    behind that one.
///
/// Confined to its loop; held by its own coroutines. Answers that come when it has gone are
/// dropped.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  static constexpr size_t kPipelinedMax = 100;
  static constexpr size_t kPieceBytes = size_t{1} << 20;
  static constexpr size_t kUnsentMax = size_t{1} << 20;

  struct Dependencies {
    Services services;
    std::shared_ptr<Loop> loop;
    std::shared_ptr<ListenerLimits> limits;
    Seats::Seat seat;
    std::optional<Seats::Seat> stranger_seat;      ///< Given back when it is a stranger no more.
    FrontMetrics& metrics;                         ///< Outlives the loop.
    std::shared_ptr<const base::TlsMaterial> tls;  ///< Null: plain.
    std::shared_ptr<Login> login;                  ///< Null: none is asked for.
    absl::Duration idle_timeout;
    absl::Duration answer_timeout;      ///< To take some of it, while others need its memory.
    absl::Duration login_timeout;       ///< From the start until the client has logged in.
    absl::Duration failed_login_pause;  ///< Before its answer.
    absl::Duration piece_timeout;       ///< For kPieceBytes of a frame, or for what is left of it.
    absl::Duration frame_timeout;       ///< For all pieces of it together.
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
    /// Until the client has taken the answer; null: it is not there yet, or small.
    std::shared_ptr<AnswerMemory> answer_memory = nullptr;
    size_t answer_bytes = 0;
    std::optional<Answer> answer = std::nullopt;
  };
  struct Frame {
    base::Buffer bytes;
    std::shared_ptr<RequestMemory> memory;
  };
  /// One wait for memory, of several pauses.
  struct MemoryWait {
    std::chrono::milliseconds pause{5};   ///< The next one.
    std::chrono::milliseconds unseen{0};  ///< Since the socket was looked at.
  };

  asio::awaitable<void> ReadRequests();
  asio::awaitable<bool> StartTls();
  /// Reads requests until one cannot be read, or the connection is closed.
  asio::awaitable<void> ReadUntilEnd();
  /// Reads the next request in its turn; nothing: the connection is to end.
  asio::awaitable<std::optional<Frame>> ReadFrame();
  /// A frame of that size whose first bytes, fewer than kFirstBytes, have come already.
  asio::awaitable<std::optional<Frame>> ReadBody(size_t size, base::ByteSpan begun);
  /// Reads a token without a header and hands it to the login.
  asio::awaitable<bool> ReadBareToken();
  /// The size and the beginning of the header of a frame, or closes the connection.
  asio::awaitable<bool> ReadHead(base::MutableByteSpan head);
  /// Reads all of `bytes`, each piece of it in time.
  asio::awaitable<bool> ReadPieces(base::MutableByteSpan bytes);
  /// For a moment, with so many bytes of the frame still to come; longer each time, so that many
  /// who wait cost little. False when they cannot come any more, or the connection is closed, as it
  /// is when its client has gone; that is looked at now and then.
  asio::awaitable<bool> PauseForMemory(MemoryWait& wait, size_t missing);
  /// Until an answer to it may be begun, if it may be a large one. Of the memory of requests it has
  /// nothing yet, and waits no more once it has: so neither memory waits for the other.
  asio::awaitable<void> AwaitAnswerRoom(base::ByteSpan begun);
  /// Until the request may begin.
  asio::awaitable<void> AwaitTurn(bool is_produce);
  void Dispatch(Frame frame);
  /// An answer that is there; on any thread. What its request took is given back by then.
  static void CountAnswer(ListenerLimits& limits, const EncodedFrame& frame, Slot& slot);
  void TakeAnswer(Slot& slot, Answer answer);
  /// The place of an answer, and who puts it there; from any thread.
  std::shared_ptr<Slot> AddSlot(bool is_produce);
  base::Callback<Answer> AnswerFor(std::shared_ptr<Slot> slot);
  /// Empty: the request may be served.
  std::string_view RefusalOf(int16_t api_key) const;
  bool awaits_login() const { return login_ != nullptr && !login_->is_done(); }
  /// It is past its login, or none is asked for.
  void BecomeKnown();
  bool has_failed_login() const { return login_ != nullptr && login_->has_failed(); }
  asio::awaitable<void> PauseAfterFailedLogin();
  asio::awaitable<void> WriteAnswers();
  /// Writes answers until there are no more, or one cannot be written; why that is, if it is to be
  /// told.
  asio::awaitable<std::string_view> WriteUntilEnd();
  /// Lets the client know that the end is one.
  asio::awaitable<void> EndTls();
  /// Takes the answers that are due off the front; false when the connection is to end.
  bool TakeAnswers(std::vector<EncodedFrame>& frames, size_t& slots);
  asio::awaitable<void> WatchTime();
  /// Why the connection is to end now; empty: it is not.
  std::string_view TimeoutNow();
  asio::awaitable<void> AwaitChange();
  void NoteChange() { change_.cancel(); }

  ClientSocket socket_;
  const Endpoint endpoint_;
  Dependencies dependencies_;
  const std::shared_ptr<Login> login_;            ///< As in the dependencies.
  const std::shared_ptr<ClientMetrics> metrics_;  ///< Trusts no name before the login.
  const std::shared_ptr<Cancellation> cancellation_ = std::make_shared<Cancellation>();
  std::deque<std::shared_ptr<Slot>> slots_;
  size_t unsent_bytes_ = 0;  ///< Of the answers in slots_.
  asio::steady_timer change_;
  asio::steady_timer time_;
  const absl::Duration began_;  ///< By Clock::Monotonic().
  /// When the piece of a frame that is being read was begun, by Clock::Monotonic().
  std::optional<absl::Duration> piece_began_;
  absl::Duration pieces_took_;  ///< Those of the frame before it.
  bool has_ended_ = false;      ///< No more requests are read.
  bool is_closed_ = false;
};

}  // namespace talosmq::kafka
