#pragma once

#include "broker/cluster.h"
#include "broker/topics.h"
#include "rpc/listener_budget.h"
#include "talosmq/v1/cluster.grpc.pb.h"

#include <grpcpp/grpcpp.h>

namespace talosmq::rpc {

using RawClusterService = v1::ClusterService::WithRawCallbackMethod_GetServerInfo<
    v1::ClusterService::WithRawCallbackMethod_DescribeCluster<
        v1::ClusterService::WithRawCallbackMethod_CheckHealth<
            v1::ClusterService::WithRawCallbackMethod_DeleteOrphan<v1::ClusterService::Service>>>>;

/// talosmq.v1.ClusterService over the broker's. Thread-safe; outlives the gRPC server.
class ClusterHandlers final : public RawClusterService {
 public:
  ClusterHandlers(broker::ClusterService& cluster, broker::TopicService& topics,
                  ListenerBudget& calls)
      : cluster_(cluster), topics_(topics), calls_(calls) {}

  grpc::ServerUnaryReactor* GetServerInfo(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* DescribeCluster(grpc::CallbackServerContext* context,
                                            const grpc::ByteBuffer* request,
                                            grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* CheckHealth(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override;

  grpc::ServerUnaryReactor* DeleteOrphan(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override;

 private:
  broker::ClusterService& cluster_;
  broker::TopicService& topics_;
  ListenerBudget& calls_;
};

}  // namespace talosmq::rpc
