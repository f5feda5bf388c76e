#include "storage/compaction_plan.h"

#include "storage/retention.h"

#include <algorithm>
#include <limits>

namespace talosmq::storage {

std::optional<SegmentRange> PlanCompaction(std::span<const ListedSegment> segments,
                                           const CompactionRules& rules, Offset limit,
                                           absl::Time now) {
  const std::vector<absl::Time> begun = BegunAt(segments, now);
  size_t end = 0;
  while (end + 1 < segments.size() && segments[end + 1].base <= limit &&
         now - begun[end + 1] >= rules.lag_min) {
    ++end;
  }
  const auto compactable = segments.first(end);
  const auto dirty = std::ranges::find(compactable, 0U, &ListedSegment::generation);
  if (dirty == compactable.end()) return std::nullopt;
  int64_t bytes = 0;
  int64_t dirty_bytes = 0;
  for (auto segment = compactable.begin(); segment != compactable.end(); ++segment) {
    bytes += segment->bytes;
    if (segment >= dirty) dirty_bytes += segment->bytes;
  }
  const bool is_much =
      static_cast<double>(dirty_bytes) >= rules.dirty_ratio_min * static_cast<double>(bytes);
  const auto first = static_cast<size_t>(dirty - compactable.begin());
  const bool is_late = now - begun[first] >= rules.lag_max;
  if (!is_much && !is_late) return std::nullopt;
  return SegmentRange{.first = first, .count = end - first};
}

std::vector<SegmentRange> GroupForCompaction(std::span<const ListedSegment> segments, size_t count,
                                             int64_t segment_bytes) {
  constexpr int64_t kOffsetsMax = std::numeric_limits<uint32_t>::max();
  std::vector<SegmentRange> groups;
  int64_t bytes = 0;
  for (size_t i = 0; i < count; ++i) {
    const bool fits = !groups.empty() && bytes + segments[i].bytes <= segment_bytes &&
                      segments[i + 1].base - segments[groups.back().first].base <= kOffsetsMax;
    if (fits) {
      ++groups.back().count;
      bytes += segments[i].bytes;
    } else {
      groups.push_back({.first = i, .count = 1});
      bytes = segments[i].bytes;
    }
  }
  return groups;
}

}  // namespace talosmq::storage
