#pragma once

#include "base/bytes.h"
#include "storage/partition_log.h"
#include "storage/run_verifier.h"
#include "storage/segment_cache.h"

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <vector>

namespace talosmq::storage {

/// Reads batches from segment files and lets no byte out that it has not verified: chain, CRC, and
/// for everything that has an index entry the check of its run.
///
/// A damaged run is refused with kCorruptData, which names its offsets and the next readable one,
/// and hides nothing else: runs before it and behind it are served. Confined to one I/O executor.
class LogReader {
 public:
  /// One read takes at most this much, whatever was asked for, but for a single run.
  static constexpr int64_t kReadBytesMax = int64_t{8} << 20;
  /// Behind a damaged run so many more are looked at; where the last of them ends counts as
  /// readable, and is refused in its turn when it is not.
  static constexpr int kDamagedRunsMax = 64;

  explicit LogReader(SegmentCache::Dependencies dependencies)
      : metrics_(dependencies.metrics), cache_(dependencies) {}

  /// Whole batches of one segment. As PartitionLog::Read, for an offset below `limit`.
  absl::StatusOr<ReadResult> Read(const LogSource& log, const ReadRequest& request);

  /// A question of time for the records in [begin, limit).
  struct TimeQuery {
    int64_t time_ms = 0;
    Offset begin;
    Offset limit;
  };
  /// As PartitionLog::FindOffset. A damaged run that may hold the record is the answer: there the
  /// damage is met, and not passed over.
  absl::StatusOr<Offset> FindOffset(const LogSource& log, const TimeQuery& query);

  void Forget(const TopicPartition& log) { cache_.Forget(log); }

 private:
  /// Batches that were verified, and the bytes they lie in.
  struct Batches {
    base::Buffer bytes;
    std::vector<VerifiedBatch> batches;
  };

  /// As Read; the offsets in kCorruptData end with the damaged run.
  absl::StatusOr<ReadResult> ReadOnce(const LogSource& log, const ReadRequest& request);
  /// The range with the damaged runs right behind it.
  CorruptRange Widen(const LogSource& log, CorruptRange range, Offset limit);
  /// As SegmentCache::Open; a segment without a file hides all of its offsets.
  absl::StatusOr<ReadableSegment> OpenSegment(const SegmentCache::Request& request, Offset limit,
                                              absl::FunctionRef<bool(const IndexEntry&)> is_before);
  absl::StatusOr<Batches> ReadRuns(const LogSource& log, const ReadableSegment& segment,
                                   Offset limit);
  absl::StatusOr<ReadResult> ReadBehindRuns(const LogSource& log, const ReadableSegment& segment,
                                            const ReadRequest& request);
  /// `hole`: where a range begins that no index entry covers and behind which no run was seen yet,
  /// so that it may hold what is looked for. Nobody knows the times of its records; where those of
  /// the next run are too early, its own are taken to be, too.
  absl::StatusOr<std::optional<Offset>> FindInSegment(const LogSource& log, size_t segment,
                                                      const TimeQuery& query,
                                                      std::optional<Offset>& hole);
  absl::StatusOr<std::optional<Offset>> FindBehindRuns(const LogSource& log,
                                                       const ReadableSegment& segment,
                                                       const TimeQuery& query);
  StorageMetrics& metrics_;
  SegmentCache cache_;
};

/// The first record of a whole batch at or above `begin` that is stamped at or after the time; the
/// first at or above `begin` when the inside cannot be read, so that the poison is met and not
/// passed over.
std::optional<Offset> FindInBatch(base::ByteSpan batch, const record::BatchHeader& header,
                                  int64_t time_ms, Offset begin);
/// The first millisecond at or after `time`.
int64_t CeilToMillis(absl::Time time);

}  // namespace talosmq::storage
