#pragma once

#include "client/transport.h"
#include "talosmq/error.h"
#include "talosmq/v1/consumer.pb.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace talosmq::client {

/// A heartbeat stream that makes a call of Heartbeat of each, to a scripted transport, which
/// outlives it. A refusal keeps its reason and its words; a server that is not reached,
/// kUnavailable, ends the stream.
class HeartbeatsAsCalls final : public HeartbeatStream {
 public:
  static constexpr std::string_view kMethod = "/talosmq.v1.ConsumerService/Heartbeat";

  HeartbeatsAsCalls(Transport& net, std::string address,
                    std::shared_ptr<HeartbeatObserver> observer)
      : net_(net), address_(std::move(address)), end_(std::make_shared<End>(std::move(observer))) {}

  void Write(v1::HeartbeatsRequest heartbeats) override {
    if (end_->is_closed.load()) return;
    end_->observer->OnWritten();
    for (const v1::NumberedHeartbeat& numbered : heartbeats.heartbeats()) {
      if (end_->is_closed.load()) return;
      net_.Call({.address = address_,
                 .method = kMethod,
                 .body = numbered.heartbeat().SerializeAsString(),
                 .timeout = absl::InfiniteDuration()},
                [end = end_, number = numbered.number()](const auto& reply) {
                  end->OnReply(number, reply);
                });
    }
  }

 private:
  /// Shared with the calls under way.
  struct End {
    explicit End(std::shared_ptr<HeartbeatObserver> told) : observer(std::move(told)) {}
    void OnReply(uint64_t number, const absl::StatusOr<std::string>& reply) {
      if (is_closed.load()) return;
      if (ReasonOf(reply.status()) != Reason::kUnavailable) {
        observer->OnAnswers(AnswerOf(number, reply));
      } else if (!is_closed.exchange(true)) {
        observer->OnClosed(reply.status());
      }
    }
    const std::shared_ptr<HeartbeatObserver> observer;
    std::atomic<bool> is_closed{false};
  };

  static v1::HeartbeatsResponse AnswerOf(uint64_t number,
                                         const absl::StatusOr<std::string>& reply) {
    v1::HeartbeatsResponse answers;
    v1::HeartbeatAnswer& answer = *answers.add_answers();
    answer.set_number(number);
    if (reply.ok()) {
      answer.mutable_response()->ParseFromString(*reply);
    } else {
      answer.mutable_error()->set_reason(static_cast<v1::Reason>(ReasonOf(reply.status())));
      answer.mutable_error()->set_message(std::string(reply.status().message()));
    }
    return answers;
  }

  Transport& net_;
  const std::string address_;
  const std::shared_ptr<End> end_;
};

}  // namespace talosmq::client
