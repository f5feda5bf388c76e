#pragma once

#include "base/bytes.h"
#include "talosmq/consumer.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace talosmq::client {

/// What came for one partition: whole batches, news about the log's end, or why nothing more comes.
struct FetchedChunk {
  PartitionId partition;
  /// Number of the seek that asked for it; a chunk of an older one is to be thrown away.
  uint64_t generation = 0;
  absl::Status status;  ///< Not OK: the partition has stopped, the rest is void.
  /// The out-of-range policy has moved the position here.
  std::optional<Offset> moved_to;
  Offset high_watermark;
  Offset next_offset;  ///< One past the last record of `records`.
  base::Buffer records;
  /// What the server refuses and OnCorrupt::kSkip leaves out; with one, there are no records.
  std::vector<SkippedOffsets> skipped = {};
};

/// Where a FetchCore puts what came. Called on the client's executor.
class ChunkSink {
 public:
  virtual ~ChunkSink() = default;
  virtual void Push(FetchedChunk chunk) = 0;
  /// Bytes of records in here for which the servers have not been given credit again.
  virtual int64_t bytes() const = 0;
};

}  // namespace talosmq::client
