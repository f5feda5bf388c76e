#pragma once

#include "talosmq/ids.h"

#include <cstddef>
#include <cstdint>

namespace talosmq::record {

/// RecordBatch v2 (magic 2), Apache Kafka's format; docs/formats/record-batch.md. Big-endian.
///
///   position size field
///          0    8 base offset            not in the CRC; the leader writes it
///          8    4 length                 bytes after this field; not in the CRC
///         12    4 partition leader epoch not in the CRC; the leader writes it
///         16    1 magic = 2              not in the CRC
///         17    4 CRC-32C of [21, end)
///         21    2 attributes
///         23    4 last offset delta
///         27    8 base timestamp, ms
///         35    8 max timestamp, ms
///         43    8 producer id, -1 none
///         51    2 producer epoch, -1 none
///         53    4 base sequence, -1 none
///         57    4 records count
///         61    - records, or the compressed stream of them
inline constexpr size_t kBaseOffsetPosition = 0;
inline constexpr size_t kLengthPosition = 8;
inline constexpr size_t kEpochPosition = 12;
inline constexpr size_t kMagicPosition = 16;
inline constexpr size_t kCrcPosition = 17;
inline constexpr size_t kAttributesPosition = 21;
inline constexpr size_t kLastOffsetDeltaPosition = 23;
inline constexpr size_t kBaseTimestampPosition = 27;
inline constexpr size_t kMaxTimestampPosition = 35;
inline constexpr size_t kProducerIdPosition = 43;
inline constexpr size_t kProducerEpochPosition = 51;
inline constexpr size_t kBaseSequencePosition = 53;
inline constexpr size_t kCountPosition = 57;
inline constexpr size_t kHeaderBytes = 61;
/// The length field counts from here.
inline constexpr size_t kLengthBase = 12;
/// The smallest length field: a header and no records.
inline constexpr int32_t kLengthMin = kHeaderBytes - kLengthBase;
/// The CRC covers from here to the end.
inline constexpr size_t kCrcBegin = kAttributesPosition;
/// What the CRC leaves out, up to the CRC field itself.
inline constexpr size_t kUncoveredBytes = kCrcPosition;
inline constexpr int8_t kMagic = 2;

enum class Codec : int8_t { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };
enum class TimestampType { kCreateTime, kLogAppendTime };

inline constexpr uint16_t kCodecMask = 0x07;
inline constexpr uint16_t kLogAppendTimeBit = 0x08;
inline constexpr uint16_t kTransactionalBit = 0x10;
inline constexpr uint16_t kControlBit = 0x20;
inline constexpr uint16_t kDeleteHorizonBit = 0x40;
/// Bits without a meaning; zero.
inline constexpr uint16_t kReservedBits = 0xff80;

static_assert(kCountPosition + sizeof(int32_t) == kHeaderBytes);
static_assert(kCrcPosition + sizeof(uint32_t) == kCrcBegin);
static_assert(kLengthMin == 49);

}  // namespace talosmq::record
