#include "client/murmur2.h"

#include <bit>
#include <cstring>

namespace talosmq::client {
namespace {

constexpr uint32_t kSeed = 0x9747b28c;
constexpr uint32_t kMix = 0x5bd1e995;
constexpr int kShift = 24;

uint32_t LoadLittleEndian(const std::byte* from) {
  static_assert(std::endian::native == std::endian::little);
  uint32_t value = 0;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

}  // namespace

uint32_t Murmur2(base::ByteSpan bytes) {
  uint32_t hash = kSeed ^ static_cast<uint32_t>(bytes.size());
  while (bytes.size() >= 4) {
    uint32_t word = LoadLittleEndian(bytes.data()) * kMix;
    word ^= word >> kShift;
    hash = (hash * kMix) ^ (word * kMix);
    bytes = bytes.subspan(4);
  }
  if (!bytes.empty()) {
    for (size_t i = 0; i < bytes.size(); ++i) {
      hash ^= std::to_integer<uint32_t>(bytes[i]) << (8 * i);
    }
    hash *= kMix;
  }
  hash ^= hash >> 13;
  hash *= kMix;
  return hash ^ (hash >> 15);
}

int32_t PartitionOfKey(base::ByteSpan key, int32_t partition_count) {
  return static_cast<int32_t>((Murmur2(key) & 0x7fffffff) % static_cast<uint32_t>(partition_count));
}

}  // namespace talosmq::client
