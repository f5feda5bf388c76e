#pragma once

#include "absl/status/statusor.h"

#include <cstdint>
#include <string_view>

namespace talosmq::cli {

/// A number of bytes as people write it: "100", "100B", decimal units ("1KB" is 1,000) and binary
/// ones ("1KiB" is 1,024) up to GB and GiB. Whole numbers only; not negative.
absl::StatusOr<int64_t> ParseByteSize(std::string_view text);

}  // namespace talosmq::cli
