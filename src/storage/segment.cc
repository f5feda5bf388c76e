#include "storage/segment.h"

#include "base/check.h"
#include "base/text.h"

#include "absl/strings/str_format.h"

#include <charconv>

namespace talosmq::storage {
namespace {

constexpr size_t kOffsetDigits = 20;

template <typename Number>
std::optional<Number> ParseDigits(std::string_view text) {
  Number value = 0;
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string OffsetFileName(Offset offset, std::string_view suffix) {
  TALOSMQ_CHECK(offset.value() >= 0) << "offset " << offset.value();
  return absl::StrFormat("%020d", offset.value()) + std::string(suffix);
}

std::optional<Offset> ParseOffsetFileName(std::string_view name, std::string_view suffix) {
  if (name.size() != kOffsetDigits + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  const auto value = ParseDigits<int64_t>(name.substr(0, kOffsetDigits));
  if (!value) return std::nullopt;
  return Offset(*value);
}

std::string SegmentFileName(const SegmentName& name, std::string_view suffix) {
  if (name.generation == 0) return OffsetFileName(name.base, suffix);
  return base::StrCat(OffsetFileName(name.base, "-"), OffsetFileName(name.end, "-"),
                      absl::StrFormat("%010d", name.generation), suffix);
}

std::optional<SegmentName> ParseSegmentFileName(std::string_view name, std::string_view suffix) {
  if (const auto base = ParseOffsetFileName(name, suffix)) return SegmentName{.base = *base};
  constexpr size_t kOffsetBytes = kOffsetDigits + 1;
  constexpr size_t kGenerationDigits = 10;
  if (name.size() != 2 * kOffsetBytes + kGenerationDigits + suffix.size()) return std::nullopt;
  const auto base = ParseOffsetFileName(name.substr(0, kOffsetBytes), "-");
  const auto end = ParseOffsetFileName(name.substr(kOffsetBytes, kOffsetBytes), "-");
  const auto generation = ParseDigits<uint32_t>(name.substr(2 * kOffsetBytes, kGenerationDigits));
  const bool is_sound = base && end && generation && *base<*end&& * generation> 0;
  if (!is_sound || !name.ends_with(suffix)) return std::nullopt;
  return SegmentName{.base = *base, .end = *end, .generation = *generation};
}

std::string TopicsDirectory(std::string_view data_directory) {
  return base::StrCat(data_directory, "/", kTopicsFolder);
}

std::string LogDirectory(std::string_view data_directory, const TopicPartition& id) {
  return base::StrCat(TopicsDirectory(data_directory), "/", id.ToString());
}

std::optional<PartitionId> ParsePartitionFolder(std::string_view name) {
  const auto value = ParseDigits<int32_t>(name);
  if (!value || std::to_string(*value) != name) return std::nullopt;
  return PartitionId(*value);
}

}  // namespace talosmq::storage
