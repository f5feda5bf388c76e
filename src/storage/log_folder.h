#pragma once

#include "io/file_system.h"
#include "storage/batch_chain.h"
#include "storage/segment.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::storage {

/// The names in the folder of one log, sorted by kind. A plain value.
struct LogFolder {
  std::string directory;
  bool exists = false;
  std::vector<Offset> segments;  ///< Ascending, as all of them.
  std::vector<Offset> indexes;
  std::map<Offset, SegmentName> compacted;  ///< Of the segments those that compaction wrote.
  std::vector<Offset> snapshots;
  bool has_epochs = false;
  /// Left by a write that did not finish, or in whose place a compacted segment stands.
  std::vector<std::string> leftovers;
  std::vector<std::string> foreign;  ///< Names that are none of ours; never touched.

  std::string Path(Offset offset, std::string_view suffix) const;
  SegmentName NameOf(Offset segment) const;
  Density DensityOf(Offset segment) const;
  std::string EpochPath() const;
  bool HasIndex(Offset segment) const;
};

/// A folder that is not there is no error. A compacted segment of a higher generation hides every
/// other segment with a base within its offsets.
absl::StatusOr<LogFolder> ListLogFolder(io::FileSystem& file_system, std::string directory);

/// Removes a segment with its index; either may be gone already.
absl::Status RemoveSegment(io::FileSystem& file_system, const std::string& directory,
                           const SegmentName& segment);

/// Removes the folder with all files in it, and its parent once that is empty. A folder that is
/// not there is fine.
absl::Status RemoveLogFolder(io::FileSystem& file_system, const std::string& directory);

/// All folders topics/<topic id>/<partition> of a data directory; other names are passed over.
absl::StatusOr<std::vector<TopicPartition>> ListLogFolders(io::FileSystem& file_system,
                                                           const std::string& data_directory);

}  // namespace talosmq::storage
