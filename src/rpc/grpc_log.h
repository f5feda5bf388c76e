#pragma once

namespace talosmq::rpc {

/// Sends what gRPC itself logs to the process's log, under the area "grpc". Once, before the first
/// use of gRPC; repeating it is fine.
void RedirectGrpcLog();

}  // namespace talosmq::rpc
