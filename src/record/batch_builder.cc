#include "base/check.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "base/varint.h"
#include "record/batch.h"
#include "record/compression.h"
#include "record/fitted_buffer.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace talosmq::record {
namespace {

constexpr size_t kBatchBytesMax = std::numeric_limits<int32_t>::max();
constexpr int64_t kAbsent = -1;  // The length of a key or value that is null.
constexpr std::byte kRecordAttributes{0};

using OptionalText = std::optional<std::string_view>;

int64_t LengthOf(const OptionalText& text) {
  return text.has_value() ? static_cast<int64_t>(text->size()) : kAbsent;
}
size_t BytesOf(const OptionalText& text) { return text.has_value() ? text->size() : 0; }

size_t FieldBytes(const OptionalText& text) {
  return base::VarintBytes(LengthOf(text)) + BytesOf(text);
}
size_t FieldBytesMax(const OptionalText& text) { return base::kVarint32BytesMax + BytesOf(text); }

/// The bytes after the length field.
size_t BodyBytes(const RecordInput& record, int64_t timestamp_delta, int32_t offset_delta) {
  size_t bytes = sizeof(kRecordAttributes) + base::VarintBytes(timestamp_delta) +
                 base::VarintBytes(offset_delta) + FieldBytes(record.key) +
                 FieldBytes(record.value) +
                 base::VarintBytes(static_cast<int64_t>(record.headers.size()));
  for (const HeaderInput& header : record.headers) {
    bytes += FieldBytes(header.key) + FieldBytes(header.value);
  }
  return bytes;
}

std::byte* PutField(std::byte* to, const OptionalText& text) {
  to = base::PutVarint(to, LengthOf(text));
  const size_t bytes = BytesOf(text);
  if (bytes > 0) std::memcpy(to, text->data(), bytes);
  return to + bytes;
}

/// Wraps where it cannot be expressed, which readers refuse.
int64_t Delta(int64_t timestamp_ms, int64_t base_timestamp_ms) {
  return static_cast<int64_t>(static_cast<uint64_t>(timestamp_ms) -
                              static_cast<uint64_t>(base_timestamp_ms));
}

/// All fields; length and CRC as `batch` has them.
void WriteHeader(const BatchHeader& header, base::MutableByteSpan batch) {
  std::byte* const to = batch.data();
  base::StoreBigEndian(to + kBaseOffsetPosition, header.base_offset.value());
  base::StoreBigEndian(to + kLengthPosition, static_cast<int32_t>(batch.size() - kLengthBase));
  base::StoreBigEndian(to + kEpochPosition, header.epoch.value());
  base::StoreBigEndian(to + kMagicPosition, kMagic);
  base::StoreBigEndian(to + kAttributesPosition, header.attributes);
  base::StoreBigEndian(to + kLastOffsetDeltaPosition, header.last_offset_delta);
  base::StoreBigEndian(to + kBaseTimestampPosition, header.base_timestamp_ms);
  base::StoreBigEndian(to + kMaxTimestampPosition, header.max_timestamp_ms);
  base::StoreBigEndian(to + kProducerIdPosition, header.producer_id.value());
  base::StoreBigEndian(to + kProducerEpochPosition, header.producer_epoch);
  base::StoreBigEndian(to + kBaseSequencePosition, header.base_sequence);
  base::StoreBigEndian(to + kCountPosition, header.count);
  base::StoreBigEndian(to + kCrcPosition, base::Crc32c(batch.subspan(kCrcBegin)));
}

}  // namespace

BatchBuilder::BatchBuilder(Codec codec, size_t reserve_bytes)
    : codec_(codec), reserve_bytes_(reserve_bytes) {}

void BatchBuilder::Append(const RecordInput& record) {
  if (count_ == 0) base_timestamp_ms_ = record.timestamp_ms;
  Put(record, count_);
}

void BatchBuilder::Put(const RecordInput& record, int32_t offset_delta) {
  const size_t bytes_min = used_ + EncodedBytesMax(record);
  if (bytes_min > buffer_.size()) Grow(bytes_min);
  if (count_ == 0) max_timestamp_ms_ = record.timestamp_ms;
  max_timestamp_ms_ = std::max(max_timestamp_ms_, record.timestamp_ms);
  const int64_t timestamp_delta = Delta(record.timestamp_ms, base_timestamp_ms_);

  std::byte* const begin = buffer_.mutable_bytes().data() + used_;
  std::byte* at = begin;
  at = base::PutVarint(at, static_cast<int64_t>(BodyBytes(record, timestamp_delta, offset_delta)));
  *at++ = kRecordAttributes;
  at = base::PutVarint(at, timestamp_delta);
  at = base::PutVarint(at, offset_delta);
  at = PutField(at, record.key);
  at = PutField(at, record.value);
  at = base::PutVarint(at, static_cast<int64_t>(record.headers.size()));
  for (const HeaderInput& header : record.headers) {
    at = PutField(at, header.key);
    at = PutField(at, header.value);
  }
  used_ += static_cast<size_t>(at - begin);
  ++count_;
}

size_t BatchBuilder::EncodedBytesMax(const RecordInput& record) {
  // Length, offset delta and headers count; attributes; timestamp delta.
  size_t bytes = 3 * base::kVarint32BytesMax + sizeof(kRecordAttributes) + base::kVarint64BytesMax +
                 FieldBytesMax(record.key) + FieldBytesMax(record.value);
  for (const HeaderInput& header : record.headers) {
    bytes += FieldBytesMax(header.key) + FieldBytesMax(header.value);
  }
  return bytes;
}

size_t BatchBuilder::bytes() const { return used_; }

void BatchBuilder::Grow(size_t bytes_min) {
  TALOSMQ_CHECK(bytes_min <= kBatchBytesMax) << bytes_min;
  const size_t wanted = std::max({bytes_min, reserve_bytes_, 2 * buffer_.size()});
  base::Buffer larger = base::Buffer::Allocate(std::min(wanted, kBatchBytesMax));
  if (count_ > 0) {
    std::memcpy(larger.mutable_bytes().data() + kHeaderBytes, buffer_.bytes().data() + kHeaderBytes,
                used_ - kHeaderBytes);
  }
  buffer_ = std::move(larger);
}

absl::StatusOr<base::Buffer> BatchBuilder::Finish(const ProducerStamp& producer) {
  TALOSMQ_CHECK(count_ > 0) << "a batch has at least one record";
  return FinishAs({.base_offset = Offset(0),
                   .epoch = kNoEpoch,
                   .attributes = static_cast<uint16_t>(codec_),
                   .last_offset_delta = count_ - 1,
                   .base_timestamp_ms = base_timestamp_ms_,
                   .max_timestamp_ms = max_timestamp_ms_,
                   .producer_id = producer.producer_id,
                   .producer_epoch = producer.producer_epoch,
                   .base_sequence = producer.base_sequence,
                   .count = count_});
}

absl::StatusOr<base::Buffer> BatchBuilder::FinishAs(const BatchHeader& header) {
  absl::StatusOr<base::Buffer> batch = Encode(header);
  used_ = kHeaderBytes;
  count_ = 0;
  return batch;
}

absl::StatusOr<base::Buffer> BatchBuilder::Encode(const BatchHeader& header) {
  if (codec_ == Codec::kNone) {
    const base::MutableByteSpan batch = buffer_.mutable_bytes().first(used_);
    WriteHeader(header, batch);
    base::Buffer finished = Fitted(buffer_, used_);
    // Once handed out the block must not be written again; a copy leaves it to us.
    if (finished.bytes().data() == batch.data()) buffer_ = base::Buffer();
    return finished;
  }
  const base::ByteSpan records = buffer_.bytes().first(used_).subspan(kHeaderBytes);
  TALOSMQ_ASSIGN_OR_RETURN(base::Buffer compressed, CompressAfter(kHeaderBytes, codec_, records));
  TALOSMQ_CHECK(compressed.size() <= kBatchBytesMax) << compressed.size();
  WriteHeader(header, compressed.mutable_bytes());
  return compressed;
}

BatchRewriter::BatchRewriter(const BatchHeader& original)
    : header_(original), builder_(original.codec(), original.size()) {
  builder_.base_timestamp_ms_ = original.base_timestamp_ms;
}

void BatchRewriter::SetDeleteHorizon(int64_t horizon_ms) {
  header_.attributes |= kDeleteHorizonBit;
  header_.base_timestamp_ms = horizon_ms;
  builder_.base_timestamp_ms_ = horizon_ms;
}

void BatchRewriter::Append(const RecordView& record) {
  const std::vector<HeaderView> headers = HeadersOf(record);
  builder_.Put({.timestamp_ms = record.timestamp_ms,
                .key = record.key,
                .value = record.value,
                .headers = headers},
               static_cast<int32_t>(record.offset - header_.base_offset));
}

absl::StatusOr<base::Buffer> BatchRewriter::Finish() {
  header_.count = builder_.count_;
  if (header_.count == 0) {
    header_.attributes &= static_cast<uint16_t>(~kCodecMask);
    base::Buffer empty = base::Buffer::Allocate(kHeaderBytes);
    WriteHeader(header_, empty.mutable_bytes());
    return empty;
  }
  // With LogAppendTime all records have the time of the batch.
  if (header_.timestamp_type() == TimestampType::kCreateTime) {
    header_.max_timestamp_ms = builder_.max_timestamp_ms_;
  }
  return builder_.FinishAs(header_);
}

}  // namespace talosmq::record
