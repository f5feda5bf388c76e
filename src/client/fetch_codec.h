#pragma once

#include "client/transport.h"

#include "absl/status/statusor.h"
#include <google/protobuf/io/zero_copy_stream.h>

#include <cstdint>
#include <string>
#include <vector>

namespace talosmq::client {

/// A serialised talosmq.v1.FetchRequest.
std::string EncodeFetchRequest(const FetchCommand& command);

/// Reads a talosmq.v1.FetchResponse of `bytes` bytes; each `records` field is copied once, into a
/// buffer of its own. No length in it makes this allocate more than has arrived. kInternal when it
/// is no such message.
absl::StatusOr<std::vector<FetchedPartition>> DecodeFetchResponse(
    google::protobuf::io::ZeroCopyInputStream& in, int64_t bytes);

}  // namespace talosmq::client
