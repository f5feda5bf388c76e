#pragma once

#include "io/file_system.h"
#include "storage/log_folder.h"
#include "storage/partition_log.h"
#include "storage/producer_table.h"
#include "talosmq/ids.h"

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <set>
#include <span>
#include <string>
#include <vector>

namespace talosmq::storage {

/// The time of a replay, from begin to end: whoever has appended what it reads counts as having
/// done so just now, since batches do not tell when they came (their timestamps are the clients').
inline constexpr absl::Duration kReplayTime = absl::ZeroDuration();

/// The producers of a log from its newest sound snapshot at or below some offset.
struct RestoredProducers {
  ProducerTable table;
  Offset offset;  ///< The table held all batches below it before any replay.
  int64_t replayed_bytes = 0;
  std::set<Offset> unsound;  ///< Of the snapshots that were passed over since they are damaged.
  std::vector<std::string> notes;
};

/// Reads the newest sound snapshot not above `end`; an empty table at the first segment without
/// one. One that lies below the end of what was compacted is passed over: it may know a producer
/// whose later batches are no longer told from others, since it was forgotten by then. So is one
/// below the first segment: what a producer sent in between is not known, and any sequence of it is
/// to be accepted.
absl::StatusOr<RestoredProducers> RestoreProducers(io::FileSystem& file_system,
                                                   const TopicPartition& log,
                                                   const LogFolder& folder, Offset end);

/// Which batches a replay reads.
struct ReplayRange {
  Offset begin;  ///< A batch begins here.
  Offset end;    ///< And here, or it is the end of the log.
};

/// Adds the batches of the range to the table. Damage on the way is passed over and told in the
/// notes: its batches cannot be known.
absl::Status ReplayProducers(io::FileSystem& file_system, const TopicPartition& log,
                             const LogFolder& folder, const ReplayRange& range,
                             RestoredProducers& producers);

}  // namespace talosmq::storage
