#pragma once

#include "storage/partition_log.h"
#include "storage/segment_list.h"
#include "talosmq/ids.h"

#include "absl/time/time.h"

#include <span>
#include <vector>

namespace talosmq::storage {

/// Before any segment was written: a clock that shows an earlier time is wrong. 2025-01-01.
inline constexpr absl::Time kEarliestCreation = absl::FromUnixSeconds(1'735'689'600);

/// When each segment was begun, as far as its neighbours and `now` bear it out: where the clock
/// went back between two, the older one counts as no younger than the younger one, and none as
/// younger than `now`; a time before kEarliestCreation says nothing.
std::vector<absl::Time> BegunAt(std::span<const ListedSegment> segments, absl::Time now);

struct RetentionPlan {
  Offset log_start;  ///< Base of the first segment that stays.
  /// Also the last segment has outlived its time: it goes once another one has begun behind it.
  bool must_roll = false;
};

/// Pure: which segments of a log are due to go. Whole segments go, oldest first, the last one
/// never.
///
/// By age, a segment goes `age_max` after it was completed, that is after the next one was created,
/// so that a record is kept for age_max at least, and for age_max and the time its segment took to
/// fill at most; a last segment that is older than age_max must be completed. What counts is when
/// the broker wrote (BegunAt), never the timestamps of records: wrong ones neither keep anything
/// nor delete it. Of a last segment a time before kEarliestCreation says that it must be completed.
///
/// By size, the oldest segment goes as long as bytes_max are left without it.
///
/// With a `now` of InfinitePast nothing goes by age.
///
/// Example, age_max 1 h, now 12:00: segments created at 9:00, 10:00, 11:30
///   -> the first was completed at 10:00 and goes, the second at 11:30 and stays
RetentionPlan PlanRetention(std::span<const ListedSegment> segments, const RetentionLimits& limits,
                            absl::Time now);

}  // namespace talosmq::storage
