#pragma once

#include "base/bytes.h"
#include "client/transport.h"

#include "absl/status/statusor.h"
#include <google/protobuf/io/zero_copy_stream.h>

#include <vector>

namespace talosmq::client {

/// A talosmq.v1.ProduceRequest as pieces to be sent one after another: our own field bytes, and
/// between them the batches themselves, which share the buffers of `message`.
std::vector<base::Buffer> EncodeProduceRequest(const ProduceMessage& message);

/// Reads a talosmq.v1.ProduceResponse; kInternal when it is none.
absl::StatusOr<ProduceAnswer> DecodeProduceResponse(google::protobuf::io::ZeroCopyInputStream& in);

}  // namespace talosmq::client
