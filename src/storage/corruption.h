#pragma once

#include "absl/status/status.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace talosmq::storage {

/// A piece of a file that is not what it has to be, for messages and reports.
struct Damage {
  std::string file;
  uint64_t position = 0;
  std::string expected;
  std::string found;
};

/// kCorruptData: "FILE: damaged at position N: expected X, found Y".
absl::Status MakeCorruption(const Damage& damage);

}  // namespace talosmq::storage
