#pragma once

#include "base/bytes.h"
#include "base/varint.h"

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

/// Walks over encoded records, one after another, and checks the structure of each to its last
/// byte: every length fits into what is left and nothing is left over. The one parser of the
/// grammar in docs/formats/record-batch.md; what offsets and timestamps have to be is its caller's
/// to say. Inline, since a broker walks over every record it stores. Allocates nothing unless it
/// fails. Thread-compatible; views the bytes it was given.
class RecordCursor {
 public:
  explicit RecordCursor(base::ByteSpan records)
      : next_(records.data()), end_(records.data() + records.size()) {}

  /// Parses the next record. False when its bytes are broken: fault() says how, and the cursor
  /// stays on it. Call it only while bytes are due: at the end it reports a cut off length.
  [[nodiscard]] bool Next(ParsedRecord& record);
  /// Parses one header of a record, at `from`; nullptr when it is broken.
  [[nodiscard]] const std::byte* Header(const std::byte* from, const std::byte* end,
                                        base::ByteSpan& key, base::ByteSpan& value);

  base::ByteSpan rest() const { return {next_, end_}; }
  /// What is wrong, as the end of a sentence about the record: "its key length is 9, but 3
  /// bytes...".
  const std::string& fault() const { return fault_; }

 private:
  const std::byte* TakeInt64(const std::byte* from, const std::byte* end, std::string_view field,
                             int64_t& value);
  const std::byte* TakeInt32(const std::byte* from, const std::byte* end, std::string_view field,
                             int32_t& value);
  /// A length of at least `length_min` with that many bytes after it.
  const std::byte* TakeLength(const std::byte* from, const std::byte* end, std::string_view field,
                              int32_t length_min, int32_t& length);
  const std::byte* TakeHeaders(const std::byte* from, const std::byte* end, int32_t count);

  // The ways out of the fast path; each sets fault_ and returns nullptr when it is a failure.
  const std::byte* TakeLongInt64(const std::byte* from, const std::byte* end,
                                 std::string_view field, int64_t& value);
  const std::byte* TakeLongInt32(const std::byte* from, const std::byte* end,
                                 std::string_view field, int32_t& value);
  std::nullptr_t FailLength(std::string_view field, int32_t length, int32_t length_min,
                            ptrdiff_t left);
  std::nullptr_t FailLeftOver(ptrdiff_t left);

  const std::byte* next_;
  const std::byte* end_;
  std::string fault_;
};

/// Takes a varint of one or two bytes, which is what nearly all of them are; nullptr for any other.
inline const std::byte* TakeShortVarint(const std::byte* from, const std::byte* end,
                                        int64_t& value) {
  if (from == end) return nullptr;
  const auto first = std::to_integer<uint64_t>(from[0]);
  if (first < 0x80) {
    value = base::UnZigZag(first);
    return from + 1;
  }
  if (end - from < 2) return nullptr;
  const auto second = std::to_integer<uint64_t>(from[1]);
  if (second >= 0x80) return nullptr;
  value = base::UnZigZag((first & 0x7f) | (second << 7));
  return from + 2;
}

inline const std::byte* RecordCursor::TakeInt64(const std::byte* from, const std::byte* end,
                                                std::string_view field, int64_t& value) {
  const std::byte* after = TakeShortVarint(from, end, value);
  return after != nullptr ? after : TakeLongInt64(from, end, field, value);
}

inline const std::byte* RecordCursor::TakeInt32(const std::byte* from, const std::byte* end,
                                                std::string_view field, int32_t& value) {
  int64_t wide = 0;
  const std::byte* after = TakeShortVarint(from, end, wide);
  value = static_cast<int32_t>(wide);
  return after != nullptr ? after : TakeLongInt32(from, end, field, value);
}

inline const std::byte* RecordCursor::TakeLength(const std::byte* from, const std::byte* end,
                                                 std::string_view field, int32_t length_min,
                                                 int32_t& length) {
  const std::byte* after = TakeInt32(from, end, field, length);
  if (after == nullptr) return nullptr;
  if (length < length_min || length > end - after) {
    return FailLength(field, length, length_min, end - after);
  }
  return after;
}

inline const std::byte* RecordCursor::Header(const std::byte* from, const std::byte* end,
                                             base::ByteSpan& key, base::ByteSpan& value) {
  int32_t key_bytes = 0;
  from = TakeLength(from, end, "header key length", 0, key_bytes);
  if (from == nullptr) return nullptr;
  key = {from, static_cast<size_t>(key_bytes)};
  int32_t value_bytes = 0;
  from = TakeLength(from + key_bytes, end, "header value length", -1, value_bytes);
  if (from == nullptr) return nullptr;
  // A value that is absent is told from an empty one by its pointer.
  if (value_bytes < 0) {
    value = {};
    return from;
  }
  value = {from, static_cast<size_t>(value_bytes)};
  return from + value_bytes;
}

inline bool RecordCursor::Next(ParsedRecord& record) {
  const std::byte* at = TakeLength(next_, end_, "length", 1, record.body_bytes);
  if (at == nullptr) return false;
  const std::byte* const end = at + record.body_bytes;
  ++at;  // Attributes: no bit is in use, and readers ignore them.
  at = TakeInt64(at, end, "timestamp delta", record.timestamp_delta);
  if (at == nullptr) return false;
  at = TakeInt32(at, end, "offset delta", record.offset_delta);
  if (at == nullptr) return false;
  at = TakeLength(at, end, "key length", -1, record.key_bytes);
  if (at == nullptr) return false;
  record.key = at;
  if (record.key_bytes > 0) at += record.key_bytes;
  at = TakeLength(at, end, "value length", -1, record.value_bytes);
  if (at == nullptr) return false;
  record.value = at;
  if (record.value_bytes > 0) at += record.value_bytes;
  at = TakeInt32(at, end, "headers count", record.headers_count);
  if (at == nullptr) return false;
  record.headers = at;
  record.end = end;
  if (record.headers_count != 0) {
    at = TakeHeaders(at, end, record.headers_count);
    if (at == nullptr) return false;
  }
  if (at != end) {
    FailLeftOver(end - at);
    return false;
  }
  next_ = end;
  return true;
}

}  // namespace talosmq::record
