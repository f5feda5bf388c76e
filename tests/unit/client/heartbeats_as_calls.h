#pragma once

#include "client/transport.h"
#include "talosmq/error.h"
#include "talosmq/v1/consumer.pb.h"

#include <memory>
#include <string>
#include <utility>

namespace talosmq::client {

/// A heartbeat stream that makes a call of Heartbeat of each, to a scripted transport, which
/// outlives it. A refusal keeps its reason and its words.
class HeartbeatsAsCalls final : public HeartbeatStream {
 public:
  static constexpr std::string_view kMethod = "/talosmq.v1.ConsumerService/Heartbeat";

  HeartbeatsAsCalls(Transport& net, std::string address,
                    std::shared_ptr<HeartbeatObserver> observer)
      : net_(net), address_(std::move(address)), observer_(std::move(observer)) {}

  void Write(v1::HeartbeatsRequest heartbeats) override {
    observer_->OnWritten();
    for (const v1::NumberedHeartbeat& numbered : heartbeats.heartbeats()) {
      net_.Call({.address = address_,
                 .method = kMethod,
                 .body = numbered.heartbeat().SerializeAsString(),
                 .timeout = absl::InfiniteDuration()},
                [observer = observer_,
                 number = numbered.number()](const absl::StatusOr<std::string>& reply) {
                  observer->OnAnswers(AnswerOf(number, reply));
                });
    }
  }

 private:
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
  const std::shared_ptr<HeartbeatObserver> observer_;
};

}  // namespace talosmq::client
