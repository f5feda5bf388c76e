#include "base/status.h"
#include "base/text.h"
#include "record/codecs.h"
#include "record/fitted_buffer.h"
#include "talosmq/error.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

namespace talosmq::record {
namespace {

/// zlib's window of 32 KiB, plus 16 for the gzip form of RFC 1952.
constexpr int kGzipWindowBits = 15 + 16;
constexpr int kMemoryLevel = 8;  // zlib's default.

Bytef* InputOf(base::ByteSpan bytes) {
  // zlib reads through a pointer to mutable bytes unless it is built with ZLIB_CONST.
  return reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
}

uInt Clamp(size_t size) {
  return static_cast<uInt>(std::min<size_t>(size, std::numeric_limits<uInt>::max()));
}

/// An inflating z_stream. Owns zlib's state.
class InflateStream {
 public:
  explicit InflateStream(base::ByteSpan input) {
    stream_.next_in = InputOf(input);
    stream_.avail_in = Clamp(input.size());
    started_ = inflateInit2(&stream_, kGzipWindowBits) == Z_OK;
  }
  ~InflateStream() {
    if (started_) inflateEnd(&stream_);
  }
  InflateStream(const InflateStream&) = delete;
  InflateStream& operator=(const InflateStream&) = delete;

  bool started() const { return started_; }
  z_stream& get() { return stream_; }

 private:
  z_stream stream_{};
  bool started_ = false;
};

/// A deflating z_stream. Owns zlib's state.
class DeflateStream {
 public:
  DeflateStream() {
    started_ = deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindowBits,
                            kMemoryLevel, Z_DEFAULT_STRATEGY) == Z_OK;
  }
  ~DeflateStream() {
    if (started_) deflateEnd(&stream_);
  }
  DeflateStream(const DeflateStream&) = delete;
  DeflateStream& operator=(const DeflateStream&) = delete;

  bool started() const { return started_; }
  z_stream& get() { return stream_; }

 private:
  z_stream stream_{};
  bool started_ = false;
};

absl::Status Broken(std::string_view problem) {
  return MakeError(Reason::kInvalidRecord, base::StrCat("gzip: ", problem));
}

}  // namespace

absl::StatusOr<base::Buffer> GzipCompress(size_t prefix_bytes, base::ByteSpan bytes) {
  DeflateStream deflater;
  if (!deflater.started()) return MakeError(Reason::kInternal, "gzip: no memory to compress");
  z_stream& stream = deflater.get();
  const size_t bound = deflateBound(&stream, bytes.size());
  base::Buffer block = base::Buffer::Allocate(prefix_bytes + bound);
  stream.next_in = InputOf(bytes);
  stream.avail_in = Clamp(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(block.mutable_bytes().data() + prefix_bytes);
  stream.avail_out = Clamp(bound);
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) {
    return MakeError(Reason::kInternal, base::StrCat("gzip: ", bytes.size(),
                                                     " bytes did not fit their bound of ", bound));
  }
  return Fitted(block, prefix_bytes + stream.total_out);
}

absl::Status GzipInflate(base::ByteSpan bytes, InflateSink& sink) {
  InflateStream inflater(bytes);
  if (!inflater.started()) return MakeError(Reason::kInternal, "gzip: no memory to inflate");
  z_stream& stream = inflater.get();
  while (true) {
    TALOSMQ_ASSIGN_OR_RETURN(const base::MutableByteSpan room, sink.Room(1));
    stream.next_out = reinterpret_cast<Bytef*>(room.data());
    const uInt offered = Clamp(room.size());
    stream.avail_out = offered;
    const int code = inflate(&stream, Z_NO_FLUSH);
    sink.Commit(offered - stream.avail_out);
    if (code == Z_STREAM_END) {
      if (stream.avail_in == 0) return absl::OkStatus();
      inflateReset(&stream);  // RFC 1952: another member may follow.
    } else if (code == Z_BUF_ERROR) {
      // There was room, so it is input that is missing.
      return Broken(base::StrCat("expected the end of its stream, found that of its ", bytes.size(),
                                 " bytes"));
    } else if (code != Z_OK) {
      const std::string_view problem = stream.msg != nullptr ? stream.msg : "broken stream";
      return Broken(base::StrCat(problem, " at byte ", bytes.size() - stream.avail_in));
    }
  }
}

}  // namespace talosmq::record
