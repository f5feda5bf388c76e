#pragma once

#include "base/bytes.h"
#include "base/executor.h"
#include "storage/checkpoint.h"
#include "storage/log_files.h"
#include "storage/partition_log.h"
#include "storage/producer_snapshot.h"

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
  std::vector<base::Buffer> batches;  ///< None: the segment is to be begun.
};

/// A segment that will not be written any more.
struct SealedSegment {
  Offset segment;
  uint64_t size = 0;  ///< Of its batches; the file may have preallocated zeros behind them.
};

/// Where the bytes of a write are.
enum class WritePlace {
  kSegments,
  kJournal,  ///< And on their way to the segments: FlushTarget::Listener hears of their arrival.
  kMemory,   ///< On the same way, and not durable before the listener hears of it.
};

/// How a segment that grows gets its room on the disk.
enum class Allocation {
  kAhead,      ///< In steps, so that its blocks lie together and a sync finds them allocated.
  kAsWritten,  ///< With the write: cheaper where many segments get little each.
};

/// Of the batches of one flush group, unless configured otherwise.
inline constexpr int64_t kFlushGroupBytesMax = int64_t{32} << 20;

/// What one log wants durable in one flush group, in its order.
struct LogWrite {
  std::shared_ptr<LogFiles> files;
  std::vector<EpochEntry> epochs = {};           ///< Durable before the batches are written.
  std::vector<SegmentWrite> segments = {};       ///< More than one when the log has rolled.
  std::vector<ProducerSnapshot> snapshots = {};  ///< Of what lies below its end.
  Offset end_offset = {};
  int64_t bytes = 0;  ///< Of all batches.
  Allocation allocation = Allocation::kAhead;

  // Filled in by the target.
  /// kStorageFull only when no byte of the batches is in the files.
  absl::Status status = {};
  WritePlace place = WritePlace::kSegments;
  std::vector<SealedSegment> sealed = {};
};

/// Makes the writes of a flush group durable. The seam between what is to be durable and where the
/// bytes go: straight into the segment files (DirectFlush), or into a shared journal first
/// (JournaledFlush). Confined to the flush executor.
class FlushTarget {
 public:
  /// Hears on the flush executor of writes that were in the journal or in memory.
  class Listener {
   public:
    virtual ~Listener() = default;
    /// They are in their segments now, synced, or their status says why they are not.
    virtual void OnWrittenBack(std::vector<LogWrite> writes) = 0;
  };

  virtual ~FlushTarget() = default;
  /// Sets status and place of each write: OK means that its bytes survive a power cut, unless they
  /// are still in memory; the target has taken those. What failed is never tried again; a failure
  /// that cannot be traced to one log is the status of all of them.
  /// `backlog_bytes` wait behind the group.
  virtual void MakeDurable(std::span<LogWrite> group, int64_t backlog_bytes) = 0;
  /// False: the next group has to wait until the listener has heard of something.
  virtual bool has_room() const = 0;
  /// Bytes of batches that it has taken and that still need room in their segments.
  virtual int64_t held_bytes() const = 0;
  /// Of the journal now.
  virtual JournalMark journal_mark() const = 0;
  /// Whether it has taken something of the log that nobody was told of yet (WritePlace::kMemory).
  virtual bool IsAwaited(const LogFiles* files) const = 0;
  /// Brings what it holds of a log now to the segments as soon as it can; what comes later may
  /// wait. The listener hears of it.
  virtual void WriteBack(const LogFiles& files) = 0;
  /// Brings what it still holds of a log that is being closed to the segments, lets go of its
  /// files, then runs `done` on the flush executor.
  virtual void Release(std::shared_ptr<LogFiles> files, base::Task done) = 0;
};

}  // namespace talosmq::storage
