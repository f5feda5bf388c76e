#pragma once

#include "absl/strings/string_view.h"

#include <concepts>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>

namespace talosmq::base {

using ByteSpan = std::span<const std::byte>;
using MutableByteSpan = std::span<std::byte>;

inline ByteSpan AsBytes(std::string_view text) { return std::as_bytes(std::span(text)); }
inline std::string_view AsText(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Debian's Abseil has a string_view of its own; this is the one place where they meet.
inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view FromAbsl(absl::string_view text) { return {text.data(), text.size()}; }

/// Every number in our files and in a record batch is big-endian.
template <std::integral T>
T LoadBigEndian(const std::byte* from) {
  using Unsigned = std::make_unsigned_t<T>;
  Unsigned value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<Unsigned>((static_cast<uint64_t>(value) << 8) |
                                  std::to_integer<uint64_t>(from[i]));
  }
  return static_cast<T>(value);
}

template <std::integral T>
void StoreBigEndian(std::byte* to, T value) {
  auto rest = static_cast<std::make_unsigned_t<T>>(value);
  for (size_t i = sizeof(T); i-- > 0;) {
    to[i] = static_cast<std::byte>(rest & 0xff);
    rest = static_cast<std::make_unsigned_t<T>>(static_cast<uint64_t>(rest) >> 8);
  }
}

/// A contiguous block of bytes shared by reference count, or a slice of one.
///
/// Invariant: once a second Buffer shares the block, nobody writes it any more; until then the
/// one owner fills it through mutable_bytes(). Thread-compatible; the shared block may be read and
/// released from any thread. The block lives as long as its last slice.
class Buffer {
 public:
  Buffer() = default;

  /// `size` bytes of undefined content.
  static Buffer Allocate(size_t size);
  static Buffer CopyOf(ByteSpan bytes);

  ByteSpan bytes() const { return {data_, size_}; }
  std::string_view text() const { return AsText(bytes()); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  MutableByteSpan mutable_bytes() { return {data_, size_}; }

  /// The same bytes; `companion` stays until their last slice has gone, and goes after them.
  Buffer With(std::shared_ptr<const void> companion) &&;

  /// The bytes [begin, begin + size) of this one, sharing the block. Checked.
  Buffer Slice(size_t begin, size_t size) const;

 private:
  std::shared_ptr<std::byte[]> block_;
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace talosmq::base
