#pragma once

#include "absl/status/statusor.h"

#include <string>
#include <string_view>

namespace talosmq::cli {

struct KeyValue {
  std::string key;
  std::string value;
};

/// "key=value", split at the first '='. The key must not be empty, the value may be.
absl::StatusOr<KeyValue> ParseKeyValue(std::string_view text);

}  // namespace talosmq::cli
