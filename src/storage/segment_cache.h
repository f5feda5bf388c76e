#pragma once

#include "io/file_system.h"
#include "storage/batch_chain.h"
#include "storage/log_files.h"
#include "storage/partition_log.h"
#include "storage/segment_index.h"
#include "storage/segment_list.h"
#include "storage/storage_metrics.h"

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace talosmq::storage {

/// What of an open log a reader goes by, taken at one moment.
struct LogSource {
  std::shared_ptr<LogFiles> files;
  std::shared_ptr<const SegmentList> segments;
  std::shared_ptr<const std::vector<EpochEntry>> history;
};

/// A segment as a reader needs it.
struct ReadableSegment {
  SegmentIdentity identity;
  Density density = Density::kDense;
  std::string path;
  std::optional<Offset> end;  ///< Base of the next segment; nothing for the last one.
  const io::File* file = nullptr;
  std::vector<IndexEntry> runs;  ///< The ones that were asked for.
  /// Where the run before them ends; what lies between the two cannot be read.
  Offset runs_begin;
  uint64_t runs_begin_position = 0;
  /// Where the bytes behind all known runs begin: batches there have no entry yet.
  Offset runs_end;
  uint64_t runs_end_position = 0;
};

/// Files and indexes of segments that were read lately, so that a cold reader pays for opening
/// once. An index that is missing or broken is made again here, once its segment is complete; one
/// that cannot be written serves until its segment goes.
///
/// Bounded by kSegmentsMax segments and kEntriesMax index entries; what was used longest ago goes.
/// Confined to one I/O executor.
class SegmentCache {
 public:
  static constexpr size_t kSegmentsMax = 64;
  static constexpr size_t kEntriesMax = size_t{256} << 10;  ///< 8 MiB.

  struct Dependencies {
    io::FileSystem& file_system;
    StorageMetrics& metrics;
  };

  explicit SegmentCache(Dependencies dependencies) : dependencies_(dependencies) {}

  struct Request {
    const LogSource& log;
    size_t segment = 0;     ///< Index in log.segments.
    int64_t bytes_max = 0;  ///< Of runs; at least one is given when there is one.
  };
  /// The runs from the first one that `is_before` does not hold for; it holds for a prefix of
  /// them. Valid until the next call. kCorruptData when the segment's file is gone.
  absl::StatusOr<ReadableSegment> Open(const Request& request,
                                       absl::FunctionRef<bool(const IndexEntry&)> is_before);
  /// Forgets all segments of a log.
  void Forget(const TopicPartition& log);

 private:
  struct Segment {
    SegmentIdentity identity;
    std::string path;
    std::unique_ptr<io::File> file;
    std::vector<IndexEntry> entries;      ///< As found in the index file, or rebuilt.
    std::optional<uint64_t> loaded_at{};  ///< PendingIndex::Snapshot::drops before that.
    bool is_rebuilt = false;              ///< Once is enough: what is missing now cannot be read.
  };

  absl::StatusOr<Segment*> Find(const Request& request);
  absl::Status UpdateEntries(const Request& request, const PendingIndex::Snapshot& pending,
                             Segment& segment);
  absl::Status Rebuild(const Request& request, const std::string& why, Segment& segment);
  void Shrink();

  const Dependencies dependencies_;
  std::list<Segment> segments_;  ///< Used last at the front.
};

}  // namespace talosmq::storage
