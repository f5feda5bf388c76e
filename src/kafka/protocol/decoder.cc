#include "kafka/protocol/decoder.h"

#include "base/text.h"
#include "base/varint.h"
#include "talosmq/error.h"

namespace talosmq::kafka {
namespace {

constexpr size_t kUuidBytes = 16;
constexpr size_t kTagBytesMin = 2;  ///< Its number and its size.

}  // namespace

Decoder::Decoder(base::ByteSpan frame)
    : begin_(frame.data()), next_(frame.data()), end_(frame.data() + frame.size()) {}

absl::Status Decoder::status() const {
  if (ok()) return absl::OkStatus();
  return MakeError(is_version_unknown_ ? Reason::kUnsupportedVersion : Reason::kInvalidArgument,
                   fault_);
}

void Decoder::Fail(std::string_view field, std::string_view what) {
  if (ok()) fault_ = base::StrCat(field, " at byte ", position(), ": ", what);
}

bool Decoder::Begin(const Api& api, int16_t version) {
  if (!api.has_version(version)) {
    Fail(api.name, base::StrCat("expected a version in [", api.version_min, ", ", api.version_max,
                                "], found ", version));
    is_version_unknown_ = true;
    return false;
  }
  encoding_ = api.is_flexible(version) ? Encoding::kCompact : Encoding::kClassic;
  return ok();
}

const std::byte* Decoder::Take(size_t bytes, std::string_view field) {
  if (!ok()) return nullptr;
  if (bytes > left()) {
    Fail(field, base::StrCat("expected ", bytes, " bytes, found ", left()));
    return nullptr;
  }
  return std::exchange(next_, next_ + bytes);
}

std::string_view Decoder::TakeText(size_t bytes, std::string_view field) {
  const std::byte* const from = Take(bytes, field);
  return from == nullptr ? std::string_view() : base::AsText({from, bytes});
}

uint32_t Decoder::UnsignedVarint(std::string_view field) {
  const std::byte* const begin = next_;
  uint64_t value = 0;
  for (size_t i = 0; i < base::kVarint32BytesMax; ++i) {
    const std::byte* const from = Take(1, field);
    if (from == nullptr) return 0;
    value |= (std::to_integer<uint64_t>(*from) & 0x7f) << (7 * i);
    if ((*from & std::byte{0x80}) == std::byte{0}) {
      if (value <= UINT32_MAX) return static_cast<uint32_t>(value);
      break;
    }
  }
  next_ = begin;
  Fail(field, "expected an unsigned varint of 32 bits, found a longer one");
  return 0;
}

TopicId Decoder::Uuid(std::string_view field) {
  const std::string_view bytes = TakeText(kUuidBytes, field);
  return ok() ? *TopicId::FromBytes(bytes) : TopicId();
}

template <typename T>
std::optional<size_t> Decoder::NullableLength(std::string_view field) {
  if (encoding_ == Encoding::kCompact) {
    const uint32_t length = UnsignedVarint(field);
    if (length == 0) return std::nullopt;
    return length - 1;
  }
  const std::byte* const begin = next_;
  const T length = Number<T>(field);
  if (length < -1) {
    next_ = begin;
    Fail(field, base::StrCat("expected a length of -1 or more, found ", length));
  }
  if (length < 0) return std::nullopt;
  return static_cast<size_t>(length);
}

size_t Decoder::NotNull(std::optional<size_t> length, std::string_view field) {
  if (!length) Fail(field, "expected a value, found null");
  return length.value_or(0);
}

std::string_view Decoder::String(std::string_view field) {
  return TakeText(NotNull(NullableLength<int16_t>(field), field), field);
}

std::optional<std::string_view> Decoder::NullableString(std::string_view field) {
  const std::optional<size_t> length = NullableLength<int16_t>(field);
  if (!length || !ok()) return std::nullopt;
  return TakeText(*length, field);
}

std::optional<std::string_view> Decoder::ClassicNullableString(std::string_view field) {
  const Encoding encoding = std::exchange(encoding_, Encoding::kClassic);
  const auto text = NullableString(field);
  encoding_ = encoding;
  return text;
}

std::string_view Decoder::Bytes(std::string_view field) {
  return TakeText(NotNull(NullableLength<int32_t>(field), field), field);
}

std::optional<std::string_view> Decoder::NullableBytes(std::string_view field) {
  const std::optional<size_t> length = NullableLength<int32_t>(field);
  if (!length || !ok()) return std::nullopt;
  return TakeText(*length, field);
}

void Decoder::NullableRecords(std::string_view field, std::optional<Records>& records) {
  records.reset();
  const std::optional<std::string_view> bytes = NullableBytes(field);
  if (bytes) records.emplace(std::vector{base::Buffer::CopyOf(base::AsBytes(*bytes))});
}

std::optional<size_t> Decoder::NullableCount(std::string_view field, size_t item_bytes_min) {
  const std::byte* const begin = next_;
  const std::optional<size_t> count = NullableLength<int32_t>(field);
  if (!count || !ok()) return std::nullopt;
  const size_t count_max = left() / item_bytes_min;
  if (*count > count_max) {
    next_ = begin;
    Fail(field, base::StrCat("expected at most ", count_max,
                             " items in the bytes left, found a count of ", *count));
    return std::nullopt;
  }
  return count;
}

size_t Decoder::Count(std::string_view field, size_t item_bytes_min) {
  return NotNull(NullableCount(field, item_bytes_min), field);
}

bool Decoder::TakeMemory(std::string_view field, size_t bytes) {
  if (bytes > decoded_bytes_max_ - decoded_bytes_) {
    Fail(field, base::StrCat("expected lists of at most ", decoded_bytes_max_,
                             " bytes in memory, found ", decoded_bytes_ + bytes));
    return false;
  }
  decoded_bytes_ += bytes;
  return true;
}

uint32_t Decoder::TagCount(std::string_view owner) {
  const uint32_t count = UnsignedVarint(owner);
  if (count > left() / kTagBytesMin) {
    Fail(owner, base::StrCat("expected at most ", left() / kTagBytesMin,
                             " tags in the bytes left, found a count of ", count));
  }
  return count;
}

Decoder::Tag Decoder::NextTag(std::string_view owner, int64_t previous) {
  const uint32_t number = UnsignedVarint(owner);
  if (ok() && number <= previous) {
    Fail(owner, base::StrCat("expected a tag above ", previous, ", found ", number));
  }
  const uint32_t bytes = UnsignedVarint(owner);
  if (bytes > left()) {
    Fail(owner, base::StrCat("expected ", bytes, " bytes of tag ", number, ", found ", left()));
  }
  return {.number = number, .bytes = bytes};
}

void Decoder::SkipTags(std::string_view owner) {
  Tags(owner, [](uint32_t) { return false; });
}

void Decoder::ExpectEnd(std::string_view what) {
  if (left() > 0) Fail(what, base::StrCat("expected the end, found ", left(), " more bytes"));
}

}  // namespace talosmq::kafka
