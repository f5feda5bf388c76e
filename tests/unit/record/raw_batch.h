#pragma once

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/varint.h"
#include "record/batch_format.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace talosmq::record {

/// A zig-zag varint as a string.
inline std::string Varint(int64_t value) {
  std::byte bytes[base::kVarint64BytesMax];
  return std::string(reinterpret_cast<char*>(bytes),
                     static_cast<size_t>(base::PutVarint(bytes, value) - bytes));
}

/// A record put together by hand, so that every field can be wrong. The defaults are a sound record
/// with value "v" and nothing else.
struct RawRecord {
  std::string timestamp_delta = Varint(0);
  std::string offset_delta = Varint(0);
  std::string key = Varint(-1);
  std::string value = Varint(1) + "v";
  std::string headers = Varint(0);
  int64_t length_error = 0;  ///< Added to the true length.

  std::string Encode() const {
    const std::string body =
        std::string(1, '\0') + timestamp_delta + offset_delta + key + value + headers;
    return Varint(static_cast<int64_t>(body.size()) + length_error) + body;
  }
};

/// A batch put together by hand: the header says what it is told, the CRC is right.
struct RawBatch {
  int64_t base_offset = 0;
  int32_t length_error = 0;  ///< Added to the true length.
  int32_t epoch = -1;
  int8_t magic = kMagic;
  uint16_t attributes = 0;
  int32_t last_offset_delta = 0;
  int64_t base_timestamp_ms = 1000;
  int64_t max_timestamp_ms = 1000;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int32_t base_sequence = -1;
  int32_t count = 1;
  std::string records = RawRecord().Encode();

  std::string Encode() const {
    std::string batch(kHeaderBytes, '\0');
    batch += records;
    auto* to = reinterpret_cast<std::byte*>(batch.data());
    base::StoreBigEndian(to + kBaseOffsetPosition, base_offset);
    base::StoreBigEndian(to + kLengthPosition,
                         static_cast<int32_t>(batch.size() - kLengthBase) + length_error);
    base::StoreBigEndian(to + kEpochPosition, epoch);
    base::StoreBigEndian(to + kMagicPosition, magic);
    base::StoreBigEndian(to + kAttributesPosition, attributes);
    base::StoreBigEndian(to + kLastOffsetDeltaPosition, last_offset_delta);
    base::StoreBigEndian(to + kBaseTimestampPosition, base_timestamp_ms);
    base::StoreBigEndian(to + kMaxTimestampPosition, max_timestamp_ms);
    base::StoreBigEndian(to + kProducerIdPosition, producer_id);
    base::StoreBigEndian(to + kProducerEpochPosition, producer_epoch);
    base::StoreBigEndian(to + kBaseSequencePosition, base_sequence);
    base::StoreBigEndian(to + kCountPosition, count);
    base::StoreBigEndian(to + kCrcPosition,
                         base::Crc32cSoftware(base::AsBytes(batch).subspan(kCrcBegin)));
    return batch;
  }
};

}  // namespace talosmq::record
