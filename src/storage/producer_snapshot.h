#pragma once

#include "base/bytes.h"
#include "storage/producer_table.h"
#include "talosmq/ids.h"

#include "absl/status/statusor.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace talosmq::storage {

/// The file <20-digit offset>.producers; docs/formats/producers.md. Big-endian.
///
///   header, 48 bytes                     producer, 20 bytes and its batches
///   position size field                  position size field
///          0    4 magic "TMQP"                  0    8 producer id
///          4    1 version = 1                   8    2 producer epoch
///          5    3 zero                         10    1 batches, 1 to 5
///          8   16 topic id                     11    1 zero
///         24    4 partition                    12    8 silence, ms
///         28    8 offset                 batch, 32 bytes, oldest first
///         36    4 producers                     0    4 first sequence
///         40    4 bytes behind the header       4    4 last sequence
///         44    4 CRC-32C of [0, 44) and        8    8 first offset
///                 all bytes behind it          16    8 last offset
///                                              24    8 timestamp, ms
///
/// Producers stand in the order of their last batch, the oldest first.
inline constexpr uint32_t kSnapshotMagic = 0x544d5150;
inline constexpr uint8_t kSnapshotVersion = 1;
inline constexpr size_t kSnapshotHeaderBytes = 48;
inline constexpr size_t kSnapshotProducerBytes = 20;
inline constexpr size_t kSnapshotBatchBytes = 32;
inline constexpr size_t kSnapshotFileBytesMax =
    kSnapshotHeaderBytes +
    ProducerTable::kProducersMax *
        (kSnapshotProducerBytes + kProducerBatchesKept * kSnapshotBatchBytes);

/// The producers of a log as all batches below `offset` have left them.
struct ProducerSnapshot {
  TopicPartition log;
  Offset offset;
  std::vector<ProducerState> producers;
};

std::string EncodeProducerSnapshot(const ProducerSnapshot& snapshot);
/// kCorruptData when a checksum, a size or a count is wrong or the log is another;
/// kUnsupportedVersion for a version of the future.
absl::StatusOr<ProducerSnapshot> DecodeProducerSnapshot(base::ByteSpan bytes,
                                                        const TopicPartition& log, Offset offset);

}  // namespace talosmq::storage
