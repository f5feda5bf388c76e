#pragma once

#include "base/random.h"

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

namespace talosmq::base {

/// SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, 2012) under a random secret: who
/// does not know the secret cannot make two texts with one hash. Thread-compatible.
class KeyedHash {
 public:
  using Value = std::pair<uint64_t, uint64_t>;

  explicit KeyedHash(Random& random);
  ~KeyedHash();

  Value Of(std::string_view text);

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace talosmq::base
