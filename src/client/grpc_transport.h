#pragma once

#include "client/transport.h"

#include <memory>

namespace talosmq::client {

/// Calls and streams over gRPC, one connection per address. Batches are sent as slices that share
/// their buffers; fetched batches are copied once, out of the slices into contiguous buffers.
std::unique_ptr<Transport> MakeGrpcTransport();

}  // namespace talosmq::client
