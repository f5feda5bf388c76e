#pragma once

#include "talosmq/ids.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace talosmq::storage {

// A segment is a file of whole batches back to back and nothing else; docs/formats/segment.md.
// Its name is its base offset in 20 digits, so that names sort as offsets do:
//   00000000000000004711.log        batches, the first with base offset 4711
//   00000000000000004711.index      one entry for each run of batches of the segment
//   00000000000000004711.producers  producer state of all batches below 4711

inline constexpr std::string_view kSegmentSuffix = ".log";
inline constexpr std::string_view kIndexSuffix = ".index";
inline constexpr std::string_view kSnapshotSuffix = ".producers";
inline constexpr std::string_view kEpochFileName = "epochs";
inline constexpr std::string_view kTopicsFolder = "topics";

/// Positions and offset deltas of the index have 32 bits; a segment stays well below that.
inline constexpr int64_t kSegmentBytesMax = int64_t{2} << 30;

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
