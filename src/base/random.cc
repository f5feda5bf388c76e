#include "base/random.h"

#include "base/check.h"

#include <sys/random.h>

#include <cerrno>

namespace talosmq::base {

uint64_t SystemRandom::Next() {
  uint64_t value = 0;
  ssize_t got = 0;
  do {
    got = getrandom(&value, sizeof(value), 0);
  } while (got < 0 && errno == EINTR);
  TALOSMQ_CHECK(got == static_cast<ssize_t>(sizeof(value))) << "errno=" << errno;
  return value;
}

TopicId NewTopicId(Random& random) {
  std::array<uint8_t, 16> bytes{};
  for (size_t i = 0; i < bytes.size(); i += 8) {
    const uint64_t word = random.Next();
    for (size_t j = 0; j < 8; ++j) bytes[i + j] = static_cast<uint8_t>(word >> (8 * j));
  }
  constexpr uint8_t kVersion4 = 0x40;
  constexpr uint8_t kVariantRfc4122 = 0x80;
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0f) | kVersion4);
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3f) | kVariantRfc4122);
  return TopicId(bytes);
}

}  // namespace talosmq::base
