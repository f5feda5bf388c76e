#pragma once

#include "inspect/inspect.h"
#include "inspect/report.h"
#include "io/file_system.h"
#include "storage/log_folder.h"
#include "storage/partition_log.h"
#include "talosmq/ids.h"

#include "absl/status/statusor.h"

#include <optional>
#include <span>

namespace talosmq::inspect {

/// What is checked beside the headers.
enum class Depth {
  kHeaders,
  kRecords,  ///< Index entries against the batches, and the records inside.
};

/// Up to where damage is damage: bytes below the position were flushed. Nothing: all of it was.
struct WalkInput {
  io::FileSystem& file_system;
  const storage::LogFolder& folder;
  TopicPartition log;
  Offset segment;
  std::optional<Offset> next_segment;
  std::optional<uint64_t> flushed_position;
  std::span<const storage::EpochEntry> history;
  Detail detail = Detail::kSegments;
  Depth depth = Depth::kHeaders;
};

/// Reads one segment with its index; findings go to `findings`.
absl::StatusOr<SegmentReport> WalkSegment(const WalkInput& input, std::vector<Finding>& findings);

}  // namespace talosmq::inspect
