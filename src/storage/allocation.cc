#include "storage/allocation.h"

#include <algorithm>

namespace talosmq::storage {

uint64_t NextAllocation(uint64_t allocated, uint64_t needed) {
  constexpr uint64_t kStepBytesMin = uint64_t{64} << 10;
  constexpr uint64_t kStepBytesMax = uint64_t{16} << 20;
  while (allocated < needed) allocated += std::clamp(allocated, kStepBytesMin, kStepBytesMax);
  return allocated;
}

}  // namespace talosmq::storage
