#include "kafka/protocol/encoder.h"

#include "base/text.h"
#include "base/varint.h"
#include "talosmq/error.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

namespace talosmq::kafka {
namespace {

constexpr size_t kBlockBytesMin = 512;
constexpr size_t kFrameSizeBytes = 4;

size_t PutUnsignedVarint(std::byte* to, uint32_t value) {
  size_t bytes = 0;
  for (; value >= 0x80; value >>= 7) to[bytes++] = static_cast<std::byte>(value | 0x80);
  to[bytes++] = static_cast<std::byte>(value);
  return bytes;
}

}  // namespace

Encoder::Encoder() { Extend(kFrameSizeBytes); }

void Encoder::Begin(const Api& api, int16_t version) {
  TALOSMQ_CHECK(api.has_version(version)) << api.name << " " << version;
  encoding_ = api.is_flexible(version) ? Encoding::kCompact : Encoding::kClassic;
}

absl::StatusOr<EncodedFrame> Encoder::Take() && {
  EncodedFrame frame;
  frame.bytes = size_;
  for (const Insertion& insertion : records_) frame.bytes += insertion.bytes.size();
  frame.held_bytes = frame.bytes - size_ + block_.size();
  if (frame.bytes - kFrameSizeBytes > std::numeric_limits<int32_t>::max() && fault_.empty()) {
    fault_ = base::StrCat("a frame of ", frame.bytes, " bytes is longer than its size can say");
  }
  if (!fault_.empty()) return MakeError(Reason::kInternal, fault_);
  base::StoreBigEndian(block_.mutable_bytes().data(),
                       static_cast<int32_t>(frame.bytes - kFrameSizeBytes));
  size_t begin = 0;
  for (Insertion& insertion : records_) {
    if (insertion.position > begin) {
      frame.pieces.push_back(block_.Slice(begin, insertion.position - begin));
    }
    begin = insertion.position;
    frame.pieces.push_back(std::move(insertion.bytes));
  }
  if (size_ > begin) frame.pieces.push_back(block_.Slice(begin, size_ - begin));
  return frame;
}

std::byte* Encoder::Extend(size_t bytes) {
  if (bytes > block_.size() - size_) {
    auto larger =
        base::Buffer::Allocate(std::max({2 * block_.size(), size_ + bytes, kBlockBytesMin}));
    if (size_ > 0) std::memcpy(larger.mutable_bytes().data(), block_.bytes().data(), size_);
    block_ = std::move(larger);
  }
  return block_.mutable_bytes().data() + std::exchange(size_, size_ + bytes);
}

void Encoder::Append(std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(Extend(bytes.size()), bytes.data(), bytes.size());
}

void Encoder::UnsignedVarint(uint32_t value) {
  std::array<std::byte, base::kVarint32BytesMax> bytes;
  const size_t count = PutUnsignedVarint(bytes.data(), value);
  Append(base::AsText({bytes.data(), count}));
}

void Encoder::InsertSize(size_t begin) {
  const size_t payload = size_ - begin;
  std::array<std::byte, base::kVarint32BytesMax> bytes;
  const size_t count = PutUnsignedVarint(bytes.data(), static_cast<uint32_t>(payload));
  Extend(count);
  std::byte* const at = block_.mutable_bytes().data() + begin;
  std::memmove(at + count, at, payload);
  std::memcpy(at, bytes.data(), count);
}

template <typename T>
void Encoder::Length(size_t length) {
  // Compact lengths could be longer; nothing of ours is, and an int32 is what readers hold them in.
  const size_t length_max = encoding_ == Encoding::kCompact
                                ? std::numeric_limits<int32_t>::max() - 1
                                : std::numeric_limits<T>::max();
  if (length > length_max && fault_.empty()) {
    fault_ = base::StrCat("a text or list of ", length, " is longer than ", length_max);
  }
  if (encoding_ == Encoding::kCompact) {
    UnsignedVarint(static_cast<uint32_t>(length + 1));
  } else {
    Number(static_cast<T>(length));
  }
}

template <typename T>
void Encoder::Null() {
  if (encoding_ == Encoding::kCompact) {
    UnsignedVarint(0);
  } else {
    Number(T{-1});
  }
}

template void Encoder::Length<int16_t>(size_t length);
template void Encoder::Length<int32_t>(size_t length);
template void Encoder::Null<int16_t>();
template void Encoder::Null<int32_t>();

void Encoder::Uuid(const TopicId& value) { Append(value.bytes()); }

void Encoder::String(std::string_view value) {
  Length<int16_t>(value.size());
  Append(value);
}

void Encoder::ClassicNullableString(const std::optional<std::string_view>& value) {
  const Encoding encoding = std::exchange(encoding_, Encoding::kClassic);
  NullableString(value);
  encoding_ = encoding;
}

void Encoder::Bytes(std::string_view value) {
  Length<int32_t>(value.size());
  Append(value);
}

void Encoder::NullableRecords(const std::optional<Records>& value) {
  if (!value) return Null<int32_t>();
  Length<int32_t>(value->bytes());
  for (const base::Buffer& chunk : value->chunks()) {
    if (!chunk.empty()) records_.push_back({.position = size_, .bytes = chunk});
  }
}

}  // namespace talosmq::kafka
