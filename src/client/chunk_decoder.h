#pragma once

#include "client/fetched_chunk.h"
#include "talosmq/consumer.h"

#include "absl/status/status.h"

#include <cstdint>
#include <vector>

namespace talosmq::client {

struct DecodedChunk {
  std::vector<RecordBatchView> batches;
  /// Of the record after the last one in `batches`, or after what was skipped.
  Offset position;
  int64_t skipped_records = 0;  ///< As far as headers tell; of what the server refuses, offsets.
  std::vector<SkippedOffsets> skipped;
  /// kCorruptData naming the offsets that cannot be read: reading has stopped at `position`.
  absl::Status status;
};

/// Reads the records of a chunk from `position` on, checking each batch's CRC; nothing is copied,
/// the views share the chunk's bytes or what they were inflated to. Control batches are left out.
DecodedChunk DecodeChunk(TopicId topic, const FetchedChunk& chunk, Offset position,
                         OnCorrupt on_corrupt);

}  // namespace talosmq::client
