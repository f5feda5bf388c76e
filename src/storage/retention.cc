#include "storage/retention.h"

#include "base/check.h"

#include <algorithm>

namespace talosmq::storage {
namespace {

/// How many of the oldest segments were completed longer than `age_max` ago.
size_t CountExpired(std::span<const ListedSegment> segments, absl::Duration age_max,
                    absl::Time now) {
  const std::vector<absl::Time> begun = BegunAt(segments, now);
  size_t expired = 0;
  while (expired + 1 < segments.size() && now - begun[expired + 1] >= age_max) ++expired;
  return expired;
}

size_t CountSurplus(std::span<const ListedSegment> segments, int64_t bytes_max) {
  int64_t left = 0;
  for (const ListedSegment& segment : segments) left += segment.bytes;
  size_t surplus = 0;
  while (surplus + 1 < segments.size() && left - segments[surplus].bytes >= bytes_max) {
    left -= segments[surplus++].bytes;
  }
  return surplus;
}

}  // namespace

std::vector<absl::Time> BegunAt(std::span<const ListedSegment> segments, absl::Time now) {
  std::vector<absl::Time> begun(segments.size());
  absl::Time next = now;
  for (size_t i = segments.size(); i-- > 0;) {
    const absl::Time created = absl::FromUnixMillis(segments[i].created_ms);
    if (created >= kEarliestCreation) next = std::min(next, created);
    begun[i] = next;
  }
  return begun;
}

RetentionPlan PlanRetention(std::span<const ListedSegment> segments, const RetentionLimits& limits,
                            absl::Time now) {
  TALOSMQ_CHECK(!segments.empty());
  size_t going = 0;
  if (limits.age_max) going = CountExpired(segments, *limits.age_max, now);
  if (limits.bytes_max) going = std::max(going, CountSurplus(segments, *limits.bytes_max));
  const ListedSegment& last = segments.back();
  const bool is_last_old =
      limits.age_max && now - absl::FromUnixMillis(last.created_ms) >= *limits.age_max;
  return {.log_start = segments[going].base, .must_roll = last.bytes > 0 && is_last_old};
}

}  // namespace talosmq::storage
