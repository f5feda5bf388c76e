#pragma once

#include "client/fetched_chunk.h"
#include "client/metadata_cache.h"
#include "talosmq/consumer.h"
#include "talosmq/metrics.h"

#include "absl/status/status.h"

#include <cstdint>
#include <vector>

namespace talosmq::client {

/// How far a thread that polls has come with one partition.
struct PolledPartition {
  uint64_t generation = 0;  ///< Of its last wish, see PartitionWish.
  Offset position;          ///< Of the next record to return.
  Offset high_watermark;
  bool has_stopped = false;  ///< By an error, until the next seek.
  bool is_paused = false;
};

/// What a chunk brought.
struct TakenChunk {
  std::vector<RecordBatchView> batches;
  std::vector<SkippedOffsets> skipped;
  int64_t skipped_records = 0;
  absl::Status status;  ///< Not OK: the partition has stopped.
  /// The partition has stopped here, and its fetching has to be told.
  bool must_halt = false;
};

/// Decodes a chunk and moves the partition on; nothing for a chunk of an older generation.
TakenChunk TakeChunk(const FetchedChunk& chunk, const TopicImage& topic,
                     const ConsumerOptions& options, ClientMetrics* metrics,
                     PolledPartition& partition);

}  // namespace talosmq::client
