#include "record/record_parser.h"

#include "base/text.h"

#include <optional>

namespace talosmq::record {

const std::byte* RecordParser::ParseAny(const std::byte* from, const std::byte* end,
                                        ParsedRecord& record) {
  const Taken length = TakeLength(from, end, "length", 1);
  if (length.after == nullptr) return nullptr;
  const std::byte* const record_end = length.after + length.value;
  // The first byte, attributes, has no bit in use, and readers ignore it.
  const Taken timestamp_delta =
      TakeVarint(length.after + 1, record_end, "timestamp delta", Width::k64);
  if (timestamp_delta.after == nullptr) return nullptr;
  const Taken offset_delta =
      TakeVarint(timestamp_delta.after, record_end, "offset delta", Width::k32);
  if (offset_delta.after == nullptr) return nullptr;
  const Taken key = TakeLength(offset_delta.after, record_end, "key length", -1);
  if (key.after == nullptr) return nullptr;
  const std::byte* const key_end = key.after + std::max<int64_t>(key.value, 0);
  const Taken value = TakeLength(key_end, record_end, "value length", -1);
  if (value.after == nullptr) return nullptr;
  const std::byte* const value_end = value.after + std::max<int64_t>(value.value, 0);
  const Taken headers = TakeVarint(value_end, record_end, "headers count", Width::k32);
  if (headers.after == nullptr) return nullptr;
  const std::byte* const headers_end = SkipHeaders(headers.after, record_end, headers.value);
  if (headers_end == nullptr) return nullptr;
  if (headers_end != record_end) {
    fault_ = base::StrCat(record_end - headers_end, " bytes are left over after its last header");
    return nullptr;
  }
  record = {.body_bytes = static_cast<int32_t>(length.value),
            .timestamp_delta = timestamp_delta.value,
            .offset_delta = static_cast<int32_t>(offset_delta.value),
            .key = key.after,
            .key_bytes = static_cast<int32_t>(key.value),
            .value = value.after,
            .value_bytes = static_cast<int32_t>(value.value),
            .headers_count = static_cast<int32_t>(headers.value),
            .headers = headers.after,
            .end = record_end};
  return record_end;
}

const std::byte* RecordParser::SkipHeaders(const std::byte* from, const std::byte* end,
                                           int64_t count) {
  if (count < 0) {
    fault_ = base::StrCat("its headers count is ", count, ", expected at least 0");
    return nullptr;
  }
  // Ends with the bytes at the latest, however many headers are claimed: each takes two or more.
  for (int64_t i = 0; i < count; ++i) {
    base::ByteSpan key;
    base::ByteSpan value;
    from = ParseHeader(from, end, key, value);
    if (from == nullptr) {
      fault_ = base::StrCat("of its header ", i, " of ", count, ": ", fault_);
      return nullptr;
    }
  }
  return from;
}

const std::byte* RecordParser::ParseHeader(const std::byte* from, const std::byte* end,
                                           base::ByteSpan& key, base::ByteSpan& value) {
  const Taken key_length = TakeLength(from, end, "header key length", 0);
  if (key_length.after == nullptr) return nullptr;
  key = {key_length.after, static_cast<size_t>(key_length.value)};
  const Taken value_length =
      TakeLength(key_length.after + key_length.value, end, "header value length", -1);
  if (value_length.after == nullptr) return nullptr;
  if (value_length.value < 0) {
    value = {};
    return value_length.after;
  }
  value = {value_length.after, static_cast<size_t>(value_length.value)};
  return value_length.after + value_length.value;
}

RecordParser::Taken RecordParser::TakeVarint(const std::byte* from, const std::byte* end,
                                             std::string_view field, Width width) {
  base::ByteSpan rest(from, end);
  const bool is_32 = width == Width::k32;
  std::optional<int64_t> value;
  if (is_32) {
    value = base::TakeVarint32(rest);
  } else {
    value = base::TakeVarint64(rest);
  }
  if (value.has_value()) return {rest.data(), *value};
  fault_ = base::StrCat("its ", field, " is cut off or longer than a ", is_32 ? "32" : "64",
                        "-bit varint");
  return {nullptr, 0};
}

RecordParser::Taken RecordParser::TakeLength(const std::byte* from, const std::byte* end,
                                             std::string_view field, int64_t length_min) {
  const Taken length = TakeVarint(from, end, field, Width::k32);
  if (length.after == nullptr) return length;
  const ptrdiff_t left = end - length.after;
  if (length.value < length_min) {
    fault_ = base::StrCat("its ", field, " is ", length.value, ", expected at least ", length_min);
    return {nullptr, 0};
  }
  if (length.value > left) {
    fault_ = base::StrCat("its ", field, " is ", length.value, ", but ", left, " bytes are left");
    return {nullptr, 0};
  }
  return length;
}

}  // namespace talosmq::record
