#pragma once

#include "io/file_system.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace talosmq::client {

/// How far one instance has come with one topic.
struct KeptPositions {
  TopicId topic;
  std::map<PartitionId, Offset> offsets;  ///< Of the next record to read.

  friend bool operator==(const KeptPositions&, const KeptPositions&) = default;
};

/// The text of a positions file:
///
///   talosmq-positions 1
///   topic 0198a1f2-0000-4000-8000-0123456789ab
///   0 1500
///   1 77
///   crc32c 9c5a03d1
///
/// version, topic id, partition and offset in ascending order, CRC32C of all lines before.
std::string WritePositions(const KeptPositions& positions);
/// kCorruptData saying what was expected and found; kUnsupportedVersion.
absl::StatusOr<KeptPositions> ParsePositions(std::string_view text);

/// Nothing when there is no such file. Errors name it.
absl::StatusOr<std::optional<KeptPositions>> LoadPositions(io::FileSystem& file_system,
                                                           const std::string& path);
/// Replaces the file durably, see io::WriteFileAtomically.
absl::Status SavePositions(io::FileSystem& file_system, const std::string& path,
                           const KeptPositions& positions);

}  // namespace talosmq::client
