#pragma once

#include "absl/status/status.h"

#include <string_view>

namespace talosmq::metadata {

inline constexpr size_t kTopicNameBytesMax = 249;

/// OK for 1 to 249 of letters, digits, '.', '_' and '-', but not "." or ".."; else
/// kInvalidTopicName, saying what is wrong. Names that begin with "__" pass: see IsInternalName.
absl::Status CheckTopicName(std::string_view name);

/// Names that begin with "__" are the system's own.
bool IsInternalName(std::string_view name);

}  // namespace talosmq::metadata
