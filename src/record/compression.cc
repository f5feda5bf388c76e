#include "record/compression.h"

#include "base/check.h"
#include "base/status.h"
#include "base/text.h"
#include "record/codecs.h"
#include "record/inflate_sink.h"
#include "talosmq/error.h"

#include <array>
#include <cstring>
#include <limits>
#include <utility>

namespace talosmq::record {
namespace {

constexpr std::array kCodecs = {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4,
                                Codec::kZstd};

constexpr size_t kInputBytesMax = std::numeric_limits<int32_t>::max();

base::Buffer CopyAfter(size_t prefix_bytes, base::ByteSpan bytes) {
  base::Buffer copy = base::Buffer::Allocate(prefix_bytes + bytes.size());
  if (!bytes.empty()) {
    std::memcpy(copy.mutable_bytes().data() + prefix_bytes, bytes.data(), bytes.size());
  }
  return copy;
}

absl::Status CopyInto(base::ByteSpan bytes, InflateSink& sink) {
  if (bytes.empty()) return absl::OkStatus();
  TALOSMQ_ASSIGN_OR_RETURN(const base::MutableByteSpan room, sink.Room(bytes.size()));
  std::memcpy(room.data(), bytes.data(), bytes.size());
  sink.Commit(bytes.size());
  return absl::OkStatus();
}

absl::Status UnknownCodec(Codec codec) {
  return MakeError(
      Reason::kUnsupportedCompression,
      base::StrCat("compression codec: expected 0 to 4, found ", static_cast<int>(codec)));
}

absl::Status InflateInto(Codec codec, base::ByteSpan bytes, InflateSink& sink) {
  switch (codec) {
    case Codec::kNone:
      return CopyInto(bytes, sink);
    case Codec::kGzip:
      return GzipInflate(bytes, sink);
    case Codec::kSnappy:
      return SnappyInflate(bytes, sink);
    case Codec::kLz4:
      return Lz4Inflate(bytes, sink);
    case Codec::kZstd:
      return ZstdInflate(bytes, sink);
  }
  return UnknownCodec(codec);  // Three bits of a batch from outside can say 5 to 7.
}

}  // namespace

std::string_view CodecName(Codec codec) {
  switch (codec) {
    case Codec::kNone:
      return "none";
    case Codec::kGzip:
      return "gzip";
    case Codec::kSnappy:
      return "snappy";
    case Codec::kLz4:
      return "lz4";
    case Codec::kZstd:
      return "zstd";
  }
  return "unknown";
}

absl::StatusOr<Codec> ParseCodec(std::string_view name) {
  for (const Codec codec : kCodecs) {
    if (CodecName(codec) == name) return codec;
  }
  return MakeError(Reason::kInvalidArgument,
                   base::StrCat("compression: expected none, gzip, snappy, lz4 or zstd, found '",
                                base::Printable(name, 64), "'"));
}

absl::StatusOr<base::Buffer> CompressAfter(size_t prefix_bytes, Codec codec, base::ByteSpan bytes) {
  TALOSMQ_CHECK(bytes.size() <= kInputBytesMax) << bytes.size();
  switch (codec) {
    case Codec::kNone:
      return CopyAfter(prefix_bytes, bytes);
    case Codec::kGzip:
      return GzipCompress(prefix_bytes, bytes);
    case Codec::kSnappy:
      return SnappyCompress(prefix_bytes, bytes);
    case Codec::kLz4:
      return Lz4Compress(prefix_bytes, bytes);
    case Codec::kZstd:
      return ZstdCompress(prefix_bytes, bytes);
  }
  return UnknownCodec(codec);
}

absl::StatusOr<base::Buffer> Compress(Codec codec, base::ByteSpan bytes) {
  return CompressAfter(0, codec, bytes);
}

absl::StatusOr<base::Buffer> Inflate(Codec codec, base::ByteSpan bytes, int64_t bytes_max) {
  TALOSMQ_CHECK(bytes.size() <= kInputBytesMax) << bytes.size();
  InflateSink sink(bytes.size(), bytes_max);
  TALOSMQ_RETURN_IF_ERROR(InflateInto(codec, bytes, sink));
  return sink.Take();
}

}  // namespace talosmq::record
