#pragma once

#include "io/file_system.h"
#include "storage/checkpoint.h"
#include "storage/flush_target.h"
#include "storage/journal.h"
#include "storage/log_store.h"
#include "storage/storage_metrics.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <memory>
#include <string>
#include <vector>

// What a start of a LogStore does before any log is opened. Blocks on the disk.

namespace talosmq::storage {

/// The flushed points on disk. A log that has a folder and no sound entry, although entries were
/// lost, gets an unknown point, so that it stays unknown until the log is opened.
absl::StatusOr<LoadedCheckpoint> LoadCheckpoint(io::FileSystem& file_system,
                                                const std::string& directory);

/// The journal of a data directory, after everything in it was brought to the segments.
struct OpenedJournal {
  std::unique_ptr<Journal> journal;
  absl::Status damage;             ///< Not OK: something is missing that had been made durable.
  std::vector<LogWrite> stranded;  ///< But for this, of single logs.
};

/// Raises the points to what the journal held, of which nothing is needed any more but what single
/// logs lack. That is on the disk before the journal forgets.
absl::StatusOr<OpenedJournal> OpenJournal(const LogStoreOptions& options,
                                          const LogStore::Dependencies& dependencies,
                                          StorageMetrics& metrics, LoadedCheckpoint& checkpoint);

}  // namespace talosmq::storage
