#pragma once

#include "io/file_system.h"
#include "storage/log_folder.h"
#include "storage/recovery_plan.h"
#include "storage/tail_scan.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>

namespace talosmq::storage {

struct RepairedTail {
  int64_t kept_bytes = 0;  ///< Of whole batches above the flushed point.
  int64_t cut_bytes = 0;   ///< Behind the end of the log.
};

/// Makes true on the disk what the scan has found: a segment is cut where its batches end, and what
/// lies above the flushed point is written again in place and synced with the folder. A segment of
/// which nothing is known to be flushed may have a name that is not durable, so it has its folder
/// synced too. Changes nothing when nothing lies above.
absl::StatusOr<RepairedTail> RepairTail(io::FileSystem& file_system, const LogFolder& folder,
                                        const RecoveryPlan& plan, const TailScan& scan);

/// Leaves the first `size` bytes of a segment's index, if it is there and larger.
absl::Status CutIndex(io::FileSystem& file_system, const LogFolder& folder, Offset segment,
                      uint64_t size);

/// The same, as a new file in the place of the old one.
absl::Status RewriteIndex(io::FileSystem& file_system, const LogFolder& folder, Offset segment,
                          uint64_t size);

}  // namespace talosmq::storage
