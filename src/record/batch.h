#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "record/batch_format.h"
#include "talosmq/ids.h"

namespace talosmq::record {

/// The header of one batch, decoded. Immutable in practice; a plain value.
struct BatchHeader {
  Offset base_offset;
  int32_t length = 0;  ///< Bytes after the length field; the whole batch is kLengthBase more.
  LeaderEpoch epoch;
  int8_t magic = 0;
  uint32_t crc = 0;
  uint16_t attributes = 0;
  int32_t last_offset_delta = 0;
  int64_t base_timestamp_ms = 0;
  int64_t max_timestamp_ms = 0;
  ProducerId producer_id;
  int16_t producer_epoch = -1;
  int32_t base_sequence = -1;
  int32_t count = 0;

  size_t size() const { return static_cast<size_t>(length) + kLengthBase; }
  Offset last_offset() const { return base_offset + last_offset_delta; }
  /// One past the last offset: where the next batch begins.
  Offset end_offset() const { return base_offset + last_offset_delta + 1; }
  Codec codec() const { return static_cast<Codec>(attributes & kCodecMask); }
  bool is_control() const { return (attributes & kControlBit) != 0; }
  TimestampType timestamp_type() const {
    return (attributes & kLogAppendTimeBit) != 0 ? TimestampType::kLogAppendTime
                                                 : TimestampType::kCreateTime;
  }
};

/// Decodes the header at the start of `bytes`, which may hold more or less than one batch.
/// kOutOfRange when fewer than kHeaderBytes are there; kCorruptBatch when magic is not 2, or the
/// length field is below what a header needs. Checks neither CRC nor that the batch is whole.
absl::StatusOr<BatchHeader> ParseHeader(base::ByteSpan bytes);

/// kCorruptBatch unless the CRC field of the whole batch in `batch` matches its bytes.
absl::Status VerifyCrc(base::ByteSpan batch);

/// Write the two fields that the CRC leaves out and the leader owns.
void PatchBaseOffset(base::MutableByteSpan batch, Offset base_offset);
void PatchEpoch(base::MutableByteSpan batch, LeaderEpoch epoch);
/// Marks the batch LogAppendTime with `now_ms` as its max timestamp and rewrites the CRC.
void StampLogAppendTime(base::MutableByteSpan batch, int64_t now_ms);
/// Rewrites the max timestamp and the CRC (a client sent a wrong one).
void PatchMaxTimestamp(base::MutableByteSpan batch, int64_t max_timestamp_ms);

struct HeaderView {
  std::string_view key;
  std::optional<std::string_view> value;
};

/// One record inside a batch; views into the batch, or into what it was decompressed to.
struct RecordView {
  Offset offset;
  int64_t timestamp_ms = 0;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  int32_t headers_count = 0;
  std::string_view headers_bytes;  ///< Structure already checked; read through HeadersOf.
};
/// In their order; duplicates are kept.
std::vector<HeaderView> HeadersOf(const RecordView& record);

/// Limits of what one batch may turn into. Bytes.
struct DecodeLimits {
  int64_t inflated_bytes_max = int64_t{64} << 20;
};

/// Reads the records of one whole batch. Thread-compatible. The views it gives live as long as the
/// reader and the bytes it was opened on.
class BatchReader {
 public:
  /// Checks header, size and CRC, and inflates. Fails with kCorruptBatch for damage outside and
  /// kInvalidRecord when the CRC is right but the inside cannot be inflated (a poison batch: the
  /// message names the offset range; header() of such a batch tells what to skip).
  static absl::StatusOr<BatchReader> Open(base::ByteSpan batch, const DecodeLimits& limits);

  const BatchHeader& header() const { return header_; }
  /// The next record, nothing at the end; kInvalidRecord, naming the offset range of the batch,
  /// when its inside is broken. After an error the reader is at its end.
  absl::StatusOr<std::optional<RecordView>> Next();

 private:
  BatchReader(BatchHeader header, base::ByteSpan records, base::Buffer inflated);
  BatchHeader header_;
  base::Buffer inflated_;  ///< Keeps what a compressed batch was inflated to.
  base::ByteSpan rest_;
  int32_t seen_ = 0;
};

/// What a broker asks of a batch that a client sent, before it is given offsets.
struct ValidationOptions {
  int64_t batch_bytes_max = int64_t{20} << 20;
  int64_t record_bytes_max = int64_t{10} << 20;
  int64_t inflated_bytes_max = int64_t{64} << 20;
  TimestampType timestamp_type = TimestampType::kCreateTime;
  int64_t now_ms = 0;
  int64_t timestamp_after_max_ms = 3'600'000;  ///< How far a record may lie ahead of now_ms.
  bool keys_required = false;                  ///< A compacted topic.
};

/// What the walk over a sound batch has found.
struct BatchFacts {
  BatchHeader header;
  /// Largest record timestamp; differs from header.max_timestamp_ms when the client was wrong.
  int64_t max_timestamp_ms = 0;
};

/// The checks of a leader, in Kafka's order: exactly one whole batch, base offset 0, size, CRC,
/// magic, counts, not control, sequence, then each record once: structure, offset deltas 0,1,2...,
/// size, key, timestamp. A compressed batch is inflated as a stream under its cap. Errors:
/// kBatchTooLarge, kCorruptBatch, kInvalidRecord, kUnsupportedCompression, kInvalidTimestamp.
absl::StatusOr<BatchFacts> ValidateClientBatch(base::ByteSpan batch,
                                               const ValidationOptions& options);

struct HeaderInput {
  std::string_view key;
  std::optional<std::string_view> value;
};

/// One record to be put into a batch; the bytes are copied.
struct RecordInput {
  int64_t timestamp_ms = 0;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::span<const HeaderInput> headers;
};

/// Producer fields of a batch; the defaults mean "not idempotent".
struct ProducerStamp {
  ProducerId producer_id = kNoProducer;
  int16_t producer_epoch = -1;
  int32_t base_sequence = -1;
};

/// Builds one client batch (base offset 0, epoch -1) straight into its final bytes; a record is
/// copied once. Thread-compatible.
class BatchBuilder {
 public:
  /// `reserve_bytes`: first allocation; grows by doubling.
  BatchBuilder(Codec codec, size_t reserve_bytes);

  void Append(const RecordInput& record);
  /// An upper bound of what Append would add to bytes().
  static size_t EncodedBytesMax(const RecordInput& record);

  int32_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  /// Uncompressed size of the batch so far, header included.
  size_t bytes() const;

  /// The finished batch; the builder is empty again and may be reused. At least one record.
  /// Fails only when a compressor does.
  absl::StatusOr<base::Buffer> Finish(const ProducerStamp& producer);

 private:
  Codec codec_;
  size_t reserve_bytes_;
  base::Buffer buffer_;
  size_t used_ = kHeaderBytes;
  int32_t count_ = 0;
  int64_t base_timestamp_ms_ = 0;
  int64_t max_timestamp_ms_ = 0;
};

}  // namespace talosmq::record
