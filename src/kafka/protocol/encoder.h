#pragma once

#include "base/bytes.h"
#include "base/check.h"
#include "kafka/protocol/api.h"
#include "kafka/protocol/decoder.h"
#include "kafka/protocol/records.h"
#include "talosmq/ids.h"

#include "absl/status/statusor.h"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::kafka {

/// Bytes to send one after another, and their sum.
struct EncodedFrame {
  std::vector<base::Buffer> pieces;
  size_t bytes = 0;
  size_t held_bytes = 0;  ///< With the part of their block that is not sent.
};

/// Writes one frame: its size, then header and message.
///
/// 1. Numbers and texts go into one growing block; records stay where they are and stand between
///    slices of that block, so that a gather write sends all of it.
/// 2. What does not fit into its length field is kept as a fault, which Take() tells; what follows
///    it is not to be sent.
///
/// Thread-compatible.
class Encoder {
 public:
  Encoder();

  /// What follows is a message of that API; the version is one that it has.
  void Begin(const Api& api, int16_t version);
  /// The frame, once all of it is written: kInternal when a text, a list or all together is longer
  /// than the format can say.
  absl::StatusOr<EncodedFrame> Take() &&;

  template <std::signed_integral T>
  void Number(T value) {
    base::StoreBigEndian(Extend(sizeof(T)), value);
  }
  void Bool(bool value) { Number(static_cast<int8_t>(value)); }
  void Uuid(const TopicId& value);
  void String(std::string_view value);
  template <typename Text>
  void NullableString(const std::optional<Text>& value) {
    value ? String(*value) : Null<int16_t>();
  }
  /// Always in the classic encoding: the one of a header of either kind.
  void ClassicNullableString(const std::optional<std::string_view>& value);
  void Bytes(std::string_view value);
  template <typename Text>
  void NullableBytes(const std::optional<Text>& value) {
    value ? Bytes(*value) : Null<int32_t>();
  }
  /// Copies: the records of a request.
  void NullableRecords(const std::optional<std::string_view>& value) { NullableBytes(value); }
  /// Shares their buffers. Not within a tag.
  void NullableRecords(const std::optional<Records>& value);

  /// Writes every item by `write(item)`.
  template <typename T, typename Write>
  void List(const std::vector<T>& items, const Write& write) {
    Length<int32_t>(items.size());
    for (const T& item : items) write(item);
  }
  template <typename T, typename Write>
  void NullableList(const std::optional<std::vector<T>>& items, const Write& write) {
    items ? List(*items, write) : Null<int32_t>();
  }

  /// A struct ends with the number of its tags, then these by ascending number.
  void NoTags() { TagCount(0); }
  void TagCount(uint32_t count) { UnsignedVarint(count); }
  template <typename Write>
  void Tag(uint32_t number, const Write& write) {
    UnsignedVarint(number);
    const size_t begin = size_;
    const size_t records_before = records_.size();
    write();
    TALOSMQ_CHECK(records_.size() == records_before) << "records within tag " << number;
    InsertSize(begin);
  }

  /// The value of a field that cannot be null in the version that is written.
  template <typename T>
  static const T& NotNull(const std::optional<T>& value, std::string_view field) {
    TALOSMQ_CHECK(value.has_value()) << field;
    return *value;
  }
  /// A field that the version lacks has its default, or something would be lost unseen. Checked
  /// without NDEBUG only: a forgotten version of one answer is no reason to end a server.
  static void CheckLeftOut([[maybe_unused]] bool is_default,
                           [[maybe_unused]] std::string_view field) {
#ifndef NDEBUG
    if (!is_default) base::CheckFailure(__FILE__, __LINE__, "is_default").stream() << field;
#endif
  }

 private:
  /// Records that stand before byte `position` of the block.
  struct Insertion {
    size_t position;
    base::Buffer bytes;
  };

  /// Room for `bytes` more bytes of the block.
  std::byte* Extend(size_t bytes);
  void Append(std::string_view bytes);
  void UnsignedVarint(uint32_t value);
  /// Puts the number of the bytes from `begin` on before them.
  void InsertSize(size_t begin);
  /// Of a text or list, in the encoding of the message; `T`: as classic.
  template <typename T>
  void Length(size_t length);
  template <typename T>
  void Null();

  base::Buffer block_;
  size_t size_ = 0;  ///< Bytes of the block that are written.
  std::vector<Insertion> records_;
  Encoding encoding_ = Encoding::kClassic;
  std::string fault_;
};

extern template void Encoder::Length<int16_t>(size_t length);
extern template void Encoder::Length<int32_t>(size_t length);
extern template void Encoder::Null<int16_t>();
extern template void Encoder::Null<int32_t>();

}  // namespace talosmq::kafka
