#include "kafka/connection.h"

#include "base/log.h"
#include "base/text.h"
#include "kafka/hangup_watch.h"
#include "kafka/protocol/apis.h"
#include "kafka/served_apis.h"

#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <span>
#include <utility>
#include <vector>

namespace talosmq::kafka {
namespace {

constexpr size_t kSizeBytes = sizeof(int32_t);
constexpr int32_t kFrameBytesMin = 8;  // A header without client id.
constexpr size_t kHeadBytes = kSizeBytes + kFrameBytesMin;
constexpr size_t kBytesShown = 32;
constexpr size_t kWriteBytes = size_t{4} << 20;  ///< About so much of several answers at once.
constexpr std::chrono::milliseconds kMemoryPauseMax{100};
constexpr std::chrono::seconds kEndPatience{1};
constexpr size_t kFirstBytes = size_t{4} << 10;  ///< What a frame takes before any of it has come.
constexpr size_t kGrowth = 4;                    ///< So many times what has come.

// What is made of a request beside its frame. The lists of real ones take at most 5 times their
// bytes; their answers, twice as much as the lists.
constexpr size_t kDecodedPerByte = 8;
constexpr size_t kDecodedBytesFree = size_t{4} << 10;
constexpr size_t kMemoryPerDecoded = 3;

constexpr int64_t kSmallAnswerBytes = int64_t{4} << 10;  ///< One that is worth no account.

/// Of the first bytes of a frame.
int16_t ApiKeyIn(base::ByteSpan frame) { return base::LoadBigEndian<int16_t>(frame.data()); }
bool IsProduce(base::ByteSpan frame) {
  return ApiKeyIn(frame) == static_cast<int16_t>(ApiKey::kProduce);
}

size_t DecodedMax(size_t frame_bytes, const ListenerLimits::Options& limits) {
  return std::min(kDecodedBytesFree + kDecodedPerByte * frame_bytes,
                  static_cast<size_t>(limits.decoded_bytes_max));
}

int64_t MemoryOf(size_t frame_bytes, size_t decoded_bytes) {
  return static_cast<int64_t>(frame_bytes + kMemoryPerDecoded * decoded_bytes);
}

/// What SaslHandshake 0 has in the place of answers.
EncodedFrame BareFrameOf(std::string_view token) {
  base::Buffer bytes = base::Buffer::Allocate(kSizeBytes + token.size());
  base::StoreBigEndian(bytes.mutable_bytes().data(), static_cast<int32_t>(token.size()));
  std::ranges::copy(base::AsBytes(token), bytes.mutable_bytes().begin() + kSizeBytes);
  EncodedFrame frame;
  frame.bytes = frame.held_bytes = bytes.size();
  frame.pieces.push_back(std::move(bytes));
  return frame;
}

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, Endpoint endpoint, Dependencies dependencies)
    : socket_(std::move(socket), dependencies.services.clock),
      endpoint_(std::move(endpoint)),
      dependencies_(std::move(dependencies)),
      login_(dependencies_.login),
      metrics_(std::make_shared<ClientMetrics>(dependencies_.metrics)),
      change_(socket_.tcp().get_executor(), asio::steady_timer::time_point::max()),
      time_(socket_.tcp().get_executor()),
      began_(dependencies_.services.clock.Monotonic()) {}

void Connection::Start() {
  const auto run = [this](asio::awaitable<void> (Connection::*part)()) {
    asio::co_spawn(
        socket_.tcp().get_executor(),
        [self = shared_from_this(), part]() -> asio::awaitable<void> {
          co_await (self.get()->*part)();
        },
        [self = shared_from_this()](const std::exception_ptr& thrown) {
          // As for lack of memory; without this part the others would wait for ever.
          if (thrown) self->Close("an exception");
        });
  };
  run(&Connection::ReadRequests);
  run(&Connection::WriteAnswers);
  run(&Connection::WatchTime);
}

void Connection::Close(std::string_view why) {
  if (std::exchange(is_closed_, true)) return;
  if (!why.empty()) base::LogInfo("kafka", "connection of ", socket_.name(), " ends: ", why);
  cancellation_->Cancel();
  socket_.Close();
  time_.cancel();
  NoteChange();
}

asio::awaitable<void> Connection::AwaitChange() {
  asio::error_code ignored;
  co_await change_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

asio::awaitable<void> Connection::WatchTime() {
  // A piece that begins meanwhile is looked at when it has had its time once or twice.
  absl::Duration interval = std::min({dependencies_.idle_timeout, dependencies_.piece_timeout,
                                      dependencies_.frame_timeout, dependencies_.answer_timeout});
  if (login_ != nullptr) interval = std::min(interval, dependencies_.login_timeout);
  while (!is_closed_) {
    time_.expires_after(absl::ToChronoNanoseconds(interval));
    asio::error_code ignored;
    co_await time_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    const std::string_view why = TimeoutNow();
    if (why.empty()) continue;
    if (awaits_login()) login_->Expire();
    Close(why);
  }
}

std::string_view Connection::TimeoutNow() {
  const absl::Duration now = dependencies_.services.clock.Monotonic();
  const absl::Duration took = now - piece_began_.value_or(now);
  if (piece_began_ &&
      (took >= dependencies_.piece_timeout || pieces_took_ + took >= dependencies_.frame_timeout)) {
    return "a frame that it announced did not come in time";
  }
  if (awaits_login() && now >= began_ + dependencies_.login_timeout) {
    return "it has not logged in in time";
  }
  const bool has_answer = !slots_.empty() && slots_.front()->answer;
  if (has_answer && dependencies_.limits->lacks_answer_room() &&
      now >= socket_.active() + dependencies_.answer_timeout) {
    return "it takes nothing of its answer, whose memory others need";
  }
  if (now < socket_.active() + dependencies_.idle_timeout) return "";
  // While it works on a request the client rightly waits.
  const bool is_working = !slots_.empty() && !slots_.front()->answer;
  if (!is_working) return "nothing has been heard of it, or taken by it, for long";
  socket_.NoteActive();
  return "";
}

asio::awaitable<bool> Connection::ReadHead(base::MutableByteSpan head) {
  const size_t have = co_await socket_.Read(head, kSizeBytes);
  if (have < kSizeBytes) co_return false;
  const auto size = base::LoadBigEndian<int32_t>(head.data());
  const ListenerLimits::Options& limits = dependencies_.limits->options();
  const int64_t produce_max = awaits_login() ? limits.login_bytes_max : limits.produce_bytes_max;
  const int64_t other_max = std::min(produce_max, limits.request_bytes_max);
  if (size < kFrameBytesMin || size > produce_max) {
    // What speaks TLS or HTTP here begins with an odd size.
    Close(base::StrCat("expected the size of a request, ", kFrameBytesMin, " to ", produce_max,
                       " bytes, found ", size, ": ",
                       base::Printable(base::AsText(head.first(kSizeBytes)), kBytesShown)));
    co_return false;
  }
  const base::MutableByteSpan rest = head.subspan(have);
  if (co_await socket_.Read(rest, rest.size()) < rest.size()) co_return false;
  const base::MutableByteSpan begun = head.subspan(kSizeBytes);
  if (IsProduce(begun) || size <= other_max) co_return true;
  Close(base::StrCat("expected at most ", other_max, " bytes of a request of API ",
                     base::LoadBigEndian<int16_t>(begun.data()), ", found ", size));
  co_return false;
}

asio::awaitable<bool> Connection::ReadPieces(base::MutableByteSpan bytes) {
  while (!bytes.empty()) {
    const base::MutableByteSpan piece = bytes.first(std::min(bytes.size(), kPieceBytes));
    piece_began_ = dependencies_.services.clock.Monotonic();
    const size_t have = co_await socket_.Read(piece, piece.size());
    pieces_took_ += dependencies_.services.clock.Monotonic() - *piece_began_;
    piece_began_.reset();
    if (have < piece.size()) co_return false;
    bytes = bytes.subspan(piece.size());
  }
  co_return true;
}

asio::awaitable<bool> Connection::PauseForMemory(MemoryWait& wait, size_t missing) {
  asio::steady_timer pause(socket_.tcp().get_executor(), wait.pause);
  co_await pause.async_wait(asio::use_awaitable);
  if (is_closed_) co_return false;
  wait.unseen += wait.pause;
  wait.pause = std::min(2 * wait.pause, kMemoryPauseMax);
  if (wait.unseen < kMemoryPauseMax) co_return true;
  wait.unseen = {};
  if (socket_.HasGone()) Close("its client has gone");
  // Who has only ended its sending is still owed the answers to what is before.
  co_return !is_closed_ && socket_.CanCome(missing);
}

asio::awaitable<std::optional<Connection::Frame>> Connection::ReadFrame() {
  std::array<std::byte, kHeadBytes> head;
  if (!co_await ReadHead(head)) co_return std::nullopt;
  const auto size = static_cast<size_t>(base::LoadBigEndian<int32_t>(head.data()));
  const base::ByteSpan begun = std::span(head).subspan(kSizeBytes);
  co_await AwaitTurn(IsProduce(begun));
  co_await AwaitAnswerRoom(begun);
  if (is_closed_) co_return std::nullopt;
  co_return co_await ReadBody(size, begun);
}

asio::awaitable<std::optional<Connection::Frame>> Connection::ReadBody(size_t size,
                                                                       base::ByteSpan begun) {
  size_t room = std::min(size, kFirstBytes);
  std::shared_ptr<RequestMemory> memory;
  MemoryWait admission;
  while (!(memory = dependencies_.limits->Admit(static_cast<int64_t>(room)))) {
    if (!co_await PauseForMemory(admission, size - begun.size())) co_return std::nullopt;
  }
  base::Buffer bytes = base::Buffer::Allocate(room);
  std::ranges::copy(begun, bytes.mutable_bytes().begin());
  size_t have = begun.size();
  pieces_took_ = absl::ZeroDuration();
  for (;;) {
    if (!co_await ReadPieces(bytes.mutable_bytes().subspan(have))) co_return std::nullopt;
    have = room;
    if (have == size) break;
    room = std::min(size, kGrowth * have);
    MemoryWait growth;
    while (!memory->TryGrowTo(static_cast<int64_t>(room))) {
      if (!co_await PauseForMemory(growth, size - have)) co_return std::nullopt;
    }
    base::Buffer larger = base::Buffer::Allocate(room);
    std::ranges::copy(bytes.bytes(), larger.mutable_bytes().begin());
    bytes = std::move(larger);
  }
  co_return Frame{.bytes = std::move(bytes).With(memory), .memory = memory};
}

asio::awaitable<void> Connection::AwaitTurn(bool is_produce) {
  const auto has_turn = [this, is_produce] {
    if (slots_.empty() || is_closed_) return true;
    return is_produce && slots_.back()->is_produce && slots_.size() < kPipelinedMax &&
           unsent_bytes_ < kUnsentMax;
  };
  std::optional<HangupWatch> watch;
  while (!has_turn()) {
    // Produce does not wait for long; what does is told when nobody waits for it any more.
    if (!watch && !slots_.front()->is_produce) {
      watch.emplace(socket_.tcp(), [cancellation = cancellation_] { cancellation->Cancel(); });
    }
    co_await AwaitChange();
  }
}

asio::awaitable<void> Connection::AwaitAnswerRoom(base::ByteSpan begun) {
  ListenerLimits& limits = *dependencies_.limits;
  if (awaits_login() || !MayAnswerMuch(ApiKeyIn(begun)) || limits.HasAnswerRoom()) co_return;
  const ListenerLimits::AnswerWait wait(limits);
  MemoryWait pauses;
  while (!is_closed_ && !limits.HasAnswerRoom()) co_await PauseForMemory(pauses, 0);
}

asio::awaitable<bool> Connection::ReadBareToken() {
  std::array<std::byte, kSizeBytes> size_bytes;
  if (co_await socket_.Read(size_bytes, kSizeBytes) < kSizeBytes) co_return false;
  const auto size = base::LoadBigEndian<int32_t>(size_bytes.data());
  const int64_t size_max = dependencies_.limits->options().login_bytes_max;
  if (size <= 0 || size > size_max) {
    Close(base::StrCat("expected a token of 1 to ", size_max, " bytes, found ", size));
    co_return false;
  }
  const std::optional<Frame> frame = co_await ReadBody(static_cast<size_t>(size), {});
  if (!frame || is_closed_) co_return false;
  login_->Take(frame->bytes.text(), cancellation_,
               [answer = AnswerFor(AddSlot(false))](LoginStep step) mutable {
                 if (step.kind == LoginStep::Kind::kNext) return answer(BareFrameOf(step.token));
                 answer(EndOfConnection{"its login failed"});
               });
  co_return true;
}

asio::awaitable<bool> Connection::StartTls() {
  if (dependencies_.tls == nullptr) co_return true;
  const base::TlsMaterial& material = *dependencies_.tls;
  const auto certificate = login_ == nullptr && !material.ca.empty()
                               ? ClientSocket::ClientCertificate::kRequired
                               : ClientSocket::ClientCertificate::kNone;
  piece_began_ = began_;
  const asio::error_code failed = co_await socket_.StartTls(material, certificate);
  piece_began_.reset();
  if (failed) Close(base::StrCat("the handshake of TLS failed: ", failed.message()));
  co_return !failed;
}

asio::awaitable<void> Connection::ReadRequests() {
  // One after the other: gcc 12 makes a frame that it cannot find again of an await in the
  // condition of another one.
  const bool is_started = co_await StartTls();
  if (is_started) co_await ReadUntilEnd();
  has_ended_ = true;
  cancellation_->Cancel();
  NoteChange();
}

void Connection::BecomeKnown() {
  dependencies_.stranger_seat.reset();
  metrics_->TrustName();
}

asio::awaitable<void> Connection::ReadUntilEnd() {
  while (!is_closed_) {
    // What the next frame is, and how large it may be, depends on what is answered.
    if (awaits_login()) co_await AwaitTurn(false);
    if (!awaits_login()) BecomeKnown();
    if (login_ != nullptr && login_->expects_bare_token()) {
      if (!co_await ReadBareToken()) break;
      continue;
    }
    std::optional<Frame> frame = co_await ReadFrame();
    if (!frame) break;
    const size_t size = frame->bytes.size();
    const int64_t needed = MemoryOf(size, DecodedMax(size, dependencies_.limits->options()));
    MemoryWait pauses;
    while (!is_closed_ && !frame->memory->TryGrowTo(needed)) co_await PauseForMemory(pauses, 0);
    if (!is_closed_) Dispatch(*std::move(frame));
  }
}

std::shared_ptr<Connection::Slot> Connection::AddSlot(bool is_produce) {
  const auto slot = std::make_shared<Slot>(Slot{.is_produce = is_produce});
  slots_.push_back(slot);
  return slot;
}

base::Callback<Answer> Connection::AnswerFor(std::shared_ptr<Slot> slot) {
  return [weak = weak_from_this(), loop = dependencies_.loop, limits = dependencies_.limits,
          slot = std::move(slot)](Answer answer) {
    // Before the loop takes another request.
    if (const auto* const frame = std::get_if<EncodedFrame>(&answer)) {
      CountAnswer(*limits, *frame, *slot);
    }
    loop->Post([weak, slot, answer = std::move(answer)]() mutable {
      if (const auto self = weak.lock()) self->TakeAnswer(*slot, std::move(answer));
    });
  };
}

void Connection::CountAnswer(ListenerLimits& limits, const EncodedFrame& frame, Slot& slot) {
  slot.answer_bytes = frame.held_bytes;
  const auto bytes = static_cast<int64_t>(frame.held_bytes);
  if (slot.answer_memory == nullptr) {
    if (bytes <= kSmallAnswerBytes) return;
    slot.answer_memory = limits.AddAnswer();
  }
  slot.answer_memory->Settle(bytes);
}

void Connection::TakeAnswer(Slot& slot, Answer answer) {
  // From here on it is the client that takes its time.
  if (!slots_.empty() && slots_.front().get() == &slot) socket_.NoteActive();
  unsent_bytes_ += slot.answer_bytes;
  slot.answer = std::move(answer);
  NoteChange();
}

std::string_view Connection::RefusalOf(int16_t api_key) const {
  if (login_ == nullptr) return "";
  if (!login_->IsOpen(api_key)) return "a request came before the login";
  if (login_->is_done() && !login_->IsStillValid()) return "its user is no more";
  return "";
}

void Connection::Dispatch(Frame frame) {
  const size_t size = frame.bytes.size();
  dependencies_.metrics.received_bytes().Add(static_cast<int64_t>(kSizeBytes + size));
  const bool is_produce = IsProduce(frame.bytes.bytes());
  Caller caller{
      .frame = std::move(frame.bytes),
      .header = {},
      .host = base::StrCat("/", socket_.address()),
      .endpoint = endpoint_,
      .cancellation = cancellation_,
      .login = login_,
      .metrics = metrics_,
      .answer_memory = nullptr,
      .on_decoded = [memory = frame.memory, size](
                        size_t decoded_bytes) { memory->ShrinkTo(MemoryOf(size, decoded_bytes)); },
      .answer = {}};
  Decoder decoder(caller.frame.bytes());
  decoder.LimitDecoded(DecodedMax(size, dependencies_.limits->options()));
  const absl::Status decoded = Decode(decoder, caller.header);
  const bool is_known = decoded.ok() || ReasonOf(decoded) == Reason::kUnsupportedVersion;
  if (!is_known) return Close(base::FromAbsl(decoded.message()));
  const std::string_view refusal = RefusalOf(caller.header.api_key);
  if (!refusal.empty()) return Close(refusal);
  const std::shared_ptr<Slot> slot = AddSlot(is_produce);
  if (MayAnswerMuch(caller.header.api_key)) slot->answer_memory = dependencies_.limits->AddAnswer();
  caller.answer_memory = slot->answer_memory;
  caller.answer = AnswerFor(slot);
  Serve(dependencies_.services, std::move(caller), std::move(decoder));
}

bool Connection::TakeAnswers(std::vector<EncodedFrame>& frames, size_t& slots) {
  size_t bytes = 0;
  for (slots = 0; slots < slots_.size() && slots_[slots]->answer && bytes < kWriteBytes; ++slots) {
    Answer& answer = *slots_[slots]->answer;
    if (const auto* const end = std::get_if<EndOfConnection>(&answer)) {
      if (frames.empty()) Close(end->why);
      return !frames.empty();
    }
    if (auto* const frame = std::get_if<EncodedFrame>(&answer)) {
      bytes += frame->bytes;
      frames.push_back(std::move(*frame));
    }
  }
  return true;
}

asio::awaitable<void> Connection::PauseAfterFailedLogin() {
  asio::steady_timer pause(socket_.tcp().get_executor(),
                           absl::ToChronoNanoseconds(dependencies_.failed_login_pause));
  asio::error_code ignored;
  co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

asio::awaitable<void> Connection::EndTls() {
  asio::steady_timer patience(socket_.tcp().get_executor(), kEndPatience);
  patience.async_wait([self = shared_from_this()](const asio::error_code& ended) {
    if (!ended) self->socket_.Close();
  });
  co_await socket_.EndTls();
}

asio::awaitable<void> Connection::WriteAnswers() {
  const std::string_view why = co_await WriteUntilEnd();
  if (!is_closed_) co_await EndTls();
  Close(why);
}

asio::awaitable<std::string_view> Connection::WriteUntilEnd() {
  while (!is_closed_) {
    if (has_failed_login()) co_await PauseAfterFailedLogin();
    std::vector<EncodedFrame> frames;
    size_t slots = 0;
    if (!TakeAnswers(frames, slots)) break;
    if (slots == 0) {
      if (has_ended_ && slots_.empty()) break;
      co_await AwaitChange();
      continue;
    }
    std::vector<asio::const_buffer> buffers;
    for (const EncodedFrame& frame : frames) {
      for (const base::Buffer& piece : frame.pieces) {
        buffers.emplace_back(piece.bytes().data(), piece.size());
      }
    }
    const size_t sent = co_await socket_.Write(buffers);
    dependencies_.metrics.sent_bytes().Add(static_cast<int64_t>(sent));
    if (sent < asio::buffer_size(buffers)) break;
    for (size_t i = 0; i < slots; ++i) {
      unsent_bytes_ -= slots_.front()->answer_bytes;
      slots_.pop_front();
    }
    NoteChange();
    if (has_failed_login()) co_return "its login failed";
  }
  co_return "";
}

}  // namespace talosmq::kafka
