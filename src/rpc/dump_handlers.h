#pragma once

#include "base/clock.h"
#include "broker/dump_control.h"
#include "rpc/listener_budget.h"
#include "talosmq/v1/dump.grpc.pb.h"

#include <grpcpp/grpcpp.h>

namespace talosmq::rpc {

using RawDumpService = v1::DumpService::WithRawCallbackMethod_CreateDump<
    v1::DumpService::WithRawCallbackMethod_ListDumps<
        v1::DumpService::WithRawCallbackMethod_DescribeDump<
            v1::DumpService::WithRawCallbackMethod_PauseDump<
                v1::DumpService::WithRawCallbackMethod_ResumeDump<
                    v1::DumpService::WithRawCallbackMethod_DeleteDump<
                        v1::DumpService::Service>>>>>>;

/// talosmq.v1.DumpService over the broker's DumpControl. Thread-safe; outlives the gRPC server.
class DumpHandlers final : public RawDumpService {
 public:
  DumpHandlers(broker::DumpControl& dumps, ListenerBudget& calls, const base::Clock& clock)
      : dumps_(dumps), calls_(calls), clock_(clock) {}

  grpc::ServerUnaryReactor* CreateDump(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListDumps(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* DescribeDump(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* PauseDump(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ResumeDump(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* DeleteDump(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;

 private:
  broker::DumpControl& dumps_;
  ListenerBudget& calls_;
  const base::Clock& clock_;
};

}  // namespace talosmq::rpc
