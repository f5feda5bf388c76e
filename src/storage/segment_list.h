#pragma once

#include "talosmq/ids.h"

#include <memory>
#include <optional>
#include <vector>

namespace talosmq::storage {

/// The segments of a log by base offset; a segment ends where the next one begins. Immutable: a
/// roll makes a new list, and readers go on with the one they hold.
class SegmentList {
 public:
  /// Ascending. A list without segments is a log without records.
  explicit SegmentList(std::vector<Offset> bases) : bases_(std::move(bases)) {}

  std::shared_ptr<const SegmentList> With(Offset base) const;

  /// Index of the segment that holds `offset`; nothing below the first one.
  std::optional<size_t> Find(Offset offset) const;
  Offset base(size_t index) const { return bases_[index]; }
  bool is_last(size_t index) const { return index + 1 == bases_.size(); }
  size_t size() const { return bases_.size(); }
  bool empty() const { return bases_.empty(); }

 private:
  std::vector<Offset> bases_;
};

}  // namespace talosmq::storage
