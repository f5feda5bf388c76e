#pragma once

#include "base/clock.h"
#include "rpc/grpc_front.h"
#include "talosmq/v1/cluster.grpc.pb.h"
#include "talosmq/v1/dump.grpc.pb.h"
#include "talosmq/v1/message.grpc.pb.h"
#include "talosmq/v1/topic.grpc.pb.h"
#include "talosmq/v1/user.grpc.pb.h"

#include "gtest/gtest.h"
#include "unit/rpc/fake_broker.h"
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace talosmq::rpc {

/// A gRPC front on a port of the kernel's choice over fakes, and a channel to it.
class FrontTest : public testing::Test {
 protected:
  explicit FrontTest(GrpcFrontOptions options = {.listen = "127.0.0.1:0"},
                     std::unique_ptr<base::MetricRegistry> metrics = base::MakeNullMetricRegistry())
      : metrics_(std::move(metrics)) {
    auto front = GrpcFront::Start(std::move(options), {messages_, topics_, cluster_, dumps_,
                                                       groups_, users_, clock_, *metrics_});
    EXPECT_TRUE(front.ok()) << front.status();
    front_ = *std::move(front);
    channel_ = Connect();
    stub_ = v1::MessageService::NewStub(channel_);
  }

  /// A connection of its own.
  std::shared_ptr<grpc::Channel> Connect() {
    grpc::ChannelArguments arguments;
    arguments.SetMaxSendMessageSize(-1);
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(front_->port()),
                                     grpc::InsecureChannelCredentials(), arguments);
  }

  ~FrontTest() override {
    if (front_ != nullptr) front_->Stop();
  }

  /// A context with a deadline, so that a broken program fails instead of hanging.
  static std::unique_ptr<grpc::ClientContext> Context() {
    auto context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    return context;
  }

  static v1::Error TrailerOf(const grpc::ClientContext& context) {
    v1::Error error;
    const auto& trailers = context.GetServerTrailingMetadata();
    const auto found = trailers.find("talosmq-error-bin");
    EXPECT_NE(found, trailers.end()) << "no structured error came";
    if (found != trailers.end()) {
      EXPECT_TRUE(
          error.ParseFromArray(found->second.data(), static_cast<int>(found->second.size())));
    }
    return error;
  }

  static std::string IdBytes() { return std::string(kTopic.bytes()); }

  static v1::ProduceRequest Request(uint64_t id, std::string_view records, int32_t partition = 0) {
    v1::ProduceRequest request;
    request.set_request_id(id);
    v1::PartitionBatch& batch = *request.add_batches();
    batch.set_topic_id(IdBytes());
    batch.set_partition(partition);
    batch.set_records(std::string(records));
    return request;
  }

  static v1::FetchRequest Subscribe(uint64_t id, int64_t offset, uint64_t credit,
                                    int32_t partition = 0) {
    v1::FetchRequest request;
    v1::Subscription& subscription = *request.add_subscribe();
    subscription.set_subscription_id(id);
    subscription.set_topic_id(IdBytes());
    subscription.set_partition(partition);
    subscription.set_offset(offset);
    request.set_credit_bytes(credit);
    return request;
  }

  static constexpr TopicId kTopic{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
  static constexpr TopicPartition kLog{kTopic, PartitionId(0)};
  static constexpr TopicPartition kOtherLog{kTopic, PartitionId(1)};

  base::SystemClock clock_;
  const std::unique_ptr<base::MetricRegistry> metrics_;
  FakeMessages messages_;
  FakeTopics topics_;
  FakeCluster cluster_;
  FakeDumps dumps_;
  FakeGroups groups_;
  FakeUsers users_;
  std::unique_ptr<GrpcFront> front_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::MessageService::Stub> stub_;
};

}  // namespace talosmq::rpc
