#pragma once

#include "absl/status/status.h"

#include <cstddef>
#include <string_view>

namespace talosmq::metadata {

inline constexpr size_t kUserNameBytesMax = 128;

/// kInvalidArgument unless it has 1 to 128 letters, digits, '.', '_', '-' and '@': what SASLprep
/// (RFC 4013) leaves as it is, and what needs no escape in a key or a SCRAM message.
absl::Status CheckUserName(std::string_view name);

}  // namespace talosmq::metadata
