#pragma once

#include "io/deferred_sync.h"
#include "storage/catalogue.h"
#include "storage/direct_flush.h"
#include "storage/flush_target.h"
#include "storage/storage_metrics.h"

#include "absl/status/status.h"

#include <span>

namespace talosmq::storage {

/// Writes many logs to their segments and makes them durable by one sync of the disk, for batches
/// that the journal has.
///
/// Invariant: a segment is begun only when the one before it is complete on the disk, so that after
/// a crash only the newest segment of a log can lack anything. A log that has rolled takes another
/// sync.
/// Confined to one executor, as the DeferredSync that it was given.
class DeferredFlush {
 public:
  DeferredFlush(io::DeferredSync& sync, Catalogue& catalogue, StorageMetrics& metrics)
      : sync_(sync), direct_(sync, catalogue, metrics, DirectFlush::OnFullDisk::kLeave) {}

  /// As FlushTarget::MakeDurable. An error of the sync is one of all logs, and is what it answers.
  /// Leaves no file open.
  absl::Status MakeDurable(std::span<LogWrite> group);

 private:
  absl::Status WriteAndSync(std::span<LogWrite> group);

  io::DeferredSync& sync_;
  DirectFlush direct_;
};

}  // namespace talosmq::storage
