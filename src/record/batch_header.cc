#include "base/check.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "base/text.h"
#include "record/batch.h"
#include "talosmq/error.h"

#include <limits>

namespace talosmq::record {
namespace {

/// The largest base offset to which every offset delta can be added.
constexpr int64_t kBaseOffsetMax =
    std::numeric_limits<int64_t>::max() - std::numeric_limits<int32_t>::max() - 1;

BatchHeader Decode(const std::byte* from) {
  return {
      .base_offset = Offset(base::LoadBigEndian<int64_t>(from + kBaseOffsetPosition)),
      .length = base::LoadBigEndian<int32_t>(from + kLengthPosition),
      .epoch = LeaderEpoch(base::LoadBigEndian<int32_t>(from + kEpochPosition)),
      .magic = base::LoadBigEndian<int8_t>(from + kMagicPosition),
      .crc = base::LoadBigEndian<uint32_t>(from + kCrcPosition),
      .attributes = base::LoadBigEndian<uint16_t>(from + kAttributesPosition),
      .last_offset_delta = base::LoadBigEndian<int32_t>(from + kLastOffsetDeltaPosition),
      .base_timestamp_ms = base::LoadBigEndian<int64_t>(from + kBaseTimestampPosition),
      .max_timestamp_ms = base::LoadBigEndian<int64_t>(from + kMaxTimestampPosition),
      .producer_id = ProducerId(base::LoadBigEndian<int64_t>(from + kProducerIdPosition)),
      .producer_epoch = base::LoadBigEndian<int16_t>(from + kProducerEpochPosition),
      .base_sequence = base::LoadBigEndian<int32_t>(from + kBaseSequencePosition),
      .count = base::LoadBigEndian<int32_t>(from + kCountPosition),
  };
}

absl::Status CorruptBatch(const BatchHeader& header, std::string_view problem) {
  return MakeError(Reason::kCorruptBatch, base::StrCat("batch at base offset ",
                                                       header.base_offset.value(), ": ", problem));
}

/// What the patches rely on; the caller has parsed the header before.
void CheckIsOneBatch(base::ByteSpan batch) {
  TALOSMQ_CHECK(batch.size() >= kHeaderBytes) << batch.size();
  const auto length = base::LoadBigEndian<int32_t>(batch.data() + kLengthPosition);
  TALOSMQ_CHECK(batch.size() == static_cast<size_t>(length) + kLengthBase)
      << "length=" << length << " bytes=" << batch.size();
}

void RewriteCrc(base::MutableByteSpan batch) {
  base::StoreBigEndian(batch.data() + kCrcPosition, base::Crc32c(batch.subspan(kCrcBegin)));
}

}  // namespace

absl::StatusOr<BatchHeader> ParseHeader(base::ByteSpan bytes) {
  if (bytes.size() < kHeaderBytes) {
    return absl::OutOfRangeError(
        base::StrCat("batch header: expected ", kHeaderBytes, " bytes, found ", bytes.size()));
  }
  const BatchHeader header = Decode(bytes.data());
  if (header.magic != kMagic) {
    return CorruptBatch(header, base::StrCat("expected magic ", static_cast<int>(kMagic),
                                             ", found ", static_cast<int>(header.magic)));
  }
  if (header.length < kLengthMin) {
    return CorruptBatch(header, base::StrCat("expected a length of at least ", kLengthMin,
                                             ", found ", header.length));
  }
  if (header.base_offset < Offset(0) || header.base_offset > Offset(kBaseOffsetMax)) {
    return CorruptBatch(header, base::StrCat("expected a base offset from 0 to ", kBaseOffsetMax));
  }
  return header;
}

absl::Status VerifyCrc(base::ByteSpan batch) {
  const absl::StatusOr<BatchHeader> header = ParseHeader(batch);
  if (absl::IsOutOfRange(header.status())) {
    return MakeError(Reason::kCorruptBatch, base::FromAbsl(header.status().message()));
  }
  TALOSMQ_RETURN_IF_ERROR(header.status());
  if (batch.size() != header->size()) {
    return CorruptBatch(*header, base::StrCat("expected ", header->size(),
                                              " bytes as its length says, found ", batch.size()));
  }
  const uint32_t crc = base::Crc32c(batch.subspan(kCrcBegin));
  if (crc != header->crc) {
    return CorruptBatch(*header,
                        base::StrCat("expected CRC-32C 0x", absl::Hex(header->crc, absl::kZeroPad8),
                                     ", found 0x", absl::Hex(crc, absl::kZeroPad8)));
  }
  return absl::OkStatus();
}

void PatchBaseOffset(base::MutableByteSpan batch, Offset base_offset) {
  CheckIsOneBatch(batch);
  base::StoreBigEndian(batch.data() + kBaseOffsetPosition, base_offset.value());
}

void PatchEpoch(base::MutableByteSpan batch, LeaderEpoch epoch) {
  CheckIsOneBatch(batch);
  base::StoreBigEndian(batch.data() + kEpochPosition, epoch.value());
}

void StampLogAppendTime(base::MutableByteSpan batch, int64_t now_ms) {
  CheckIsOneBatch(batch);
  std::byte* const attributes = batch.data() + kAttributesPosition;
  const int stamped = base::LoadBigEndian<uint16_t>(attributes) | kLogAppendTimeBit;
  base::StoreBigEndian(attributes, static_cast<uint16_t>(stamped));
  PatchMaxTimestamp(batch, now_ms);
}

void PatchMaxTimestamp(base::MutableByteSpan batch, int64_t max_timestamp_ms) {
  CheckIsOneBatch(batch);
  base::StoreBigEndian(batch.data() + kMaxTimestampPosition, max_timestamp_ms);
  RewriteCrc(batch);
}

void ClearProducer(base::MutableByteSpan batch) {
  CheckIsOneBatch(batch);
  const ProducerStamp none;
  base::StoreBigEndian(batch.data() + kProducerIdPosition, none.producer_id.value());
  base::StoreBigEndian(batch.data() + kProducerEpochPosition, none.producer_epoch);
  base::StoreBigEndian(batch.data() + kBaseSequencePosition, none.base_sequence);
  RewriteCrc(batch);
}

}  // namespace talosmq::record
