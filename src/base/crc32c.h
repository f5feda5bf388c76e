#pragma once

#include "base/bytes.h"

#include <cstdint>

namespace talosmq::base {

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `bytes`, continued from `crc` of what came
/// before; 0 to begin. Through ISA-L.
uint32_t Crc32c(ByteSpan bytes, uint32_t crc = 0);

/// The same by its bitwise definition; what tests compare with.
uint32_t Crc32cSoftware(ByteSpan bytes, uint32_t crc = 0);

}  // namespace talosmq::base
