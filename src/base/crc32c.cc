#include "base/crc32c.h"

#include <isa-l/crc.h>

#include <algorithm>
#include <limits>

namespace talosmq::base {

uint32_t Crc32c(ByteSpan bytes, uint32_t crc) {
  // ISA-L wants a mutable pointer and an int length, and leaves the inversions to its caller.
  uint32_t state = ~crc;
  while (!bytes.empty()) {
    const size_t step = std::min<size_t>(bytes.size(), std::numeric_limits<int>::max());
    auto* data = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes.data()));
    state = crc32_iscsi(data, static_cast<int>(step), state);
    bytes = bytes.subspan(step);
  }
  return ~state;
}

uint32_t Crc32cSoftware(ByteSpan bytes, uint32_t crc) {
  constexpr uint32_t kPolynomialReflected = 0x82F63B78;
  uint32_t state = ~crc;
  for (const std::byte byte : bytes) {
    state ^= std::to_integer<uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) {
      state = (state >> 1) ^ ((state & 1) != 0 ? kPolynomialReflected : 0);
    }
  }
  return ~state;
}

}  // namespace talosmq::base
