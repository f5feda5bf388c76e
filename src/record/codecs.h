#pragma once

#include "base/bytes.h"
#include "record/inflate_sink.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstddef>

namespace talosmq::record {

// One pair of functions a codec, each in its own file around its library; compression.cc chooses.
// Compress leaves `prefix_bytes` of undefined content in front; it takes at most 2^31 - 1 bytes.
// Inflate puts all of the output into the sink and fails with kInvalidRecord, or as the sink does.

absl::StatusOr<base::Buffer> GzipCompress(size_t prefix_bytes, base::ByteSpan bytes);
absl::Status GzipInflate(base::ByteSpan bytes, InflateSink& sink);

absl::StatusOr<base::Buffer> SnappyCompress(size_t prefix_bytes, base::ByteSpan bytes);
absl::Status SnappyInflate(base::ByteSpan bytes, InflateSink& sink);

absl::StatusOr<base::Buffer> Lz4Compress(size_t prefix_bytes, base::ByteSpan bytes);
absl::Status Lz4Inflate(base::ByteSpan bytes, InflateSink& sink);

absl::StatusOr<base::Buffer> ZstdCompress(size_t prefix_bytes, base::ByteSpan bytes);
absl::Status ZstdInflate(base::ByteSpan bytes, InflateSink& sink);

}  // namespace talosmq::record
