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

using LogPlace = std::variant<AtStart, AtEnd, Offset, BeforeEnd, absl::Time>;

/// What `consume -O` asks for, of every partition it reads: from `from` on, and when `to` is given
/// only up to it. The range is half-open: `to` is the first that is left out.
struct OffsetRange {
  LogPlace from = AtStart{};
  std::optional<LogPlace> to;
};

/// PLACE | PLACE.. | ..PLACE | PLACE..PLACE, where a PLACE is start, end, N, -N (the last N) or
/// @TIME as ParseTime reads it. A range that can hold nothing is refused.
absl::StatusOr<OffsetRange> ParseOffsetRange(std::string_view text, absl::Time now);

/// A single PLACE that holds for any log: start, end, N or @TIME.
absl::StatusOr<Position> ParsePosition(std::string_view text, absl::Time now);

}  // namespace talosmq::cli
