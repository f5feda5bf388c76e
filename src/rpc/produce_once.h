#pragma once

#include "rpc/call_environment.h"

#include <grpcpp/grpcpp.h>

namespace talosmq::rpc {

/// Serves one ProduceOnce: the reply comes when every batch has its answer, at once for acks none.
/// The deadline of the call and timeout_ms both bound when an append may still begin.
grpc::ServerUnaryReactor* ServeProduceOnce(grpc::CallbackServerContext& context,
                                           const grpc::ByteBuffer& request,
                                           grpc::ByteBuffer& response,
                                           const CallEnvironment& environment);

}  // namespace talosmq::rpc
