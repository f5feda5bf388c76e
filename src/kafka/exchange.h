#pragma once

#include "base/bytes.h"
#include "base/executor.h"
#include "kafka/cancellation.h"
#include "kafka/front_metrics.h"
#include "kafka/protocol/api.h"
#include "kafka/protocol/decoder.h"
#include "kafka/protocol/encoder.h"
#include "kafka/protocol/headers.h"

#include "absl/status/statusor.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>

namespace talosmq::kafka {

class AnswerMemory;
class Login;

/// Where clients reach a listener: what Metadata and FindCoordinator tell them.
struct Endpoint {
  std::string host;
  uint16_t port = 0;
};

struct NoAnswer {};
/// The only way to tell a client of a fault where the protocol has no answer.
struct EndOfConnection {
  std::string why;
};
using Answer = std::variant<EncodedFrame, NoAnswer, EndOfConnection>;

/// Who asks, and who waits for the answer.
struct Caller {
  base::Buffer frame;                           ///< The texts of header and request view it.
  RequestHeader header;                         ///< Of an API and version that the codec knows.
  std::string host;                             ///< "/127.0.0.1", as Kafka writes it.
  Endpoint endpoint;                            ///< Of the listener that it came by.
  std::shared_ptr<Cancellation> cancellation;   ///< When the client has gone.
  std::shared_ptr<Login> login;                 ///< Null: the listener asks for none.
  std::shared_ptr<ClientMetrics> metrics;       ///< While the request reaches its handler.
  std::shared_ptr<AnswerMemory> answer_memory;  ///< Null: not much is answered.
  base::Callback<size_t> on_decoded;            ///< With the memory that the request's lists take.
  base::Callback<Answer> answer;                ///< Once, from any thread.
};

/// One request being answered. Whoever works on it holds a share; what `response` has when the last
/// one lets go is the answer. Parts of the response may be filled from several threads, each part
/// by one; an answer that nobody filled in has to say so, which is why errors are written in first.
template <typename Request, typename Response>
class Exchange {
 public:
  explicit Exchange(Caller caller) : caller_(std::move(caller)) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange() { caller_.answer(MakeAnswer()); }

  const Caller& caller() const { return caller_; }
  void NoteDecoded(const Decoder& decoder) { caller_.on_decoded(decoder.decoded_bytes()); }
  int16_t version() const { return caller_.header.version; }

  /// No answer is wanted.
  void Silence() { is_silent_ = true; }
  /// Instead of an answer. Thread-safe; the reason of whoever comes first is told.
  void EndConnection(const std::string& why) {
    if (!is_ended_.exchange(true)) why_ = why;
  }

  Request request;
  Response response;

 private:
  Answer MakeAnswer() {
    if (is_ended_) return EndOfConnection{why_};
    if (is_silent_) return NoAnswer{};
    Encoder encoder;
    EncodeResponseHeader(encoder, ApiOf(Request::kKey), version(), caller_.header.correlation_id);
    Encode(encoder, version(), response);
    absl::StatusOr<EncodedFrame> frame = std::move(encoder).Take();
    if (!frame.ok()) return EndOfConnection{std::string(base::FromAbsl(frame.status().message()))};
    return *std::move(frame);
  }

  Caller caller_;
  bool is_silent_ = false;
  std::atomic<bool> is_ended_ = false;
  std::string why_;
};

}  // namespace talosmq::kafka
