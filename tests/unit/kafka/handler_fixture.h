#pragma once

#include "kafka/exchange.h"
#include "kafka/listener_limits.h"
#include "kafka/served_apis.h"

#include "gtest/gtest.h"
#include "unit/kafka/fake_services.h"
#include "unit/kafka/raw_client.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace talosmq::kafka {

/// Hands requests to their handlers over fakes that answer at once, without a network.
class HandlerTest : public testing::Test {
 protected:
  /// Of a whole frame. Whoever waits is told at once that nobody does.
  Answer AnswerTo(std::string_view frame) {
    std::optional<Answer> answer;
    Caller caller{
        .frame = base::Buffer::CopyOf(base::AsBytes(frame.substr(sizeof(int32_t)))),
        .header = {},
        .host = "/127.0.0.1",
        .endpoint = {.host = "here", .port = 9092},
        .cancellation = std::make_shared<Cancellation>(),
        .login = nullptr,
        .metrics = std::make_shared<ClientMetrics>(front_metrics_),
        .answer_memory = std::make_shared<AnswerMemory>(answers_),
        .on_decoded = [](size_t) {},
        .answer =
            [&answer](Answer given) {
              EXPECT_FALSE(answer.has_value()) << "answered twice";
              answer = std::move(given);
            },
    };
    caller.metrics->TrustName();
    const std::shared_ptr<Cancellation> cancellation = caller.cancellation;
    Decoder decoder(caller.frame.bytes());
    const absl::Status decoded = Decode(decoder, caller.header);
    EXPECT_TRUE(decoded.ok()) << decoded;
    Serve(broker_.services(), std::move(caller), std::move(decoder));
    cancellation->Cancel();
    EXPECT_TRUE(answer.has_value()) << "no answer";
    return answer ? *std::move(answer) : Answer(NoAnswer());
  }

  template <typename Response, typename Request>
  Response Ask(const Request& request, int16_t version) {
    const Answer answer = AnswerTo(FrameOf(request, version, 1));
    const auto* const frame = std::get_if<EncodedFrame>(&answer);
    EXPECT_NE(frame, nullptr) << "no answer, or the end of the connection";
    if (frame == nullptr) return {};
    std::string bytes;
    for (const base::Buffer& piece : frame->pieces) bytes += piece.text();
    return ResponseIn<Response>(std::string_view(bytes).substr(sizeof(int32_t)), version, 1);
  }

  FakeBroker broker_;
  FrontMetrics front_metrics_{broker_.metrics};
  const std::shared_ptr<MemoryPool> answers_ = std::make_shared<MemoryPool>(int64_t{512} << 20);
};

}  // namespace talosmq::kafka
