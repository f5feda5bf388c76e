#pragma once

#include "base/bytes.h"
#include "io/file_system.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace talosmq::loadgen {

/// The file behind `ceiling`: groups of batches, one gather write and one flush each.
/// Thread-compatible. Made for one run and removed when it goes.
class CeilingLog {
 public:
  static absl::StatusOr<std::unique_ptr<CeilingLog>> Create(io::FileSystem& file_system,
                                                            const std::string& path);
  CeilingLog(const CeilingLog&) = delete;
  CeilingLog& operator=(const CeilingLog&) = delete;
  ~CeilingLog();

  /// Durable when it returns.
  absl::Status Append(const std::vector<base::Buffer>& group);

 private:
  CeilingLog(io::FileSystem& file_system, std::string path, std::unique_ptr<io::File> file)
      : file_system_(file_system), path_(std::move(path)), file_(std::move(file)) {}

  io::FileSystem& file_system_;
  const std::string path_;
  std::unique_ptr<io::File> file_;
  uint64_t end_ = 0;
  uint64_t allocated_ = 0;
};

}  // namespace talosmq::loadgen
