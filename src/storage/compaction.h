#pragma once

#include "base/random.h"
#include "io/file_system.h"
#include "storage/compaction_plan.h"
#include "storage/disk_reserve.h"
#include "storage/log_reader.h"
#include "storage/producer_table.h"
#include "storage/segment_list.h"

#include "absl/status/status.h"
#include "absl/time/time.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace talosmq::storage {

/// What is to be compacted, and by which rules.
struct CompactionInput {
  LogSource source;
  /// Whose keys are looked at; everything up to its end is written anew.
  SegmentRange dirty;
  absl::Time now;
  absl::Duration tombstone_age_min;
  int64_t segment_bytes = 0;
  uint32_t generation = 0;  ///< Of the first segment that is written; the next ones count on.
  /// Whose last batches are to be found by a recovery; all others are forgotten.
  std::vector<ProducerState> producers;
};

/// Some segments and the one that now stands in their place on the disk. The old files are still
/// there: whoever reads them may go on.
struct CompactedGroup {
  SegmentRange range;  ///< In the list of the source.
  ListedSegment merged;
};

/// Rewrites segments of a log so that of each key the last record is left, and every record keeps
/// its offset. Blocks on the disk.
///
/// In a first pass the last offset of each key of the dirty segments is taken down, as many
/// segments as hold at most keys_max keys; in a second one the segments up to there are copied
/// without what these supersede. A tombstone gets a delete horizon when it is first copied and goes
/// once that has passed; older records of its key went in the same pass. Records without a key and
/// batches whose inside cannot be read stay. A batch that loses all records goes, but for the last
/// one of a segment and the last five of a producer: their headers stay. Batches of a producer that
/// is forgotten lose its id: what is left of them must not be taken for its last ones.
///
/// A group of segments comes into being as a temporary file, synced, with its index; the rename of
/// the file to a name that tells its offsets puts it in the place of the old ones, all at once and
/// across crashes (see segment.h). `on_group` hears of each, in order. Ends early, without error,
/// when files->is_closing says so, and with kStorageFull when the disk has no room. An error leaves
/// what was not replaced as it was; damage in a segment is kCorruptData, and nothing of that group
/// is replaced.
class Compaction {
 public:
  struct Dependencies {
    io::FileSystem& file_system;
    LogReader& reader;
    const DiskReserve& reserve;
    base::Random& random;
    size_t keys_max = 0;  ///< KeyOffsets::kBytesPerKey each.
  };

  explicit Compaction(Dependencies dependencies) : dependencies_(dependencies) {}

  absl::Status Run(const CompactionInput& input,
                   const std::function<void(const CompactedGroup&)>& on_group);

 private:
  absl::Status Rewrite(const CompactionInput& input,
                       const std::function<void(const CompactedGroup&)>& on_group);

  const Dependencies dependencies_;
};

}  // namespace talosmq::storage
