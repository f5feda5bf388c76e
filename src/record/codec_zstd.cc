#include "base/status.h"
#include "base/text.h"
#include "record/codecs.h"
#include "record/fitted_buffer.h"
#include "talosmq/error.h"

#include <zstd.h>

#include <array>
#include <cstring>
#include <memory>

namespace talosmq::record {
namespace {

/// The limit that decoders have by default, so that whoever reads a stored batch can inflate it.
constexpr int kWindowLogMax = 27;
/// What every frame begins with. The library would also take frames of its formats before 1.0.
constexpr std::array kFrameMagic = {std::byte{0x28}, std::byte{0xb5}, std::byte{0x2f},
                                    std::byte{0xfd}};

struct FreeContext {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};
using Context = std::unique_ptr<ZSTD_DCtx, FreeContext>;

absl::Status Broken(std::string_view problem) {
  return MakeError(Reason::kInvalidRecord, base::StrCat("zstd: ", problem));
}

bool BeginsFrame(base::ByteSpan bytes) {
  return bytes.size() >= kFrameMagic.size() &&
         std::memcmp(bytes.data(), kFrameMagic.data(), kFrameMagic.size()) == 0;
}

}  // namespace

absl::StatusOr<base::Buffer> ZstdCompress(size_t prefix_bytes, base::ByteSpan bytes) {
  const size_t bound = ZSTD_compressBound(bytes.size());
  base::Buffer block = base::Buffer::Allocate(prefix_bytes + bound);
  const size_t compressed = ZSTD_compress(block.mutable_bytes().data() + prefix_bytes, bound,
                                          bytes.data(), bytes.size(), ZSTD_CLEVEL_DEFAULT);
  if (ZSTD_isError(compressed) != 0) {
    return MakeError(Reason::kInternal,
                     base::StrCat("zstd: compressing: ", ZSTD_getErrorName(compressed)));
  }
  return Fitted(block, prefix_bytes + compressed);
}

absl::Status ZstdInflate(base::ByteSpan bytes, InflateSink& sink) {
  const Context context(ZSTD_createDCtx());
  if (context == nullptr || ZSTD_isError(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax,
                                                                kWindowLogMax)) != 0) {
    return MakeError(Reason::kInternal, "zstd: no memory to inflate");
  }
  ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
  size_t hint = 0;  // Of the library: 0 between two frames.
  do {
    if (hint == 0 && !BeginsFrame(bytes.subspan(input.pos))) {
      return Broken(base::StrCat("expected a frame at byte ", input.pos, " of ", bytes.size(),
                                 ", found another magic"));
    }
    TALOSMQ_ASSIGN_OR_RETURN(const base::MutableByteSpan room, sink.Room(1));
    ZSTD_outBuffer output{room.data(), room.size(), 0};
    const size_t input_before = input.pos;
    hint = ZSTD_decompressStream(context.get(), &output, &input);
    if (ZSTD_isError(hint) != 0) {
      return Broken(base::StrCat(ZSTD_getErrorName(hint), " after byte ", input_before));
    }
    sink.Commit(output.pos);
    if (hint != 0 && output.pos == 0 && input.pos == input_before) {
      return Broken(base::StrCat("expected the end of its frame, found that of its ", bytes.size(),
                                 " bytes"));
    }
  } while (hint != 0 || input.pos < input.size);
  return absl::OkStatus();
}

}  // namespace talosmq::record
