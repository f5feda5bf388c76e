#pragma once

#include <cstdint>

namespace talosmq::storage {

/// The size to allocate so that `needed` bytes fit: doubling from 64 KiB, in steps of at most
/// 16 MiB. 0 -> 64 KiB, 64 KiB -> 128 KiB, ..., 32 MiB -> 48 MiB.
uint64_t NextAllocation(uint64_t allocated, uint64_t needed);

}  // namespace talosmq::storage
