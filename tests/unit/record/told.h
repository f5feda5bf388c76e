#pragma once

#include "talosmq/error.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <string>
#include <string_view>

namespace talosmq::record {

/// "CorruptBatch: words", so that one comparison shows both the reason and what was said.
inline std::string Told(const absl::Status& status) {
  if (status.ok()) return "OK";
  return std::string(ReasonName(ReasonOf(status))) + ": " + std::string(status.message());
}
template <typename T>
std::string Told(const absl::StatusOr<T>& result) {
  return Told(result.status());
}

}  // namespace talosmq::record
