#pragma once

#include "base/random.h"

#include <cstdint>

namespace talosmq::client {

/// The same number again and again: retries are in step, which makes them easy to wait for.
class FixedRandom final : public base::Random {
 public:
  explicit FixedRandom(uint64_t value = 0) : number(value) {}
  uint64_t Next() override { return number; }
  uint64_t number;
};

}  // namespace talosmq::client
