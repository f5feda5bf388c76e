#pragma once

#include "storage/partition_log.h"
#include "storage/segment_list.h"
#include "talosmq/ids.h"

#include "absl/time/time.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace talosmq::storage {

/// A compacted log rolls after so many offsets, so that the keys of any one segment fit in memory.
inline constexpr int64_t kCompactedSegmentOffsetsMax = 1'000'000;

/// Segments of a log by their index in the list: [first, first + count).
struct SegmentRange {
  size_t first = 0;
  size_t count = 0;

  size_t end() const { return first + count; }
  friend bool operator==(const SegmentRange&, const SegmentRange&) = default;
};

/// Pure: the segments whose keys are to be looked at, so that the older ones can lose what these
/// supersede; nothing when it is too early. They follow those that were compacted already.
///
/// A segment may be compacted once it is complete, was completed lag_min ago and ends at or below
/// `limit`. It is time when the bytes of those never compacted are dirty_ratio_min of all that may
/// be, or when the oldest of them was begun lag_max ago. What counts is BegunAt.
std::optional<SegmentRange> PlanCompaction(std::span<const ListedSegment> segments,
                                           const CompactionRules& rules, Offset limit,
                                           absl::Time now);

/// Pure: how the first `count` segments are to be written anew: neighbours together as long as they
/// stay within `segment_bytes` and what an index can express.
std::vector<SegmentRange> GroupForCompaction(std::span<const ListedSegment> segments, size_t count,
                                             int64_t segment_bytes);

}  // namespace talosmq::storage
