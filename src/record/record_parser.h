#pragma once

#include "base/bytes.h"
#include "base/varint.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace talosmq::record {

/// One record as its bytes say it. Pointers view the bytes that were parsed.
struct ParsedRecord {
  int32_t body_bytes = 0;  ///< What its length field says: the bytes after that field.
  int64_t timestamp_delta = 0;
  int32_t offset_delta = 0;
  const std::byte* key = nullptr;
  int32_t key_bytes = -1;  ///< -1: no key.
  const std::byte* value = nullptr;
  int32_t value_bytes = -1;  ///< -1: no value.
  int32_t headers_count = 0;
  const std::byte* headers = nullptr;  ///< First byte of the first header.
  const std::byte* end = nullptr;      ///< One past the last byte of the record.
};

/// Parses encoded records, one at a time, and checks the structure of each to its last byte: every
/// length fits into what is left and nothing is left over. What offsets and timestamps have to be
/// is its caller's to say. The grammar is in docs/formats/record-batch.md.
///
/// A broker walks over every record it stores, so the usual record has a way of its own, inline;
/// the place in the bytes is the caller's, so that it stays in a register. Allocates nothing unless
/// it fails. Thread-compatible.
class RecordParser {
 public:
  /// Parses the record that begins at `from`, where bytes up to `end` are left; returns one past
  /// it. nullptr when its bytes are broken, or none are left: fault() says how.
  [[nodiscard]] const std::byte* Parse(const std::byte* from, const std::byte* end,
                                       ParsedRecord& record);
  /// The same for one header of a record; the value of one without has no data pointer.
  [[nodiscard]] const std::byte* ParseHeader(const std::byte* from, const std::byte* end,
                                             base::ByteSpan& key, base::ByteSpan& value);

  /// What is wrong, as the end of a sentence about the record: "its key length is 9, but 3
  /// bytes...".
  const std::string& fault() const { return fault_; }

 private:
  /// A value and the first byte after it; no byte when it could not be taken.
  struct Taken {
    const std::byte* after;
    int64_t value;
  };
  enum class Width { k32, k64 };

  static Taken TakeShortVarint(const std::byte* from);
  /// A record without headers whose numbers are short varints; nullptr for any other, sound or not.
  static const std::byte* ParseUsual(const std::byte* from, const std::byte* end,
                                     ParsedRecord& record);
  const std::byte* ParseAny(const std::byte* from, const std::byte* end, ParsedRecord& record);
  const std::byte* SkipHeaders(const std::byte* from, const std::byte* end, int64_t count);
  /// What fails sets fault_ and gives no byte.
  Taken TakeVarint(const std::byte* from, const std::byte* end, std::string_view field,
                   Width width);
  /// A length of at least `length_min` with that many bytes after it.
  Taken TakeLength(const std::byte* from, const std::byte* end, std::string_view field,
                   int64_t length_min);

  std::string fault_;
};

/// What TakeShortVarint may read.
inline constexpr ptrdiff_t kShortVarintBytesMax = 3;

inline RecordParser::Taken RecordParser::TakeShortVarint(const std::byte* from) {
  const auto first = std::to_integer<uint64_t>(from[0]);
  if (first < 0x80) return {from + 1, base::UnZigZag(first)};
  const auto second = std::to_integer<uint64_t>(from[1]);
  if (second < 0x80) return {from + 2, base::UnZigZag((first & 0x7f) | (second << 7))};
  const auto third = std::to_integer<uint64_t>(from[2]);
  if (third >= 0x80) return {nullptr, 0};
  return {from + 3, base::UnZigZag((first & 0x7f) | ((second & 0x7f) << 7) | (third << 14))};
}

inline const std::byte* RecordParser::ParseUsual(const std::byte* from, const std::byte* end,
                                                 ParsedRecord& record) {
  // Length, timestamp delta, offset delta and key length, with the attributes byte after the first.
  if (end - from < 4 * kShortVarintBytesMax + 1) return nullptr;
  const Taken length = TakeShortVarint(from);
  if (length.after == nullptr || length.value < 0 || length.value > end - length.after) {
    return nullptr;
  }
  const std::byte* const record_end = length.after + length.value;
  const Taken timestamp_delta = TakeShortVarint(length.after + 1);
  if (timestamp_delta.after == nullptr) return nullptr;
  const Taken offset_delta = TakeShortVarint(timestamp_delta.after);
  if (offset_delta.after == nullptr) return nullptr;
  const Taken key = TakeShortVarint(offset_delta.after);
  if (key.after == nullptr || key.value < -1) return nullptr;
  const int64_t key_bytes = std::max<int64_t>(key.value, 0);
  if (end - key.after < key_bytes + kShortVarintBytesMax) return nullptr;
  const Taken value = TakeShortVarint(key.after + key_bytes);
  if (value.after == nullptr || value.value < -1) return nullptr;
  const int64_t value_bytes = std::max<int64_t>(value.value, 0);
  // The place has only moved on: that one zero byte, the headers count, is left of the record
  // proves that no field went beyond its end.
  if (record_end - value.after != value_bytes + 1) return nullptr;
  if (value.after[value_bytes] != std::byte{0}) return nullptr;
  record = {.body_bytes = static_cast<int32_t>(length.value),
            .timestamp_delta = timestamp_delta.value,
            .offset_delta = static_cast<int32_t>(offset_delta.value),
            .key = key.after,
            .key_bytes = static_cast<int32_t>(key.value),
            .value = value.after,
            .value_bytes = static_cast<int32_t>(value.value),
            .headers_count = 0,
            .headers = record_end,
            .end = record_end};
  return record_end;
}

inline const std::byte* RecordParser::Parse(const std::byte* from, const std::byte* end,
                                            ParsedRecord& record) {
  const std::byte* const after = ParseUsual(from, end, record);
  if (after != nullptr) [[likely]]
    return after;
  // By way of a copy: the address of `record` given away would keep it out of registers above.
  ParsedRecord any;
  const std::byte* const after_any = ParseAny(from, end, any);
  record = any;
  return after_any;
}

}  // namespace talosmq::record
