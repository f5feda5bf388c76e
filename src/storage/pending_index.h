#pragma once

#include "base/mutex.h"
#include "storage/segment_index.h"
#include "talosmq/ids.h"

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

namespace talosmq::storage {

/// Whose index something is for.
struct IndexedSegment {
  Offset base;
  int64_t created_ms = 0;  ///< For the header of the index.
};

/// What is not known to be in the index files of one log yet: entries, and the headers of segments
/// without any, which say how old these are. Oldest first.
///
/// The shard adds at an append, the checkpoint takes out what it has made durable, readers look
/// up what their file does not hold. Bounded by what one log writes between two checkpoints.
/// Thread-safe. Crash: lost; recovery makes the entries again from the segment, and a segment
/// without a header counts as created when it was recovered.
class PendingIndex {
 public:
  /// The segment has no index file, or one whose header is not known to be on the disk.
  void Begin(const IndexedSegment& segment);
  void Add(const IndexedSegment& segment, const IndexEntry& entry);

  struct SegmentEntries {
    IndexedSegment segment;
    bool must_begin = false;  ///< With its header, and the name of its file.
    std::vector<IndexEntry> entries = {};
  };
  /// Segments at or below `newest` that lack something in their files, with the entries of runs
  /// that end at or below `end`.
  std::vector<SegmentEntries> Below(Offset end, Offset newest) const;
  struct Snapshot {
    std::vector<IndexEntry> entries;
    /// How often something was taken out: what a reader found in an index file is all of it as
    /// long as this stays the same.
    uint64_t drops = 0;
  };
  /// All entries of one segment.
  Snapshot Of(Offset segment) const;
  /// Takes out what Below gave.
  void Drop(std::span<const SegmentEntries> written);

 private:
  struct Pending {
    IndexedSegment segment;
    bool must_begin = false;
    std::deque<IndexEntry> entries;
  };

  mutable base::Mutex mutex_;
  uint64_t drops_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<Pending> pending_ ABSL_GUARDED_BY(mutex_);  ///< Ascending by segment.
};

}  // namespace talosmq::storage
