#pragma once

#include "talosmq/ids.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace talosmq::storage {

// A segment is a file of whole batches back to back and nothing else; docs/formats/segment.md.
// Its name is its base offset in 20 digits, so that names sort as offsets do:
//   00000000000000004711.log        batches, the first with base offset 4711
//   00000000000000004711.index      one entry for each run of batches of the segment
//   00000000000000004711.producers  producer state of all batches below 4711
// One that compaction has written tells what it stands for, so that a single rename puts it in the
// place of all segments with a base in [4711, 9000):
//   00000000000000004711-00000000000000009000-0000000003.log

inline constexpr std::string_view kSegmentSuffix = ".log";
inline constexpr std::string_view kIndexSuffix = ".index";
inline constexpr std::string_view kSnapshotSuffix = ".producers";
inline constexpr std::string_view kEpochFileName = "epochs";
inline constexpr std::string_view kTopicsFolder = "topics";

/// Positions and offset deltas of the index have 32 bits; a segment stays well below that.
inline constexpr int64_t kSegmentBytesMax = int64_t{2} << 30;

/// Of one segment, from its base on: offset deltas of the index have 32 bits.
inline constexpr int64_t kSegmentOffsetsMax = std::numeric_limits<uint32_t>::max();

/// What the name of a segment says. A plain value.
struct SegmentName {
  Offset base;
  Offset end = {};          ///< Of a compacted one: where the next segment begins.
  uint32_t generation = 0;  ///< Of the compaction that wrote it: the higher one counts. 0: none.

  friend bool operator==(const SegmentName&, const SegmentName&) = default;
};
std::string SegmentFileName(const SegmentName& name, std::string_view suffix);
/// Nothing for any other name.
std::optional<SegmentName> ParseSegmentFileName(std::string_view name, std::string_view suffix);

/// "00000000000000004711.log" for 4711 and ".log". Checked: the offset is not negative.
std::string OffsetFileName(Offset offset, std::string_view suffix);
/// The offset in such a name; nothing when `name` is not 20 digits and exactly this suffix.
std::optional<Offset> ParseOffsetFileName(std::string_view name, std::string_view suffix);

/// `data_directory`/topics.
std::string TopicsDirectory(std::string_view data_directory);
/// `data_directory`/topics/<topic id>/<partition>.
std::string LogDirectory(std::string_view data_directory, const TopicPartition& id);
/// A partition's folder name: decimal digits without leading zeros; nothing for any other text.
std::optional<PartitionId> ParsePartitionFolder(std::string_view name);

}  // namespace talosmq::storage
