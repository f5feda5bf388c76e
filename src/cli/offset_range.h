#pragma once

#include "talosmq/consumer.h"
#include "talosmq/ids.h"

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

namespace talosmq::cli {

/// So many records before the end, in each partition.
struct BeforeEnd {
  int64_t records = 0;
};

/// What `consume -O` asks for, of every partition it reads: from `from` on, and when `to` is given
/// only up to it. The range is half-open: `to` is the first that is left out.
struct OffsetRange {
  std::variant<AtStart, AtEnd, Offset, BeforeEnd, absl::Time> from = AtStart{};
  std::variant<std::monostate, Offset, absl::Time> to;
};

/// start | end | N[..N] | -N | @TIME[..@TIME], with times as ParseTime reads them.
absl::StatusOr<OffsetRange> ParseOffsetRange(std::string_view text, absl::Time now);

}  // namespace talosmq::cli
