#include "storage/allocation.h"

#include <algorithm>

namespace talosmq::storage {

uint64_t NextAllocation(uint64_t allocated, uint64_t needed) {
  constexpr uint64_t kStepMax = uint64_t{16} << 20;
  while (allocated < needed) allocated += std::clamp(allocated, kAllocationStepMin, kStepMax);
  return allocated;
}

}  // namespace talosmq::storage
