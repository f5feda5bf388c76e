#pragma once

#include "kafka/kafka_front.h"
#include "kafka/protocol/api_versions.h"
#include "kafka/protocol/fetch.h"
#include "kafka/protocol/produce.h"

#include "gtest/gtest.h"
#include "unit/kafka/fake_services.h"
#include "unit/kafka/raw_client.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace talosmq::kafka {

/// The versions that the requests are made in.
inline constexpr int16_t kProduce = 9;
inline constexpr int16_t kFetch = 11;
inline constexpr int32_t kMinute = 60'000;  ///< In milliseconds.

/// A front on a port of the kernel's choice over fakes; requests to make of it.
class FrontTest : public testing::Test {
 protected:
  ~FrontTest() override {
    if (front_ != nullptr) front_->Stop();
  }

  void Start(KafkaFrontOptions options = {}) {
    options.listeners = {{.host = "127.0.0.1", .port = 0}};
    StartAs(std::move(options));
  }
  /// With the listeners of the options.
  void StartAs(const KafkaFrontOptions& options) {
    auto front = KafkaFront::Start(options, broker_.services());
    ASSERT_TRUE(front.ok()) << front.status();
    front_ = *std::move(front);
  }
  uint16_t port() const { return front_->ports().front(); }

  /// The texts stay with the caller.
  static ProduceRequest Produce(std::string_view batch, int16_t acks = -1) {
    ProduceRequest request;
    request.acks = acks;
    request.timeout_ms = 60'000;
    request.topics = {{.name = "orders", .partitions = {{.partition = 0, .records = batch}}}};
    return request;
  }
  static FetchRequest Fetch(int64_t offset, int32_t max_wait_ms) {
    FetchRequest request;
    request.max_wait_ms = max_wait_ms;
    request.min_bytes = 1;
    request.topics = {
        {.name = "orders",
         .partitions = {{.partition = 0, .fetch_offset = offset, .partition_max_bytes = 1 << 20}}}};
    return request;
  }
  static int64_t BaseOffset(const ProduceResponse& response) {
    return response.topics.at(0).partitions.at(0).base_offset;
  }
  /// Asks for the versions and takes the answer: what came before on the same loop is done.
  void RoundTrip(const RawClient& client) {
    client.Ask(ApiVersionsRequest(), 0, 77);
    client.ReadAnswer<ApiVersionsResponse>(0, 77);
  }

  const std::string batch_ = BatchOf("value");
  FakeBroker broker_;
  std::unique_ptr<KafkaFront> front_;
};

}  // namespace talosmq::kafka
