#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <string>
#include <string_view>

namespace talosmq::cli {

/// A moment as people write it:
///   2026-11-22T21:00:00Z, 2026-11-22T21:00:00.5+02:00   RFC 3339
///   2026-11-22                                          that day's start in UTC
///   1795381200, 1795381200000                           epoch: up to 11 digits s, from 12 on ms
///   -90s, -15m, -1h, -7d, -250ms                        that long before `now`
absl::StatusOr<absl::Time> ParseTime(std::string_view text, absl::Time now);

/// RFC 3339 in UTC with milliseconds: "2026-11-22T21:00:00.000Z".
std::string TimeText(absl::Time time);

}  // namespace talosmq::cli
