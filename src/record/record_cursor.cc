#include "record/record_cursor.h"

#include "base/text.h"

#include <optional>

namespace talosmq::record {

const std::byte* RecordCursor::TakeHeaders(const std::byte* from, const std::byte* end,
                                           int32_t count) {
  if (count < 0) {
    fault_ = base::StrCat("its headers count is ", count, ", expected at least 0");
    return nullptr;
  }
  // Ends with the bytes at the latest, however many headers are claimed: each takes two or more.
  for (int32_t i = 0; i < count; ++i) {
    base::ByteSpan key;
    base::ByteSpan value;
    from = Header(from, end, key, value);
    if (from == nullptr) {
      fault_ = base::StrCat("of its header ", i, " of ", count, ": ", fault_);
      return nullptr;
    }
  }
  return from;
}

const std::byte* RecordCursor::TakeLongInt64(const std::byte* from, const std::byte* end,
                                             std::string_view field, int64_t& value) {
  base::ByteSpan rest(from, end);
  const std::optional<int64_t> taken = base::TakeVarint64(rest);
  if (!taken) {
    fault_ = base::StrCat("its ", field, " is cut off or longer than a 64-bit varint");
    return nullptr;
  }
  value = *taken;
  return rest.data();
}

const std::byte* RecordCursor::TakeLongInt32(const std::byte* from, const std::byte* end,
                                             std::string_view field, int32_t& value) {
  base::ByteSpan rest(from, end);
  const std::optional<int32_t> taken = base::TakeVarint32(rest);
  if (!taken) {
    fault_ = base::StrCat("its ", field, " is cut off or longer than a 32-bit varint");
    return nullptr;
  }
  value = *taken;
  return rest.data();
}

std::nullptr_t RecordCursor::FailLength(std::string_view field, int32_t length, int32_t length_min,
                                        ptrdiff_t left) {
  fault_ = length < length_min
               ? base::StrCat("its ", field, " is ", length, ", expected at least ", length_min)
               : base::StrCat("its ", field, " is ", length, ", but ", left, " bytes are left");
  return nullptr;
}

std::nullptr_t RecordCursor::FailLeftOver(ptrdiff_t left) {
  fault_ = base::StrCat(left, " bytes are left over after its last header");
  return nullptr;
}

}  // namespace talosmq::record
