#pragma once

#include "base/tls_files.h"
#include "client/transport.h"

#include <memory>

namespace talosmq::client {

/// Calls and streams over gRPC, one connection per address. Batches are sent as slices that share
/// their buffers; fetched batches are copied once, out of the slices into contiguous buffers.
/// TLS when an authority is named; what the files hold later is used by the calls and streams begun
/// later, when it fits together. kInvalidConfig names a file that cannot be used.
absl::StatusOr<std::unique_ptr<Transport>> MakeGrpcTransport(const base::TlsFiles& tls);

}  // namespace talosmq::client
