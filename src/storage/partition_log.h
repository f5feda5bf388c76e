#pragma once

#include "base/bytes.h"
#include "base/executor.h"
#include "record/batch.h"
#include "storage/producer_table.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace talosmq::storage {

/// How much of a log is kept. Nothing set: all of it.
struct RetentionLimits {
  std::optional<absl::Duration> age_max;
  std::optional<int64_t> bytes_max;
};

/// How a log keeps the last record of each key.
struct CompactionRules {
  double dirty_ratio_min = 0.5;  ///< Of the bytes that may be compacted; before it nothing is done.
  /// How long a record stays at least, as far as the clock was right (BegunAt).
  absl::Duration lag_min = absl::ZeroDuration();
  /// After so long it is compacted whatever the ratio.
  absl::Duration lag_max = absl::InfiniteDuration();
  /// How long a tombstone stays, so that readers of the whole log see it.
  absl::Duration tombstone_age_min = absl::Hours(24);
};

/// What a topic's configuration says about its segments.
struct LogOptions {
  int64_t segment_bytes = int64_t{256} << 20;
  absl::Duration segment_age_max = absl::Hours(7 * 24);
  RetentionLimits retention = {};
  std::optional<CompactionRules> compaction = {};  ///< Nothing: every record stays.
};

/// What opening a log has found and mended.
struct RecoveryReport {
  int64_t scanned_bytes = 0;    ///< Read above the recorded flushed point.
  int64_t truncated_bytes = 0;  ///< Torn or zero tail that was cut. Zeros alone get no note.
  int64_t indexes_rebuilt = 0;
  /// Damage below the flushed point: it stays, and the offsets that it hides (CorruptRangeOf) are
  /// refused to readers.
  std::vector<absl::Status> damages;
  std::vector<std::string> notes;  ///< One sentence for each thing worth an operator's look.
};

struct AppendResult {
  Offset base_offset;
  Offset last_offset;
  /// True when the batch is one of the producer's last five: nothing was appended; the offsets are
  /// the original's, whose commit an answer still has to wait for.
  bool is_duplicate = false;
};

/// Whole batches, in order, as they lie in the log.
struct ReadResult {
  std::vector<base::Buffer> chunks;  ///< Each holds one or more whole batches.
  /// One past the last offset in chunks; the asked offset when there are none.
  Offset next_offset;
  int64_t batches = 0;  ///< In all chunks.
};

struct ReadRequest {
  /// The first batch is the one that holds this offset (it may begin below it), or the next one
  /// when the offset lies in a gap. In [log_start, limit].
  Offset offset;
  Offset limit;           ///< No batch that ends above this one: the high watermark.
  int64_t bytes_max = 0;  ///< At least one batch is returned even if it is larger.
};

struct EpochEntry {
  LeaderEpoch epoch;
  Offset start_offset;  ///< First offset written under it.
};

/// The log of one partition: appended batches, their durable end, reads.
///
/// Invariants:
/// 1. log_start() <= durable_end() <= log_end(); offsets are dense.
/// 2. Epochs in the log never go down; each Append carries the epoch of the last BeginEpoch.
/// 3. After a failed write or flush the log is fenced: every later Append, and every read above
///    the durable end, fails as MakeFenced() says until the log is opened again (R01).
/// Confined to the shard executor it was opened on; callbacks run there too.
/// Crash: what lay below durable_end() is found again by LogStore::OpenLog.
class PartitionLog {
 public:
  virtual ~PartitionLog() = default;

  virtual const TopicPartition& id() const = 0;
  virtual Offset log_start() const = 0;
  /// Offset that the next record gets.
  virtual Offset log_end() const = 0;
  /// One past the last record that a power cut cannot take.
  virtual Offset durable_end() const = 0;
  /// Oldest first; empty before the first epoch began.
  virtual const std::vector<EpochEntry>& epochs() const = 0;
  /// Where the last segment that compaction wrote ends; log_start() when there is none. Below it
  /// records have gone, tombstones perhaps among them.
  virtual Offset compacted_end() const = 0;
  virtual int64_t size_bytes() const = 0;
  /// The idempotent producers that it knows, the one that appended longest ago first.
  virtual std::vector<ProducerState> Producers() const = 0;
  /// Of every batch ever appended, removed ones too.
  virtual int64_t lifetime_bytes() const = 0;

  /// The topic's configuration has changed: holds from the next append on.
  virtual void SetOptions(const LogOptions& options) = 0;

  /// Called on the shard when durable_end() has moved, or with the error that fenced the log. It
  /// may call the log, but not destroy it.
  virtual void SetDurableListener(base::Callback<absl::Status> listener) = 0;

  /// From now on batches are appended under `epoch`, higher than all before. The entry in the
  /// epoch file is durable before the first batch under it is.
  virtual absl::Status BeginEpoch(LeaderEpoch epoch) = 0;

  /// Checks the producer's sequence, gives offsets, patches base offset and epoch into `batch`
  /// (whose only owner the caller must be), keeps it in the tail cache and queues it for the flush
  /// group. `facts` is what ValidateClientBatch said about it. Errors change nothing:
  /// kOutOfOrderSequence, kInvalidProducerEpoch, kOverloaded (the cache is full of unflushed
  /// bytes), kBatchTooLarge (for a segment), those of a fence.
  virtual absl::StatusOr<AppendResult> Append(base::Buffer batch,
                                              const record::BatchFacts& facts) = 0;

  /// From the tail cache at once (the callback runs inside the call), else by an I/O job that
  /// verifies chain, CRC and index check of every run it touches. kOffsetOutOfRange below
  /// log_start() or above `limit`; kCorruptData, naming file, position, expected and found, with
  /// the offsets that cannot be read and the next one that can (CorruptRangeOf).
  virtual void Read(const ReadRequest& request,
                    base::Callback<absl::StatusOr<ReadResult>> done) = 0;

  /// The first offset in [log_start(), limit) whose record is stamped at or after `time`; `limit`
  /// if none. It holds for the log start at the moment of the answer.
  virtual void FindOffset(absl::Time time, Offset limit,
                          base::Callback<absl::StatusOr<Offset>> done) = 0;

  /// Moves log_start() to `offset`, which is at most durable_end(), and answers once that is
  /// durable and holds for reads; one that lies below it already is fine. Segments that hold
  /// nothing any more are removed behind the answer, one at a time. Errors, those of a fence among
  /// them, leave the log start where it was.
  virtual void MoveLogStart(Offset offset, base::Callback<absl::Status> done) = 0;

  /// Moves log_start() to where PlanRetention wants it by the limits of its options and `now`, at
  /// most to `limit`, as MoveLogStart does. By no age when `now` is InfinitePast.
  virtual void ApplyRetention(absl::Time now, Offset limit, base::Callback<absl::Status> done) = 0;

  /// Compacts by the rules of its options and `now` what ends at or below `limit`, when
  /// PlanCompaction finds it is time, and answers when that is done; OK when there is nothing to
  /// do. Readers go on meanwhile, and so do appends. A close ends it early.
  virtual void Compact(absl::Time now, Offset limit, base::Callback<absl::Status> done) = 0;

  /// Waits for the flush group, writes a producer snapshot, lets go of the files.
  virtual void Close(base::Callback<absl::Status> done) = 0;
};

}  // namespace talosmq::storage
