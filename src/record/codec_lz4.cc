#include "base/status.h"
#include "base/text.h"
#include "record/codecs.h"
#include "record/fitted_buffer.h"
#include "talosmq/error.h"

#include <lz4frame.h>

#include <cstdint>
#include <memory>

namespace talosmq::record {
namespace {

// The first bytes of a frame: magic, little-endian, then the flags byte. The library checks
// version, reserved bits and header checksum; what Java's reader asks for beyond is checked here.
constexpr size_t kFlagsPosition = 4;
constexpr uint32_t kMagic = LZ4F_MAGICNUMBER;
constexpr uint32_t kIndependentBlocksFlag = 0x20;
constexpr uint32_t kDictionaryFlag = 0x01;

struct FreeContext {
  void operator()(LZ4F_dctx* context) const { LZ4F_freeDecompressionContext(context); }
};
using Context = std::unique_ptr<LZ4F_dctx, FreeContext>;

Context MakeContext() {
  LZ4F_dctx* context = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION))) return nullptr;
  return Context(context);
}

absl::Status Broken(std::string_view problem) {
  return MakeError(Reason::kInvalidRecord, base::StrCat("lz4: ", problem));
}

absl::Status CheckFrameHeader(base::ByteSpan bytes) {
  if (bytes.size() < LZ4F_HEADER_SIZE_MIN) {
    return Broken(base::StrCat("expected a frame header of ", LZ4F_HEADER_SIZE_MIN,
                               " bytes, found ", bytes.size()));
  }
  uint32_t magic = 0;
  for (size_t i = kFlagsPosition; i-- > 0;) {
    magic = (magic << 8) | std::to_integer<uint32_t>(bytes[i]);
  }
  if (magic != kMagic) {
    return Broken(
        base::StrCat("expected frame magic 0x", absl::Hex(kMagic), ", found 0x", absl::Hex(magic)));
  }
  const auto flags = std::to_integer<uint32_t>(bytes[kFlagsPosition]);
  if ((flags & kIndependentBlocksFlag) == 0) {
    return Broken("expected independent blocks, found dependent ones");
  }
  if ((flags & kDictionaryFlag) != 0) return Broken("expected no dictionary, found one named");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<base::Buffer> Lz4Compress(size_t prefix_bytes, base::ByteSpan bytes) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  const size_t bound = LZ4F_compressFrameBound(bytes.size(), &preferences);
  base::Buffer block = base::Buffer::Allocate(prefix_bytes + bound);
  const size_t compressed = LZ4F_compressFrame(block.mutable_bytes().data() + prefix_bytes, bound,
                                               bytes.data(), bytes.size(), &preferences);
  if (LZ4F_isError(compressed)) {
    return MakeError(Reason::kInternal,
                     base::StrCat("lz4: compressing: ", LZ4F_getErrorName(compressed)));
  }
  return Fitted(block, prefix_bytes + compressed);
}

absl::Status Lz4Inflate(base::ByteSpan bytes, InflateSink& sink) {
  TALOSMQ_RETURN_IF_ERROR(CheckFrameHeader(bytes));
  const Context context = MakeContext();
  if (context == nullptr) return MakeError(Reason::kInternal, "lz4: no memory to inflate");
  base::ByteSpan rest = bytes;
  while (true) {
    TALOSMQ_ASSIGN_OR_RETURN(const base::MutableByteSpan room, sink.Room(1));
    size_t produced = room.size();
    size_t consumed = rest.size();
    const size_t hint =
        LZ4F_decompress(context.get(), room.data(), &produced, rest.data(), &consumed, nullptr);
    if (LZ4F_isError(hint)) {
      return Broken(
          base::StrCat(LZ4F_getErrorName(hint), " after byte ", bytes.size() - rest.size()));
    }
    sink.Commit(produced);
    rest = rest.subspan(consumed);
    if (hint == 0) break;
    if (produced == 0 && consumed == 0) {
      return Broken(base::StrCat("expected the end of its frame, found that of its ", bytes.size(),
                                 " bytes"));
    }
  }
  if (!rest.empty()) {
    return Broken(base::StrCat("expected nothing after its frame, found ", rest.size(), " bytes"));
  }
  return absl::OkStatus();
}

}  // namespace talosmq::record
