#include "base/status.h"
#include "base/text.h"
#include "record/codecs.h"
#include "record/fitted_buffer.h"
#include "talosmq/error.h"

#include <snappy.h>

#include <cstring>
#include <string_view>

namespace talosmq::record {
namespace {

using namespace std::string_view_literals;

// The framing of Java's snappy library ("xerial"): this magic, two 4-byte versions, then blocks,
// each a 4-byte length and a raw snappy block. Other clients send one raw block without framing.
constexpr std::string_view kXerialMagic = "\x82SNAPPY\0"sv;
constexpr size_t kXerialCompatiblePosition = 12;
constexpr size_t kXerialHeaderBytes = 16;
constexpr int32_t kXerialCompatible = 1;
constexpr size_t kXerialLengthBytes = 4;

/// No three bytes of a raw block make more than the 64 that one copy element does.
constexpr size_t kExpansionMax = 22;

const char* Chars(base::ByteSpan bytes) { return reinterpret_cast<const char*>(bytes.data()); }

absl::Status Broken(std::string_view problem) {
  return MakeError(Reason::kInvalidRecord, base::StrCat("snappy: ", problem));
}

absl::Status InflateBlock(base::ByteSpan block, InflateSink& sink) {
  size_t declared = 0;
  if (!snappy::GetUncompressedLength(Chars(block), block.size(), &declared)) {
    return Broken(base::StrCat("block of ", block.size(), " bytes has no readable length"));
  }
  // The declared length is believed only as far as the bytes that arrived can bear it out.
  if (declared > block.size() * kExpansionMax) {
    return Broken(base::StrCat("block of ", block.size(), " bytes declares ", declared,
                               ", expected at most ", block.size() * kExpansionMax));
  }
  TALOSMQ_ASSIGN_OR_RETURN(const base::MutableByteSpan room, sink.Room(declared));
  if (!snappy::RawUncompress(Chars(block), block.size(), reinterpret_cast<char*>(room.data()))) {
    return Broken(base::StrCat("block of ", block.size(), " bytes does not inflate to the ",
                               declared, " it declares"));
  }
  sink.Commit(declared);
  return absl::OkStatus();
}

absl::Status InflateXerial(base::ByteSpan bytes, InflateSink& sink) {
  const auto compatible = base::LoadBigEndian<int32_t>(bytes.data() + kXerialCompatiblePosition);
  if (compatible != kXerialCompatible) {
    return Broken(base::StrCat("framing is compatible with version ", compatible, ", expected ",
                               kXerialCompatible));
  }
  base::ByteSpan rest = bytes.subspan(kXerialHeaderBytes);
  while (!rest.empty()) {
    if (rest.size() < kXerialLengthBytes) {
      return Broken(base::StrCat("expected 4 bytes of a block length, found ", rest.size()));
    }
    const auto length = base::LoadBigEndian<int32_t>(rest.data());
    rest = rest.subspan(kXerialLengthBytes);
    if (length < 1 || static_cast<size_t>(length) > rest.size()) {
      return Broken(
          base::StrCat("block length is ", length, ", but ", rest.size(), " bytes are left"));
    }
    TALOSMQ_RETURN_IF_ERROR(InflateBlock(rest.first(static_cast<size_t>(length)), sink));
    rest = rest.subspan(static_cast<size_t>(length));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<base::Buffer> SnappyCompress(size_t prefix_bytes, base::ByteSpan bytes) {
  base::Buffer block =
      base::Buffer::Allocate(prefix_bytes + snappy::MaxCompressedLength(bytes.size()));
  size_t compressed = 0;
  snappy::RawCompress(Chars(bytes), bytes.size(),
                      reinterpret_cast<char*>(block.mutable_bytes().data() + prefix_bytes),
                      &compressed);
  return Fitted(block, prefix_bytes + compressed);
}

absl::Status SnappyInflate(base::ByteSpan bytes, InflateSink& sink) {
  const bool is_xerial =
      bytes.size() >= kXerialHeaderBytes && base::AsText(bytes).starts_with(kXerialMagic);
  return is_xerial ? InflateXerial(bytes, sink) : InflateBlock(bytes, sink);
}

}  // namespace talosmq::record
