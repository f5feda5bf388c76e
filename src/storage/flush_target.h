#pragma once

#include "base/bytes.h"
#include "storage/log_files.h"
#include "storage/partition_log.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace talosmq::storage {

/// Batches that follow one another in one segment.
struct SegmentWrite {
  Offset segment;
  uint64_t position = 0;
  std::vector<base::Buffer> batches;
};

/// What one log wants durable in one flush group, in its order.
struct LogWrite {
  std::shared_ptr<LogFiles> files;
  std::vector<EpochEntry> epochs;      ///< Durable before the batches are written.
  std::vector<SegmentWrite> segments;  ///< More than one when the log has rolled.
  /// Filled in by the target. kStorageFull only when no byte of the batches is in the files.
  absl::Status status;
};

/// Makes the writes of a flush group durable. The seam between what is to be durable and where the
/// bytes go: straight into the segment files (DirectFlush), or into a shared journal first.
/// Confined to the flush executor.
class FlushTarget {
 public:
  virtual ~FlushTarget() = default;
  /// Sets the status of each write: OK means that its bytes survive a power cut. What failed is
  /// never tried again; a failure that cannot be traced to one log is the status of all of them.
  virtual void MakeDurable(std::span<LogWrite> group) = 0;
  /// Lets go of what it holds open for a log that is being closed.
  virtual void Release(LogFiles& files) = 0;
};

}  // namespace talosmq::storage
