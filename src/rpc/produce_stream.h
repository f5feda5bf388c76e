#pragma once

#include "base/mutex.h"
#include "broker/messages.h"
#include "rpc/bidi_stream.h"
#include "rpc/call_environment.h"
#include "rpc/produce_codec.h"

#include <deque>
#include <memory>

namespace talosmq::rpc {

/// A client's Produce stream: hands each batch to the broker as it is read, and sends the answers
/// back as they come, those that are ready together in one message.
///
/// Invariants:
/// 1. Bytes and batches count as unanswered until their answer is given to gRPC, so a client that
///    does not read its answers is not read from either.
/// 2. As long they hold their share of the listener's budget; a batch that gets none is answered
///    with kOverloaded. So does every refusal, but for kUncoveredRefusalsMax of them.
/// Thread-safe; see BidiStream for its life.
class ProduceStream final : public BidiStream {
 public:
  ProduceStream(grpc::CallbackServerContext& context, CallEnvironment environment)
      : BidiStream(context, environment.registry), environment_(std::move(environment)) {}

 private:
  struct Answer {
    uint64_t request_id = 0;
    std::string topic_id;
    int32_t partition = 0;
    int64_t bytes = 0;            ///< Of the batch that is answered.
    ListenerBudget::Share share;  ///< Of the listener, for the batch and this.
    broker::AppendOutcome outcome;
  };

  absl::Status OnMessage(grpc::ByteBuffer message) override;
  void OnEnding() override {}
  void Work() override {}
  bool HasRoomToRead() override;
  std::optional<OutgoingMessage> TakeMessage() override;
  bool IsQuiet() override;

  /// As Refuse.
  absl::Status Append(ProduceBatch batch, const absl::StatusOr<broker::Acks>& acks,
                      absl::Duration deadline, Answer answer);
  /// Answers with `status`. kOverloaded, with nothing answered, when the refusal finds no room to
  /// wait in.
  absl::Status Refuse(Answer answer, const absl::Status& status);
  /// Counts what `answer` will answer as unanswered.
  void Expect(const Answer& answer);
  void OnAnswer(Answer answer);
  void OnUnwantedAnswer(const Answer& answer);
  /// The oldest answers of one request.
  std::deque<Answer> TakeAnswersLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const CallEnvironment environment_;

  base::Mutex mutex_;
  std::deque<Answer> answers_ ABSL_GUARDED_BY(mutex_);
  int64_t unanswered_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t unanswered_batches_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t uncovered_refusals_ ABSL_GUARDED_BY(mutex_) = 0;  ///< In answers_, without a share.
};

}  // namespace talosmq::rpc
