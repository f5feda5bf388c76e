#pragma once

#include "base/bytes.h"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace talosmq::base {

// Variable-length integers as Kafka and protobuf have them: 7 bits a byte, low group first;
// signed ones zig-zag first (0, -1, 1, -2 become 0, 1, 2, 3).

inline constexpr size_t kVarint32BytesMax = 5;
inline constexpr size_t kVarint64BytesMax = 10;

constexpr uint64_t ZigZag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
constexpr int64_t UnZigZag(uint64_t value) {
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

/// Bytes that PutVarint writes for `value`.
constexpr size_t VarintBytes(int64_t value) {
  uint64_t rest = ZigZag(value);
  size_t bytes = 1;
  while (rest >= 0x80) {
    rest >>= 7;
    ++bytes;
  }
  return bytes;
}

/// Writes zig-zag `value`, at most kVarint64BytesMax bytes; returns one past the last.
inline std::byte* PutVarint(std::byte* to, int64_t value) {
  uint64_t rest = ZigZag(value);
  while (rest >= 0x80) {
    *to++ = static_cast<std::byte>(rest | 0x80);
    rest >>= 7;
  }
  *to++ = static_cast<std::byte>(rest);
  return to;
}

/// Takes a zig-zag varint off the front of `bytes`; nothing, with `bytes` untouched, when it is
/// cut off or longer than its type allows.
inline std::optional<int64_t> TakeVarint64(ByteSpan& bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes.size() && i < kVarint64BytesMax; ++i) {
    const auto byte = std::to_integer<uint64_t>(bytes[i]);
    if (i == kVarint64BytesMax - 1 && byte > 1) return std::nullopt;
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      bytes = bytes.subspan(i + 1);
      return UnZigZag(value);
    }
  }
  return std::nullopt;
}

inline std::optional<int32_t> TakeVarint32(ByteSpan& bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes.size() && i < kVarint32BytesMax; ++i) {
    const auto byte = std::to_integer<uint64_t>(bytes[i]);
    if (i == kVarint32BytesMax - 1 && byte > 0x0f) return std::nullopt;
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      bytes = bytes.subspan(i + 1);
      return static_cast<int32_t>(UnZigZag(value));
    }
  }
  return std::nullopt;
}

}  // namespace talosmq::base
