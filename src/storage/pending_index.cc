#include "storage/pending_index.h"

#include "base/check.h"

namespace talosmq::storage {

void PendingIndex::Add(Offset segment, const IndexEntry& entry) {
  base::MutexLock lock(mutex_);
  pending_.push_back({.segment = segment, .entry = entry});
}

std::vector<PendingIndex::SegmentEntries> PendingIndex::Below(Offset end) const {
  std::vector<SegmentEntries> segments;
  base::MutexLock lock(mutex_);
  for (const Pending& pending : pending_) {
    if (pending.entry.end_offset > end) break;
    if (segments.empty() || segments.back().segment != pending.segment) {
      segments.push_back({.segment = pending.segment, .entries = {}});
    }
    segments.back().entries.push_back(pending.entry);
  }
  return segments;
}

std::vector<IndexEntry> PendingIndex::Of(Offset segment) const {
  std::vector<IndexEntry> entries;
  base::MutexLock lock(mutex_);
  for (const Pending& pending : pending_) {
    if (pending.segment == segment) entries.push_back(pending.entry);
  }
  return entries;
}

void PendingIndex::Drop(size_t count) {
  base::MutexLock lock(mutex_);
  TALOSMQ_CHECK(count <= pending_.size()) << count << " of " << pending_.size();
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<ptrdiff_t>(count));
}

}  // namespace talosmq::storage
