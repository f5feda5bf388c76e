#pragma once

#include "broker/dump_control.h"
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
  explicit DumpHandlers(broker::DumpControl& dumps) : dumps_(dumps) {}

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
};

}  // namespace talosmq::rpc
