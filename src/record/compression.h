#pragma once

#include "base/bytes.h"
#include "record/batch_format.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <string_view>

namespace talosmq::record {

/// "none", "gzip", "snappy", "lz4", "zstd".
std::string_view CodecName(Codec codec);
/// kInvalidArgument, listing the names, for any other word.
absl::StatusOr<Codec> ParseCodec(std::string_view name);

/// Snappy as one raw block, lz4 as a frame of independent blocks, gzip and zstd as one stream.
/// At most 2^31 - 1 bytes.
absl::StatusOr<base::Buffer> Compress(Codec codec, base::ByteSpan bytes);
/// The same with `prefix_bytes` of undefined content in front: room for the header of a batch.
absl::StatusOr<base::Buffer> CompressAfter(size_t prefix_bytes, Codec codec, base::ByteSpan bytes);

/// Inflates into a buffer that grows with the output and never beyond `bytes_max`
/// (kBatchTooLarge). Reads both snappy forms. Never allocates by a declared size; what the zstd and
/// lz4 decoders keep for themselves meanwhile is at most 128 MiB (reserved by the frame's window,
/// touched only as output comes) and 8 MiB. `bytes` are at most 2^31 - 1, as in any batch.
/// kInvalidRecord for bytes that are not what the codec says, kUnsupportedCompression for codecs
/// 5 to 7.
absl::StatusOr<base::Buffer> Inflate(Codec codec, base::ByteSpan bytes, int64_t bytes_max);

}  // namespace talosmq::record
