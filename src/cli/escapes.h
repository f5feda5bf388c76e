#pragma once

#include "absl/status/statusor.h"

#include <string>
#include <string_view>

namespace talosmq::cli {

/// Turns \n, \t and \\ into the characters they stand for; any other use of a backslash is refused.
absl::StatusOr<std::string> Unescape(std::string_view text);

}  // namespace talosmq::cli
