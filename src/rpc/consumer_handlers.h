#pragma once

#include "broker/groups.h"
#include "rpc/call_registry.h"
#include "rpc/listener_budget.h"
#include "talosmq/v1/consumer.grpc.pb.h"

#include <grpcpp/grpcpp.h>

namespace talosmq::rpc {

using RawConsumerService = v1::ConsumerService::WithRawCallbackMethod_Heartbeat<
    v1::ConsumerService::WithRawCallbackMethod_Heartbeats<
        v1::ConsumerService::WithRawCallbackMethod_LeaveGroup<
            v1::ConsumerService::WithRawCallbackMethod_CommitOffsets<
                v1::ConsumerService::WithRawCallbackMethod_FetchOffsets<
                    v1::ConsumerService::WithRawCallbackMethod_ResetOffsets<
                        v1::ConsumerService::WithRawCallbackMethod_ListGroups<
                            v1::ConsumerService::WithRawCallbackMethod_DescribeGroup<
                                v1::ConsumerService::WithRawCallbackMethod_DeleteGroup<
                                    v1::ConsumerService::Service>>>>>>>>>;

/// talosmq.v1.ConsumerService over the broker's. Thread-safe; outlives the gRPC server.
class ConsumerHandlers final : public RawConsumerService {
 public:
  /// `heartbeats` is the budget of those that wait, `calls` of all else.
  ConsumerHandlers(broker::GroupService& groups, CallRegistry& registry, ListenerBudget& heartbeats,
                   ListenerBudget& calls)
      : groups_(groups), registry_(registry), heartbeats_(heartbeats), calls_(calls) {}

  grpc::ServerUnaryReactor* Heartbeat(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Heartbeats(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* LeaveGroup(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* CommitOffsets(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* FetchOffsets(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ResetOffsets(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListGroups(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* DescribeGroup(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* DeleteGroup(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override;

 private:
  broker::GroupService& groups_;
  CallRegistry& registry_;
  ListenerBudget& heartbeats_;
  ListenerBudget& calls_;
};

}  // namespace talosmq::rpc
