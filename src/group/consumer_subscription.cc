#include "group/consumer_subscription.h"

#include "base/bytes.h"

#include <cstddef>
#include <cstdint>

namespace talosmq::group {
namespace {

/// Takes a number off the front; nothing when there are too few bytes.
template <typename Number>
std::optional<Number> Take(std::string_view& bytes) {
  if (bytes.size() < sizeof(Number)) return std::nullopt;
  const auto number = base::LoadBigEndian<Number>(base::AsBytes(bytes).data());
  bytes.remove_prefix(sizeof(Number));
  return number;
}

}  // namespace

std::optional<std::set<std::string>> TopicsOfConsumer(std::string_view metadata) {
  const auto version = Take<int16_t>(metadata);
  const auto count = Take<int32_t>(metadata);
  if (!version || *version < 0 || !count || *count < 0) return std::nullopt;
  std::set<std::string> topics;
  for (int32_t i = 0; i < *count; ++i) {
    const auto size = Take<int16_t>(metadata);
    if (!size || *size < 0 || static_cast<size_t>(*size) > metadata.size()) return std::nullopt;
    topics.emplace(metadata.substr(0, static_cast<size_t>(*size)));
    metadata.remove_prefix(static_cast<size_t>(*size));
  }
  return topics;
}

}  // namespace talosmq::group
