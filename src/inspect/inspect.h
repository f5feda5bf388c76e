#pragma once

#include "inspect/report.h"
#include "io/file_system.h"

#include "absl/status/statusor.h"

#include <string>

namespace talosmq::inspect {

/// How much is listed.
enum class Detail {
  kSegments,
  kBatches,  ///< Also each batch; memory grows with their number.
};

/// `talosmq log inspect`: segments and batches of a log folder or of a whole data directory, by
/// their headers. Reads only and takes no lock. kInvalidArgument when `directory` is neither; what
/// is damaged is a finding, not an error. Blocks on the disk.
absl::StatusOr<Report> InspectDirectory(io::FileSystem& file_system, const std::string& directory,
                                        Detail detail);

/// `talosmq log verify`: the same, and checks everything that is recorded as flushed: chain and CRC
/// of each batch, each record in it, index entries, epoch history, checkpoint and producer
/// snapshots.
absl::StatusOr<Report> VerifyDirectory(io::FileSystem& file_system, const std::string& directory,
                                       Detail detail);

}  // namespace talosmq::inspect
