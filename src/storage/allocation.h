#pragma once

#include <cstdint>

namespace talosmq::storage {

inline constexpr uint64_t kAllocationStepMin = uint64_t{64} << 10;

/// The size to allocate so that `needed` bytes fit: doubling from kAllocationStepMin, in steps of
/// at most 16 MiB. 0 -> 64 KiB, 64 KiB -> 128 KiB, ..., 32 MiB -> 48 MiB.
uint64_t NextAllocation(uint64_t allocated, uint64_t needed);

}  // namespace talosmq::storage
