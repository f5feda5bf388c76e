#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "record/batch_format.h"

namespace talosmq::record {

/// "none", "gzip", "snappy", "lz4", "zstd".
std::string_view CodecName(Codec codec);
/// kInvalidArgument, listing the names, for any other word.
absl::StatusOr<Codec> ParseCodec(std::string_view name);

/// Snappy as one raw block, lz4 as a frame of independent blocks, gzip and zstd as one stream.
absl::StatusOr<base::Buffer> Compress(Codec codec, base::ByteSpan bytes);

/// Inflates into a buffer that grows with the output and never beyond `bytes_max`
/// (kBatchTooLarge). Reads both snappy forms. Never allocates by a declared size.
/// kInvalidRecord for bytes that are not what the codec says, kUnsupportedCompression for codecs
/// 5 to 7.
absl::StatusOr<base::Buffer> Inflate(Codec codec, base::ByteSpan bytes, int64_t bytes_max);

}  // namespace talosmq::record
