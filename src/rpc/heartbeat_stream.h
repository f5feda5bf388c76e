#pragma once

#include "base/mutex.h"
#include "broker/groups.h"
#include "rpc/bidi_stream.h"
#include "rpc/listener_budget.h"
#include "talosmq/v1/consumer.pb.h"

#include "absl/status/statusor.h"

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace talosmq::rpc {

/// A client's Heartbeats stream: hands each heartbeat to its coordinator as it is read, and sends
/// the answers back as they come, those that are ready together in one message.
///
/// Invariants:
/// 1. A heartbeat, and then its answer, holds its share of the listener's budget until gRPC has
/// sent
///    the message with the answer, or the stream ends. One that gets none is refused with
///    kOverloaded, without a share: no more than kUncoveredRefusalsMax of these wait, and as many
///    are being sent. An answer is sent also when there is no room for it: the heartbeat may have
///    changed something.
/// 2. While kUnsentHeartbeatsMax answers wait to be sent, the stream is not read.
/// 3. Of a stream that ends nothing is answered any more: members ask again.
/// Thread-safe; see BidiStream for its life.
class HeartbeatStream final : public BidiStream {
 public:
  /// The references outlive the stream.
  struct Environment {
    CallRegistry& registry;
    ListenerBudget::Connection connection;  ///< That the stream came on.
    broker::GroupService& groups;
  };

  HeartbeatStream(grpc::CallbackServerContext& context, Environment environment)
      : BidiStream(context, environment.registry),
        environment_(std::move(environment)),
        peer_(context.peer()) {}

 private:
  using Shares = std::vector<ListenerBudget::Share>;

  /// What waits to be sent.
  struct Answer {
    std::string message;  ///< A serialised HeartbeatsResponse; in a row they are one as well.
    ListenerBudget::Share share;
  };

  absl::Status OnMessage(grpc::ByteBuffer message) override;
  void OnEnding() override;
  void Work() override {}
  bool HasRoomToRead() override;
  std::optional<OutgoingMessage> TakeMessage() override;
  bool IsQuiet() override;

  /// kOverloaded, with nothing answered, when the refusal finds no room to wait in.
  absl::Status Handle(const v1::NumberedHeartbeat& numbered);
  void OnAnswer(uint64_t number, ListenerBudget::Share share,
                const absl::StatusOr<group::HeartbeatReply>& reply);
  /// The oldest answers, as many as one message takes.
  std::deque<Answer> TakeAnswersLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Environment environment_;
  const std::string peer_;

  base::Mutex mutex_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t open_ ABSL_GUARDED_BY(mutex_) = 0;  ///< Read, and the answer not given to gRPC.
  Shares sending_ ABSL_GUARDED_BY(mutex_);    ///< Of the message that gRPC has.
  std::deque<Answer> answers_ ABSL_GUARDED_BY(mutex_);
  int64_t uncovered_refusals_ ABSL_GUARDED_BY(mutex_) = 0;  ///< In answers_, without a share.
};

}  // namespace talosmq::rpc
