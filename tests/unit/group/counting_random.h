#pragma once

#include "base/random.h"

#include <cstdint>

namespace talosmq::group {

/// 1, 2, and so on.
class CountingRandom final : public base::Random {
 public:
  uint64_t Next() override { return next_++; }

 private:
  uint64_t next_ = 1;
};

}  // namespace talosmq::group
