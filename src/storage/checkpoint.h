#pragma once

#include "base/bytes.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace talosmq::storage {

/// The file `checkpoint` of a data directory; docs/formats/checkpoint.md. Big-endian.
///
///   header, 16 bytes                     entry, 64 bytes, ordered by topic id and partition
///   position size field                  position size field
///          0    4 magic "TMQC"                  0   16 topic id
///          4    1 version = 1                  16    4 partition
///          5    3 zero                         20    8 log start offset
///          8    4 entries                      28    8 end offset, -1 not known
///         12    4 CRC-32C of [0, 12)           36    8 base offset of the segment it lies in
///                                              44    8 position in that segment
///                                              52    8 bytes of removed segments
///                                              60    4 CRC-32C of [0, 60)
inline constexpr uint32_t kCheckpointMagic = 0x544d5143;
inline constexpr uint8_t kCheckpointVersion = 1;
inline constexpr size_t kCheckpointHeaderBytes = 16;
inline constexpr size_t kCheckpointEntryBytes = 64;
inline constexpr const char* kCheckpointFileName = "checkpoint";

/// The flushed point of a log: everything below it was durable when it was recorded, so damage
/// below it is corruption; what lies above it may be torn.
struct FlushedPoint {
  Offset log_start;
  Offset end_offset;  ///< kUnknownEnd: the log has records, but no one knows what was flushed.
  Offset segment;     ///< Base offset of the segment that holds the end.
  uint64_t position = 0;
  int64_t removed_bytes = 0;  ///< Of segments that were removed, over the life of the log.

  bool is_known() const;
  friend bool operator==(const FlushedPoint&, const FlushedPoint&) = default;
};

inline constexpr Offset kUnknownEnd{-1};
inline bool FlushedPoint::is_known() const { return end_offset != kUnknownEnd; }

/// Ordered, since the file is.
using FlushedPoints = std::map<TopicPartition, FlushedPoint>;

std::string EncodeCheckpoint(const FlushedPoints& points);

/// A checkpoint file as it was found.
struct LoadedCheckpoint {
  FlushedPoints points;  ///< Of all entries whose checksum is right.
  std::string broken;    ///< What is wrong with the rest; empty when nothing is.
};

/// kUnsupportedVersion for a version of the future; damage is told in the result.
absl::StatusOr<LoadedCheckpoint> ParseCheckpoint(base::ByteSpan bytes);

}  // namespace talosmq::storage
