#pragma once

#include "cli/offset_range.h"
#include "talosmq/ids.h"

#include "absl/status/statusor.h"

#include <optional>
#include <string>
#include <vector>

namespace talosmq::cli {

/// One partition as it is when reading begins.
struct LogExtent {
  PartitionId partition;
  Offset start;
  Offset end;  ///< One past the last committed record.
  /// Where the times of the range lie, when it has any: the first record stamped at or after it.
  std::optional<Offset> from_time;
  std::optional<Offset> to_time;
};

/// What to read of one partition: [begin, stop), or without a stop for ever.
struct PartitionPlan {
  PartitionId partition;
  Offset begin;
  std::optional<Offset> stop;
};

struct ReadPlan {
  std::vector<PartitionPlan> partitions;
  /// What the reader should be told: offsets asked for that are not there.
  std::vector<std::string> notes;
};

enum class AtLogEnd { kWait, kStop };

/// Turns what was asked for into offsets. An offset below a log's start becomes that start, a
/// partition that ends before the asked offset is left out, both with a note; kOffsetOutOfRange
/// when none is left. Pure.
///
///   logs 0:[0,10) 1:[0,3), range -4, kStop   ->  0:[6,10) 1:[0,3)
///   logs 0:[0,10) 1:[0,3), range 5..7, kWait ->  0:[5,7), "partition 1 ends at 3 ..."
absl::StatusOr<ReadPlan> PlanRead(const OffsetRange& range, const std::vector<LogExtent>& logs,
                                  AtLogEnd at_end);

}  // namespace talosmq::cli
