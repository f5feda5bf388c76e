#include "kafka/connection.h"

#include "base/log.h"
#include "base/text.h"
#include "kafka/protocol/apis.h"
#include "kafka/served_apis.h"

#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/read.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include <array>
#include <chrono>
#include <exception>
#include <utility>
#include <vector>

namespace talosmq::kafka {
namespace {

constexpr size_t kSizeBytes = sizeof(int32_t);
constexpr int32_t kFrameBytesMin = 8;  // A header without client id.
constexpr size_t kBytesShown = 32;
constexpr size_t kWriteBytes = size_t{4} << 20;     ///< About so much of several answers at once.
constexpr size_t kTransferBytes = size_t{1} << 20;  ///< In one call of the kernel.
constexpr std::chrono::milliseconds kMemoryPause{5};

std::string AddressOf(const asio::ip::tcp::socket& socket) {
  asio::error_code error;
  const auto peer = socket.remote_endpoint(error);
  return error ? "?" : peer.address().to_string();
}

std::string PeerOf(const asio::ip::tcp::socket& socket) {
  asio::error_code error;
  const auto peer = socket.remote_endpoint(error);
  return error ? "?" : base::StrCat(peer.address().to_string(), ":", peer.port());
}

bool IsProduce(const base::Buffer& frame) {
  return base::LoadBigEndian<int16_t>(frame.bytes().data()) ==
         static_cast<int16_t>(ApiKey::kProduce);
}

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, Endpoint endpoint, Dependencies dependencies)
    : socket_(std::move(socket)),
      endpoint_(std::move(endpoint)),
      dependencies_(std::move(dependencies)),
      peer_(PeerOf(socket_)),
      host_(base::StrCat("/", AddressOf(socket_))),
      metrics_(std::make_shared<ClientMetrics>(dependencies_.metrics)),
      change_(socket_.get_executor(), asio::steady_timer::time_point::max()),
      idle_(socket_.get_executor()),
      active_(dependencies_.services.clock.Monotonic()) {}

void Connection::Start() {
  asio::error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  const auto run = [this](asio::awaitable<void> (Connection::*part)()) {
    asio::co_spawn(
        socket_.get_executor(),
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
  run(&Connection::WatchIdle);
}

void Connection::Close(std::string_view why) {
  if (std::exchange(is_closed_, true)) return;
  if (!why.empty()) base::LogInfo("kafka", "connection of ", peer_, " ends: ", why);
  cancellation_->Cancel();
  asio::error_code ignored;
  socket_.close(ignored);
  idle_.cancel();
  NoteChange();
}

asio::awaitable<void> Connection::AwaitChange() {
  asio::error_code ignored;
  co_await change_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

asio::awaitable<void> Connection::WatchIdle() {
  const base::Clock& clock = dependencies_.services.clock;
  const absl::Duration timeout = dependencies_.idle_timeout;
  while (!is_closed_) {
    idle_.expires_after(absl::ToChronoNanoseconds(active_ + timeout - clock.Monotonic()));
    asio::error_code ignored;
    co_await idle_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    const bool is_idle = clock.Monotonic() >= active_ + timeout;
    // While it works on a request the client rightly waits.
    const bool is_working = !slots_.empty() && !slots_.front()->answer;
    if (is_idle && is_working) active_ = clock.Monotonic();
    if (is_idle && !is_working) Close("nothing has been heard of it, or taken by it, for long");
  }
}

size_t Connection::NoteTransfer(const asio::error_code& error) {
  active_ = dependencies_.services.clock.Monotonic();
  return error ? 0 : kTransferBytes;
}

asio::awaitable<bool> Connection::ReadExactly(base::MutableByteSpan bytes) {
  asio::error_code error;
  co_await asio::async_read(
      socket_, asio::buffer(bytes.data(), bytes.size()),
      [this](const asio::error_code& failed, size_t /*bytes*/) { return NoteTransfer(failed); },
      asio::redirect_error(asio::use_awaitable, error));
  co_return !error;
}

asio::awaitable<bool> Connection::ReadFrame(base::Buffer& frame) {
  std::array<std::byte, kSizeBytes> size_bytes;
  if (!co_await ReadExactly(size_bytes)) co_return false;
  const auto size = base::LoadBigEndian<int32_t>(size_bytes.data());
  const int64_t size_max = dependencies_.limits->options().frame_bytes_max;
  if (size < kFrameBytesMin || size > size_max) {
    // What speaks TLS or HTTP here begins with an odd size.
    Close(base::StrCat("expected the size of a request, ", kFrameBytesMin, " to ", size_max,
                       " bytes, found ", size, ": ",
                       base::Printable(base::AsText(size_bytes), kBytesShown)));
    co_return false;
  }
  std::optional<base::Buffer> memory;
  while (!(memory = dependencies_.limits->Allocate(static_cast<size_t>(size)))) {
    asio::steady_timer pause(socket_.get_executor(), kMemoryPause);
    co_await pause.async_wait(asio::use_awaitable);
    if (is_closed_) co_return false;
  }
  frame = *std::move(memory);
  co_return co_await ReadExactly(frame.mutable_bytes());
}

asio::awaitable<void> Connection::AwaitTurn(bool is_produce) {
  const auto has_turn = [this, is_produce] {
    if (slots_.empty() || is_closed_) return true;
    return is_produce && slots_.back()->is_produce && slots_.size() < kPipelinedMax;
  };
  while (!has_turn()) co_await AwaitChange();
}

asio::awaitable<void> Connection::ReadRequests() {
  while (!is_closed_) {
    base::Buffer frame;
    if (!co_await ReadFrame(frame)) break;
    co_await AwaitTurn(IsProduce(frame));
    if (!is_closed_) Dispatch(std::move(frame));
  }
  has_ended_ = true;
  cancellation_->Cancel();
  NoteChange();
}

void Connection::Dispatch(base::Buffer frame) {
  dependencies_.metrics.received_bytes().Add(static_cast<int64_t>(kSizeBytes + frame.size()));
  const auto slot = std::make_shared<Slot>(Slot{.is_produce = IsProduce(frame)});
  Caller caller{.frame = std::move(frame),
                .header = {},
                .host = host_,
                .endpoint = endpoint_,
                .cancellation = cancellation_,
                .metrics = metrics_,
                .answer = {}};
  Decoder decoder(caller.frame.bytes());
  const absl::Status decoded = Decode(decoder, caller.header);
  const bool is_known = decoded.ok() || ReasonOf(decoded) == Reason::kUnsupportedVersion;
  if (!is_known) return Close(base::FromAbsl(decoded.message()));
  slots_.push_back(slot);
  caller.answer = [weak = weak_from_this(), loop = dependencies_.loop, slot](Answer answer) {
    loop->Post([weak, slot, answer = std::move(answer)]() mutable {
      slot->answer = std::move(answer);
      if (const auto self = weak.lock()) self->NoteChange();
    });
  };
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

asio::awaitable<void> Connection::WriteAnswers() {
  while (!is_closed_) {
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
    asio::error_code error;
    const size_t sent = co_await asio::async_write(
        socket_, buffers,
        [this](const asio::error_code& failed, size_t /*bytes*/) { return NoteTransfer(failed); },
        asio::redirect_error(asio::use_awaitable, error));
    dependencies_.metrics.sent_bytes().Add(static_cast<int64_t>(sent));
    if (error) break;
    slots_.erase(slots_.begin(), slots_.begin() + static_cast<std::ptrdiff_t>(slots));
    NoteChange();
  }
  Close("");
}

}  // namespace talosmq::kafka
