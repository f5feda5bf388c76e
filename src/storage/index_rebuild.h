#pragma once

#include "io/file_system.h"
#include "storage/corruption.h"
#include "storage/partition_log.h"
#include "storage/segment_index.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace talosmq::storage {

/// What makes the index of a segment again.
struct IndexRebuild {
  SegmentIdentity segment;
  std::string directory;    ///< Of the log.
  Offset end;               ///< Where the next segment begins.
  uint32_t generation = 0;  ///< As in SegmentName.
  std::span<const EpochEntry> history;
  int64_t created_ms = 0;  ///< For the header of the new index.
};

struct RebuiltIndex {
  std::vector<IndexEntry> entries;
  std::vector<Corruption> damages;  ///< Of the segment; left out as holes between entries.
  absl::Status stored;  ///< Of the new file; what was found in the segment holds anyway.
};

/// Reads a segment that is no longer written and puts a new index in the place of its old one.
/// Damage in the segment is data, not an error, and so is an index that cannot be written. Blocks
/// on the disk.
absl::StatusOr<RebuiltIndex> RebuildIndex(io::FileSystem& file_system, const IndexRebuild& rebuild);

}  // namespace talosmq::storage
