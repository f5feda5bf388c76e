#pragma once

#include "io/file_system.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace talosmq::support {

/// G7: every record of a dumped topic is in exactly one published file, and nothing partial bears a
/// published name. Reads a folder of JSON lines as a stranger would: by names and content alone. A
/// violation is a kInternal status that names file and record. Thread-compatible.
class DumpExactlyOnceChecker {
 public:
  DumpExactlyOnceChecker(io::FileSystem& file_system, std::string folder)
      : file_system_(file_system), folder_(std::move(folder)) {}

  /// A record that the topic holds.
  void Stored(PartitionId partition, Offset offset, int64_t timestamp_ms, std::string value);

  /// What is visible now is whole, right, and holds no record twice.
  absl::Status CheckVisible();
  /// Moreover every record stored is there.
  absl::Status CheckComplete();
  /// Files that were visible at the last check.
  size_t files() const { return files_; }

 private:
  struct StoredRecord {
    int64_t timestamp_ms = 0;
    std::string value;
    std::string file;  ///< Where the present check has found it; empty: nowhere yet.
  };

  absl::Status CheckFolder(const std::string& path);
  absl::Status CheckFile(const std::string& folder, const std::string& name);
  absl::Status CheckLine(const std::string& path, std::string_view line, Offset* offset);

  io::FileSystem& file_system_;
  const std::string folder_;
  std::map<int64_t, std::map<int64_t, StoredRecord>> records_;  ///< By partition, then offset.
  size_t files_ = 0;
};

}  // namespace talosmq::support
