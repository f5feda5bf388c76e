#pragma once

#include "base/clock.h"
#include "broker/topics.h"
#include "rpc/listener_budget.h"
#include "talosmq/v1/topic.grpc.pb.h"

#include <grpcpp/grpcpp.h>

namespace talosmq::rpc {

using RawTopicService = v1::TopicService::WithRawCallbackMethod_CreateTopic<
    v1::TopicService::WithRawCallbackMethod_DescribeTopic<
        v1::TopicService::WithRawCallbackMethod_ListTopics<
            v1::TopicService::WithRawCallbackMethod_AlterTopic<
                v1::TopicService::WithRawCallbackMethod_AddPartitions<
                    v1::TopicService::WithRawCallbackMethod_DeleteTopic<
                        v1::TopicService::WithRawCallbackMethod_SkipCorrupt<
                            v1::TopicService::WithRawCallbackMethod_GetMetadata<
                                v1::TopicService::Service>>>>>>>>;

/// talosmq.v1.TopicService over the broker's. Thread-safe; outlives the gRPC server.
class TopicHandlers final : public RawTopicService {
 public:
  TopicHandlers(broker::TopicService& topics, ListenerBudget& calls, const base::Clock& clock)
      : topics_(topics), calls_(calls), clock_(clock) {}

  grpc::ServerUnaryReactor* CreateTopic(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* DescribeTopic(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListTopics(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* AlterTopic(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* AddPartitions(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* DeleteTopic(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* SkipCorrupt(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetMetadata(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override;

 private:
  broker::TopicService& topics_;
  ListenerBudget& calls_;
  const base::Clock& clock_;
};

}  // namespace talosmq::rpc
