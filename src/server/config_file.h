#pragma once

#include "server/config.h"

#include "absl/status/statusor.h"

#include <string_view>
#include <vector>

namespace talosmq::server {

inline constexpr size_t kConfigFileBytesMax = size_t{1} << 20;

/// Reads YAML: a map of settings, nested or with dots in the keys; a list of words is the same as
/// the words with commas. `name` is what messages call the file. kInvalidConfig, naming the line,
/// for what is no YAML, no such map, or says a key twice. Any bytes are fine.
absl::StatusOr<std::vector<ConfigEntry>> ParseConfigFile(std::string_view text,
                                                         std::string_view name);

}  // namespace talosmq::server
