#include "storage/recovery_plan.h"

#include "base/check.h"

namespace talosmq::storage {

RecoveryPlan PlanRecovery(std::span<const SegmentFacts> segments,
                          const std::optional<FlushedPoint>& recorded) {
  TALOSMQ_CHECK(!segments.empty());
  RecoveryPlan plan;
  const bool is_recorded = recorded && recorded->is_known();
  const Offset first = segments.front().base;
  plan.flushed = is_recorded
                     ? *recorded
                     : FlushedPoint{.log_start = first, .end_offset = first, .segment = first};
  plan.is_careful = !is_recorded && (recorded.has_value() || segments.size() > 1);
  for (const SegmentFacts& segment : segments) {
    const bool has_entries = segment.indexed_position > 0;
    if (!has_entries || segment.indexed_end <= plan.flushed.end_offset) continue;
    plan.flushed.end_offset = segment.indexed_end;
    plan.flushed.segment = segment.base;
    plan.flushed.position = segment.indexed_position;
  }
  while (plan.first_segment < segments.size() &&
         segments[plan.first_segment].base < plan.flushed.segment) {
    ++plan.first_segment;
  }
  plan.is_segment_missing = plan.first_segment == segments.size() ||
                            segments[plan.first_segment].base != plan.flushed.segment;
  if (plan.first_segment == segments.size()) {
    plan.first_offset = plan.flushed.end_offset;
    return plan;
  }
  plan.first_offset = segments[plan.first_segment].indexed_end;
  plan.first_position = segments[plan.first_segment].indexed_position;
  return plan;
}

StopKind JudgeStop(const RecoveryPlan& plan, const ScanStop& stop) {
  if (stop.next_segment && *stop.next_segment <= stop.offset) return StopKind::kSegmentEnd;
  const bool is_below =
      stop.segment < plan.flushed.segment ||
      (stop.segment == plan.flushed.segment && stop.position < plan.flushed.position);
  if (is_below) return StopKind::kCorruption;
  if (stop.next_segment || stop.is_unreadable) return StopKind::kCorruption;
  return stop.is_file_end ? StopKind::kLogEnd : StopKind::kUnclear;
}

}  // namespace talosmq::storage
