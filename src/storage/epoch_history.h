#pragma once

#include "base/bytes.h"
#include "storage/partition_log.h"
#include "talosmq/ids.h"

#include "absl/status/statusor.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace talosmq::storage {

/// The file `epochs` of a log; docs/formats/epochs.md. Big-endian.
///
///   header, 32 bytes                     entry, 16 bytes
///   position size field                  position size field
///          0    4 magic "TMQE"                  0    4 epoch
///          4    1 version = 1                   4    8 start offset
///          5    3 zero                         12    4 CRC-32C of topic id, partition, [0, 12)
///          8   16 topic id
///         24    4 partition
///         28    4 CRC-32C of [0, 28)
///
/// An entry is appended and synced before the first batch of its epoch is written. Both numbers
/// never go down; an epoch that appended nothing shares its start offset with the next one.
inline constexpr uint32_t kEpochsMagic = 0x544d5145;
inline constexpr uint8_t kEpochsVersion = 1;
inline constexpr size_t kEpochsHeaderBytes = 32;
inline constexpr size_t kEpochEntryBytes = 16;

std::array<std::byte, kEpochsHeaderBytes> EncodeEpochsHeader(const TopicPartition& log);
std::array<std::byte, kEpochEntryBytes> EncodeEpochEntry(const TopicPartition& log,
                                                         const EpochEntry& entry);
/// The whole file for `entries`.
std::string EncodeEpochs(const TopicPartition& log, std::span<const EpochEntry> entries);

/// An epoch file as it was found.
struct LoadedEpochs {
  std::vector<EpochEntry> entries;  ///< Up to the first one that is broken.
  std::string broken;               ///< What is wrong behind them; empty when nothing is.
};

/// kUnsupportedVersion for a version of the future; damage is told in the result.
absl::StatusOr<LoadedEpochs> ParseEpochs(base::ByteSpan bytes, const TopicPartition& log);

/// The epoch under which `offset` was or will be written: the last entry that starts at or below
/// it. kNoEpoch below the first entry.
LeaderEpoch EpochAt(std::span<const EpochEntry> history, Offset offset);

/// Moves the start of epochs that appended nothing below `end`, the recovered end of the log, down
/// to it: their batches are gone, but the epochs were used. [{4@0}, {5@100}] cut at 90 becomes
/// [{4@0}, {5@90}]. True when something changed.
bool CutEpochs(std::vector<EpochEntry>& history, Offset end);

}  // namespace talosmq::storage
