// Any bytes as the key and the value of a record of __consumer_offsets. What is read is written as
// the same bytes. The input: the size of the key in one byte, the key, the value; without bytes
// behind the key there is no value.

#include "base/check.h"
#include "group/group_records.h"
#include "talosmq/error.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace talosmq::group {
namespace {

void Check(std::string_view key, const std::optional<std::string_view>& value) {
  const auto change = Decode(key, value);
  if (!change.ok()) {
    const Reason reason = ReasonOf(change.status());
    TALOSMQ_CHECK(reason == Reason::kCorruptData || reason == Reason::kUnsupportedVersion);
    return;
  }
  const EncodedChange again = Encode(*change);
  TALOSMQ_CHECK(again.key == key);
  TALOSMQ_CHECK(again.value == value);
}

}  // namespace
}  // namespace talosmq::group

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t key_bytes = std::min<size_t>(data[0], bytes.size());
  std::optional<std::string_view> value;
  if (key_bytes < bytes.size()) value = bytes.substr(key_bytes);
  talosmq::group::Check(bytes.substr(0, key_bytes), value);
  return 0;
}
