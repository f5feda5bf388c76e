#pragma once

#include "base/mutex.h"
#include "storage/segment_index.h"
#include "talosmq/ids.h"

#include <cstddef>
#include <deque>
#include <vector>

namespace talosmq::storage {

/// The index entries of one log that are not known to be in an index file yet, oldest first.
///
/// The shard adds at an append, the checkpoint takes out what it has made durable, readers look
/// up what their file does not hold. Bounded by what one log writes between two checkpoints.
/// Thread-safe. Crash: lost; recovery makes the entries again from the segment.
class PendingIndex {
 public:
  void Add(Offset segment, const IndexEntry& entry);

  struct SegmentEntries {
    Offset segment;
    std::vector<IndexEntry> entries;
  };
  /// All entries of runs that end at or below `end`, by segment.
  std::vector<SegmentEntries> Below(Offset end) const;
  /// All entries of one segment.
  std::vector<IndexEntry> Of(Offset segment) const;
  /// Takes the oldest `count` out.
  void Drop(size_t count);

 private:
  struct Pending {
    Offset segment;
    IndexEntry entry;
  };

  mutable base::Mutex mutex_;
  std::deque<Pending> pending_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talosmq::storage
