#pragma once

namespace talosmq::rpc {

/// Readies the gRPC library for this process; before its first use, and repeating it is fine.
/// What gRPC itself logs goes to the process's log, under the area "grpc". The library stays until
/// the process ends: its own shutdown, begun when the last user goes, waits up to ten seconds for a
/// poller that had covered a pending write.
void PrepareGrpcLibrary();

}  // namespace talosmq::rpc
