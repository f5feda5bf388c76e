#include "storage/pending_index.h"

#include "base/check.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace talosmq::storage {

void PendingIndex::Begin(const IndexedSegment& segment) {
  base::MutexLock lock(mutex_);
  pending_.push_back({.segment = segment, .must_begin = true, .entries = {}});
}

void PendingIndex::Add(const IndexedSegment& segment, const IndexEntry& entry) {
  base::MutexLock lock(mutex_);
  if (pending_.empty() || pending_.back().segment.base != segment.base) {
    pending_.push_back({.segment = segment, .must_begin = false, .entries = {}});
  }
  pending_.back().entries.push_back(entry);
}

std::vector<PendingIndex::SegmentEntries> PendingIndex::Below(Offset end, Offset newest) const {
  std::vector<SegmentEntries> segments;
  base::MutexLock lock(mutex_);
  for (const Pending& pending : pending_) {
    if (pending.segment.base > newest) break;
    SegmentEntries below{.segment = pending.segment, .must_begin = pending.must_begin};
    for (const IndexEntry& entry : pending.entries) {
      if (entry.end_offset > end) break;
      below.entries.push_back(entry);
    }
    if (below.must_begin || !below.entries.empty()) segments.push_back(std::move(below));
  }
  return segments;
}

PendingIndex::Snapshot PendingIndex::Of(Offset segment) const {
  base::MutexLock lock(mutex_);
  const auto pending =
      std::ranges::find(pending_, segment, [](const Pending& of) { return of.segment.base; });
  if (pending == pending_.end()) return {.entries = {}, .drops = drops_};
  return {.entries = {pending->entries.begin(), pending->entries.end()}, .drops = drops_};
}

void PendingIndex::Drop(std::span<const SegmentEntries> written) {
  base::MutexLock lock(mutex_);
  ++drops_;
  for (const SegmentEntries& segment : written) {
    const auto pending = std::ranges::find(pending_, segment.segment.base,
                                           [](const Pending& of) { return of.segment.base; });
    TALOSMQ_CHECK(pending != pending_.end()) << segment.segment.base.value();
    TALOSMQ_CHECK(segment.entries.size() <= pending->entries.size());
    pending->must_begin = false;
    pending->entries.erase(
        pending->entries.begin(),
        pending->entries.begin() + static_cast<ptrdiff_t>(segment.entries.size()));
    if (pending->entries.empty()) pending_.erase(pending);
  }
}

}  // namespace talosmq::storage
