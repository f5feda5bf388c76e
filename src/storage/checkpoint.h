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
///          4    1 version = 2                  16    4 partition
///          5    3 zero                         20    8 log start offset
///          8    4 entries                      28    8 end offset, -1 not known
///         12    4 CRC-32C of [0, 12)           36    8 base offset of the segment it lies in
///   mark of the journal, 20 bytes              44    8 position in that segment
///          0    8 newest group                 52    8 bytes of removed segments
///          8    8 oldest group needed          60    4 CRC-32C of [0, 60)
///         16    4 CRC-32C of [0, 16)
///
/// The mark stands behind the header, the entries behind the mark. Version 1 has none.
inline constexpr uint32_t kCheckpointMagic = 0x544d5143;
inline constexpr uint8_t kCheckpointVersion = 2;
inline constexpr size_t kCheckpointHeaderBytes = 16;
inline constexpr size_t kCheckpointMarkBytes = 20;
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

/// How far the journal had come for certain, and what of it the segments may still lack.
struct JournalMark {
  uint64_t newest = 0;  ///< Sequence of the newest group that was durable; 0: not known.
  uint64_t oldest = 0;  ///< Of the oldest one that is needed; above `newest`: none is.

  bool is_needed() const { return oldest <= newest && newest > 0; }
  friend bool operator==(const JournalMark&, const JournalMark&) = default;
};

std::string EncodeCheckpoint(const FlushedPoints& points, const JournalMark& journal);

/// A checkpoint file as it was found.
struct LoadedCheckpoint {
  FlushedPoints points;  ///< Of all entries whose checksum is right.
  JournalMark journal;   ///< Not known when its checksum is wrong.
  std::string broken;    ///< What is wrong with the rest; empty when nothing is.
};

/// kUnsupportedVersion for a version of the future; damage is told in the result.
absl::StatusOr<LoadedCheckpoint> ParseCheckpoint(base::ByteSpan bytes);

}  // namespace talosmq::storage
