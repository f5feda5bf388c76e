#include "base/utf8.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace talosmq::base {
namespace {

constexpr uint64_t kHighBits = 0x8080808080808080;

/// How many leading bytes of `bytes` are ASCII, in whole steps of eight.
size_t AsciiPrefix(std::string_view bytes) {
  size_t length = 0;
  while (bytes.size() - length >= sizeof(uint64_t)) {
    uint64_t block = 0;
    std::memcpy(&block, bytes.data() + length, sizeof(block));
    if ((block & kHighBits) != 0) break;
    length += sizeof(block);
  }
  return length;
}

/// Bytes of the well-formed sequence that begins `bytes` (not empty); 0 when it is none. The second
/// byte's range depends on the first: Unicode standard, table 3-7.
size_t SequenceLength(std::string_view bytes) {
  const auto lead = static_cast<uint8_t>(bytes[0]);
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (bytes.size() < length) return 0;
  const auto second = static_cast<uint8_t>(bytes[1]);
  const uint8_t second_min = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const uint8_t second_max = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (second < second_min || second > second_max) return 0;
  for (size_t i = 2; i < length; ++i) {
    if ((static_cast<uint8_t>(bytes[i]) & 0xc0) != 0x80) return 0;
  }
  return length;
}

}  // namespace

bool IsUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    bytes.remove_prefix(AsciiPrefix(bytes));
    if (bytes.empty()) return true;
    const size_t length = SequenceLength(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

}  // namespace talosmq::base
