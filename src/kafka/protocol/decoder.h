#pragma once

#include "base/bytes.h"
#include "kafka/protocol/api.h"
#include "kafka/protocol/records.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace talosmq::kafka {

/// How lengths and counts are written.
enum class Encoding {
  kClassic,  ///< As int16 or int32; -1 is null.
  kCompact,  ///< As an unsigned varint of one more; 0 is null. Every struct ends with tags.
};

/// What a decoded list may take in memory for each byte of the frame that it is in. A message nests
/// lists four deep at most, so no frame makes more than four times this.
inline constexpr size_t kDecodedBytesPerByteMax = 40;

/// Takes the fields of one frame off its front; what comes in may be any bytes.
///
/// 1. Nothing beyond the frame is read, and a length or count is believed only as far as the bytes
///    behind it and LimitDecoded() allow, before anything is made of it.
/// 2. The first fault is kept; from then on every field is zero or empty, every list ends, and
///    nothing is read.
///
/// Thread-compatible. Texts view the frame, which has to outlive them. Each field is named by a
/// literal, for the error.
class Decoder {
 public:
  /// `frame` begins behind the size in front of it.
  explicit Decoder(base::ByteSpan frame);

  bool ok() const { return fault_.empty(); }
  /// kInvalidArgument: what is wrong, with field and position; kUnsupportedVersion: see Begin().
  absl::Status status() const;
  /// Of the next byte, in the frame.
  size_t position() const { return static_cast<size_t>(next_ - begin_); }

  /// The lists of a message may take so much memory together; without a limit, as much as the frame
  /// can make of itself.
  void LimitDecoded(size_t bytes) { decoded_bytes_max_ = bytes; }
  /// What its lists have taken so far.
  size_t decoded_bytes() const { return decoded_bytes_; }

  /// What follows is a message of that API. False, and a fault, when the codec does not know the
  /// version.
  bool Begin(const Api& api, int16_t version);

  template <std::signed_integral T>
  T Number(std::string_view field) {
    const std::byte* const from = Take(sizeof(T), field);
    return from == nullptr ? T{0} : base::LoadBigEndian<T>(from);
  }
  /// Any other byte than 0 is true.
  bool Bool(std::string_view field) { return Number<int8_t>(field) != 0; }
  TopicId Uuid(std::string_view field);
  std::string_view String(std::string_view field);
  std::optional<std::string_view> NullableString(std::string_view field);
  /// Always in the classic encoding: the one of a header of either kind.
  std::optional<std::string_view> ClassicNullableString(std::string_view field);
  std::string_view Bytes(std::string_view field);
  std::optional<std::string_view> NullableBytes(std::string_view field);
  /// Of a request: they view the frame.
  void NullableRecords(std::string_view field, std::optional<std::string_view>& records) {
    records = NullableBytes(field);
  }
  /// Of a response: a copy.
  void NullableRecords(std::string_view field, std::optional<Records>& records);

  /// Reads every item of a list by `read(item)`; one takes at least `item_bytes_min` bytes.
  template <typename T, typename Read>
  void List(std::string_view field, size_t item_bytes_min, std::vector<T>& items,
            const Read& read) {
    ReadItems(field, Count(field, item_bytes_min), items, read);
  }
  template <typename T, typename Read>
  void NullableList(std::string_view field, size_t item_bytes_min,
                    std::optional<std::vector<T>>& items, const Read& read) {
    items.reset();
    const std::optional<size_t> count = NullableCount(field, item_bytes_min);
    if (count) ReadItems(field, *count, items.emplace(), read);
  }

  /// Reads the tags that end a struct; `read(tag)` reads the value of one that it knows and returns
  /// true; every other is skipped.
  template <typename Read>
  void Tags(std::string_view owner, const Read& read) {
    int64_t previous = -1;
    for (uint32_t left = TagCount(owner); left > 0 && ok(); --left) {
      const Tag tag = NextTag(owner, previous);
      if (!ok()) return;
      const std::byte* const end = std::exchange(end_, next_ + tag.bytes);
      if (read(tag.number)) {
        ExpectEnd(owner);
      } else {
        next_ = end_;
      }
      end_ = end;
      previous = tag.number;
    }
  }
  void SkipTags(std::string_view owner);

  /// A fault when bytes are left.
  void ExpectEnd(std::string_view what);

 private:
  struct Tag {
    uint32_t number;
    size_t bytes;
  };

  size_t left() const { return static_cast<size_t>(end_ - next_); }
  /// Keeps the fault "FIELD at byte POSITION: WHAT" unless there is one.
  void Fail(std::string_view field, std::string_view what);
  /// The next `bytes` bytes; nullptr, and a fault, when there are fewer.
  const std::byte* Take(size_t bytes, std::string_view field);
  std::string_view TakeText(size_t bytes, std::string_view field);
  uint32_t UnsignedVarint(std::string_view field);
  /// The length of a text, or count of a list, in the encoding of the message; `T`: as classic.
  template <typename T>
  std::optional<size_t> NullableLength(std::string_view field);
  /// A length that was read, of something that cannot be null.
  size_t NotNull(std::optional<size_t> length, std::string_view field);
  size_t Count(std::string_view field, size_t item_bytes_min);
  std::optional<size_t> NullableCount(std::string_view field, size_t item_bytes_min);
  uint32_t TagCount(std::string_view owner);
  Tag NextTag(std::string_view owner, int64_t previous);

  /// Counts what is about to be made; false, and a fault, beyond the limit.
  bool TakeMemory(std::string_view field, size_t bytes);

  template <typename T, typename Read>
  void ReadItems(std::string_view field, size_t count, std::vector<T>& items, const Read& read) {
    if (!TakeMemory(field, count * sizeof(T))) return;
    items.reserve(count);
    for (size_t i = 0; i < count && ok(); ++i) read(items.emplace_back());
  }

  const std::byte* begin_;
  const std::byte* next_;
  const std::byte* end_;
  Encoding encoding_ = Encoding::kClassic;
  size_t decoded_bytes_max_ = SIZE_MAX;
  size_t decoded_bytes_ = 0;
  std::string fault_;
  bool is_version_unknown_ = false;
};

}  // namespace talosmq::kafka
