#pragma once

#include "io/file_system.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace talosmq::server {

/// Keeps a server that fails at every start from doing so for ever: after so many starts in a row
/// that failed before the server was ready, the next one is refused until somebody has looked.
///
///   start        failed-starts.json says 1, "it ended without a word"
///   it dies      the next start says 2
///   it fails     the file keeps its number, and gets the words of the error
///   it is ready  the file is removed; however the server ends now, the next start says 1 again
///
/// Not counted: a start that is refused for its settings or because a port is taken, which are put
/// right outside of the data directory.
/// Thread-compatible. Borrows the file system.
/// Crash: the file is the old or the new one; one that cannot be read counts as none.
class StartGuard {
 public:
  static constexpr const char* kFileName = "failed-starts.json";
  static constexpr int64_t kFailedStartsMax = 5;

  /// Counts this start as failed until it is told otherwise, durably. kUnavailable, with the words
  /// of the last failure and what to do, when kFailedStartsMax have failed before it.
  static absl::StatusOr<std::unique_ptr<StartGuard>> Begin(io::FileSystem& file_system,
                                                           const std::string& data_directory);

  absl::Status NoteReady();
  /// Keeps why the start has failed.
  absl::Status NoteFailed(const absl::Status& why);

 private:
  StartGuard(io::FileSystem& file_system, std::string path, int64_t failed_before)
      : file_system_(file_system), path_(std::move(path)), failed_before_(failed_before) {}

  absl::Status Save(int64_t failed_starts, const std::string& last_error);
  absl::Status Remove();

  io::FileSystem& file_system_;
  const std::string path_;
  const int64_t failed_before_;  ///< In a row, without this one.
};

}  // namespace talosmq::server
