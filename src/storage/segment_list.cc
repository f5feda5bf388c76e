#include "storage/segment_list.h"

#include "base/check.h"

#include <algorithm>

namespace talosmq::storage {

std::shared_ptr<const SegmentList> SegmentList::With(Offset base) const {
  TALOSMQ_CHECK(bases_.empty() || bases_.back() < base) << "segment " << base.value();
  std::vector<Offset> bases = bases_;
  bases.push_back(base);
  return std::make_shared<const SegmentList>(std::move(bases));
}

std::optional<size_t> SegmentList::Find(Offset offset) const {
  const auto after = std::upper_bound(bases_.begin(), bases_.end(), offset);
  if (after == bases_.begin()) return std::nullopt;
  return static_cast<size_t>(after - bases_.begin()) - 1;
}

}  // namespace talosmq::storage
