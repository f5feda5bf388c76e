#pragma once

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
  int64_t created_ms = 0;  ///< When its first batch was appended, by the clock of then.
  int64_t bytes = 0;       ///< Of all its batches; of the last one, when it was listed.
};

/// The segments of a log by base offset; a segment ends where the next one begins. Immutable: a
/// roll makes a new list, and readers go on with the one they hold.
class SegmentList {
 public:
  /// Ascending. A list without segments is a log without records.
  explicit SegmentList(std::vector<ListedSegment> segments) : segments_(std::move(segments)) {}

  /// With one more; what was the last segment so far holds `sealed_bytes`.
  std::shared_ptr<const SegmentList> With(const ListedSegment& next, int64_t sealed_bytes) const;
  /// Without the first `count`.
  std::shared_ptr<const SegmentList> Without(size_t count) const;

  /// Index of the segment that holds `offset`; nothing below the first one.
  std::optional<size_t> Find(Offset offset) const;
  Offset base(size_t index) const { return segments_[index].base; }
  bool is_last(size_t index) const { return index + 1 == segments_.size(); }
  size_t size() const { return segments_.size(); }
  bool empty() const { return segments_.empty(); }
  std::span<const ListedSegment> all() const { return segments_; }

 private:
  std::vector<ListedSegment> segments_;
};

}  // namespace talosmq::storage
