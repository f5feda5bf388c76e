#include "talosmq/ids.h"

#include "base/text.h"

#include "absl/strings/numbers.h"

#include <cstdint>
#include <cstring>

namespace talosmq {
namespace {

/// Where the dashes stand in the text of a UUID.
constexpr bool IsDash(size_t position) {
  return position == 8 || position == 13 || position == 18 || position == 23;
}
constexpr size_t kTextLength = 36;

std::optional<uint8_t> HexDigit(char c) {
  if (c >= '0' && c <= '9') return static_cast<uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<uint8_t>(c - 'a' + 10);
  return std::nullopt;
}

}  // namespace

std::optional<TopicId> TopicId::FromBytes(std::string_view bytes) {
  std::array<uint8_t, 16> raw{};
  if (bytes.size() != raw.size()) return std::nullopt;
  std::memcpy(raw.data(), bytes.data(), raw.size());
  return TopicId(raw);
}

std::optional<TopicId> TopicId::Parse(std::string_view text) {
  if (text.size() != kTextLength) return std::nullopt;
  std::array<uint8_t, 16> raw{};
  size_t digits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsDash(i)) {
      if (text[i] != '-') return std::nullopt;
      continue;
    }
    const std::optional<uint8_t> digit = HexDigit(text[i]);
    if (!digit) return std::nullopt;
    raw[digits / 2] = static_cast<uint8_t>(raw[digits / 2] << 4 | *digit);
    ++digits;
  }
  return TopicId(raw);
}

std::string TopicId::ToString() const {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  text.reserve(kTextLength);
  for (const uint8_t byte : bytes_) {
    if (IsDash(text.size())) text.push_back('-');
    text.push_back(kHex[byte >> 4]);
    text.push_back(kHex[byte & 0x0f]);
  }
  return text;
}

std::string_view TopicId::bytes() const {
  return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
}

std::string TopicPartition::ToString() const {
  return base::StrCat(topic_id.ToString(), "/", partition.value());
}

std::optional<TopicPartition> TopicPartition::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::optional<TopicId> topic_id = TopicId::Parse(text.substr(0, slash));
  int32_t partition = 0;
  if (!topic_id || !absl::SimpleAtoi(base::ToAbsl(text.substr(slash + 1)), &partition)) {
    return std::nullopt;
  }
  const TopicPartition parsed{.topic_id = *topic_id, .partition = PartitionId(partition)};
  if (partition < 0 || parsed.ToString() != text) return std::nullopt;
  return parsed;
}

}  // namespace talosmq
