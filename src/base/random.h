#pragma once

#include "talosmq/ids.h"

#include <cstdint>

namespace talosmq::base {

/// Where randomness comes from. Confined to whoever holds it, unless an implementation says more.
class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t Next() = 0;
};

/// The operating system's generator. Thread-safe.
class SystemRandom final : public Random {
 public:
  uint64_t Next() override;
};

/// A version 4 (random) UUID, RFC 4122 section 4.4.
TopicId NewTopicId(Random& random);

}  // namespace talosmq::base
