#include "storage/segment_list.h"

#include "base/check.h"

#include <algorithm>

namespace talosmq::storage {

std::shared_ptr<const SegmentList> SegmentList::With(const ListedSegment& next,
                                                     int64_t sealed_bytes) const {
  std::vector<ListedSegment> segments = segments_;
  if (!segments.empty()) {
    TALOSMQ_CHECK(segments.back().base < next.base) << "segment " << next.base.value();
    segments.back().bytes = sealed_bytes;
  }
  segments.push_back(next);
  return std::make_shared<const SegmentList>(std::move(segments));
}

std::shared_ptr<const SegmentList> SegmentList::WithMerged(size_t first, size_t count,
                                                           const ListedSegment& merged) const {
  TALOSMQ_CHECK(first + count < segments_.size()) << "the newest segment stays";
  std::vector<ListedSegment> segments = segments_;
  const auto begin = segments.begin() + static_cast<ptrdiff_t>(first);
  *begin = merged;
  segments.erase(begin + 1, begin + static_cast<ptrdiff_t>(count));
  return std::make_shared<const SegmentList>(std::move(segments));
}

std::shared_ptr<const SegmentList> SegmentList::Without(size_t count) const {
  TALOSMQ_CHECK(count < segments_.size()) << "the newest segment stays";
  return std::make_shared<const SegmentList>(std::vector<ListedSegment>(
      segments_.begin() + static_cast<ptrdiff_t>(count), segments_.end()));
}

SegmentName SegmentList::name(size_t index) const {
  const ListedSegment& segment = segments_[index];
  if (segment.generation == 0) return {.base = segment.base};
  return {.base = segment.base, .end = segment.end, .generation = segment.generation};
}

std::optional<size_t> SegmentList::Find(Offset offset) const {
  const auto after = std::ranges::upper_bound(segments_, offset, {}, &ListedSegment::base);
  if (after == segments_.begin()) return std::nullopt;
  return static_cast<size_t>(after - segments_.begin()) - 1;
}

}  // namespace talosmq::storage
