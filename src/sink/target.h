#pragma once

#include "base/bytes.h"
#include "sink/task_record.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace talosmq::sink {

/// A file that is being written and that no reader of the target can see. Confined to the sink's
/// executor. After a failure it must be given up.
class OpenFile {
 public:
  virtual ~OpenFile() = default;
  virtual absl::Status Append(base::ByteSpan bytes) = 0;
  /// Makes what was appended durable.
  virtual absl::Status Sync() = 0;
};

/// Where the files of one partition of one job go. Every call may block on I/O, and a failed one
/// leaves every published file as it was. Confined to the sink's executor.
class Target {
 public:
  virtual ~Target() = default;

  /// A new, empty file that belongs to this epoch; `ordinal` is new in it.
  virtual absl::StatusOr<std::unique_ptr<OpenFile>> Create(int64_t epoch, int32_t ordinal) = 0;
  /// Makes the existence of all synced files durable. kConflict, with nothing changed, when one of
  /// the final names is taken.
  virtual absl::Status Seal(std::span<const CommittedFile> files) = 0;
  /// Gives all files their final names, durably. Idempotent, also across a crash inside it: a file
  /// that bears its final name already is recognised by its length. kConflict when a final name is
  /// taken by a file of another length, kCorruptData when a file is under neither name.
  virtual absl::Status Publish(const Intent& intent) = 0;
  /// Removes what epochs up to this one left unpublished. Files of higher epochs stay.
  virtual absl::Status Sweep(int64_t epoch_max) = 0;
};

/// Where all files of one job go; it must be no other job's of the same topic. Confined to the
/// sink's executor.
class Destination {
 public:
  virtual ~Destination() = default;
  /// Makes what is missing and proves that a file can be written there.
  virtual absl::Status ProveWritable() = 0;
  /// Lives inside its Destination.
  virtual std::unique_ptr<Target> TargetOf(PartitionId partition) = 0;
  /// Removes everything of the job that is not published. Nothing of it may be running.
  virtual absl::Status RemoveUnpublished() = 0;
};

}  // namespace talosmq::sink
