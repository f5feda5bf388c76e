#pragma once

#include "storage/segment.h"
#include "talosmq/ids.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace talosmq::storage {

/// What is known of a segment without looking at it.
struct ListedSegment {
  Offset base;
  Offset end = {};         ///< Of a compacted one, as its name tells it.
  int64_t created_ms = 0;  ///< When its first batch was appended, by the clock of then.
  int64_t bytes = 0;       ///< Of all its batches; of the last one, when it was listed.
  /// Of the compaction that wrote it; 0: as it was appended.
  uint32_t generation = 0;
};

/// The segments of a log by base offset; a segment ends where the next one begins. Immutable: a
/// roll makes a new list, and readers go on with the one they hold.
class SegmentList {
 public:
  /// Ascending. A list without segments is a log without records.
  explicit SegmentList(std::vector<ListedSegment> segments) : segments_(std::move(segments)) {}

  /// With one more; what was the last segment so far holds `sealed_bytes`.
  std::shared_ptr<const SegmentList> With(const ListedSegment& next, int64_t sealed_bytes) const;
  /// With `merged` in the place of the `count` segments from `first` on, none of them the last.
  std::shared_ptr<const SegmentList> WithMerged(size_t first, size_t count,
                                                const ListedSegment& merged) const;
  /// Without the first `count`.
  std::shared_ptr<const SegmentList> Without(size_t count) const;

  /// Index of the segment that holds `offset`; nothing below the first one.
  std::optional<size_t> Find(Offset offset) const;
  SegmentName name(size_t index) const;
  Offset base(size_t index) const { return segments_[index].base; }
  bool is_last(size_t index) const { return index + 1 == segments_.size(); }
  size_t size() const { return segments_.size(); }
  bool empty() const { return segments_.empty(); }
  std::span<const ListedSegment> all() const { return segments_; }

 private:
  std::vector<ListedSegment> segments_;
};

}  // namespace talosmq::storage
