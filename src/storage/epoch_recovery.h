#pragma once

#include "io/file_system.h"
#include "storage/epoch_history.h"
#include "storage/log_folder.h"
#include "storage/partition_log.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace talosmq::storage {

/// The epochs of a log while it is opened.
struct RecoveredEpochs {
  std::vector<EpochEntry> history;   ///< Of a broken file: what comes before the damage.
  std::string broken;                ///< What is wrong with the file; empty when nothing is.
  bool is_torn = false;              ///< Nothing but the one entry that was being written.
  LeaderEpoch last_seen = kNoEpoch;  ///< Of the batches that were read.

  /// What batches may be held against: nothing when the file is broken.
  std::span<const EpochEntry> trusted() const {
    if (!broken.empty()) return {};
    return history;
  }
};

absl::StatusOr<RecoveredEpochs> LoadEpochs(io::FileSystem& file_system, const TopicPartition& log,
                                           const LogFolder& folder);

/// Brings history and file in line with the recovered log: epochs that begin above its end are
/// moved down to it; a broken file loses what is damaged, and unless that was a torn entry of which
/// the log has no batch, gets the epochs back that batches have. A sentence when an operator should
/// know.
absl::StatusOr<std::optional<std::string>> MendEpochs(io::FileSystem& file_system,
                                                      const TopicPartition& log,
                                                      const LogFolder& folder, Offset log_end,
                                                      RecoveredEpochs& epochs);

/// Replaces the epoch file.
absl::Status WriteEpochs(io::FileSystem& file_system, const TopicPartition& log,
                         const LogFolder& folder, std::span<const EpochEntry> history);

}  // namespace talosmq::storage
