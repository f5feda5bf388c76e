#pragma once

#include "talosmq/error.h"

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

/// Damage of what was durable, and the offsets that cannot be read because of it.
struct Corruption {
  Damage damage;
  CorruptRange hidden;
};

/// The same, followed by "; offsets A to B cannot be read, the next readable one is C", and with
/// the range for CorruptRangeOf.
absl::Status MakeCorruption(const Corruption& corruption);
/// A corruption that was told of `damage` hides these offsets.
absl::Status HideOffsets(const absl::Status& damage, const CorruptRange& hidden);

}  // namespace talosmq::storage
