#pragma once

#include "base/bytes.h"
#include "record/batch_format.h"
#include "talosmq/ids.h"
#include "talosmq/record.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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
  bool has_delete_horizon() const { return (attributes & kDeleteHorizonBit) != 0; }
  TimestampType timestamp_type() const {
    return (attributes & kLogAppendTimeBit) != 0 ? TimestampType::kLogAppendTime
                                                 : TimestampType::kCreateTime;
  }
};

/// Decodes the header at the start of `bytes`, which may hold more or less than one batch.
/// The status code kOutOfRange when fewer than kHeaderBytes are there; kCorruptBatch when magic is
/// not 2, the length field is below what a header needs, or base offset is not one (so that
/// last_offset() and end_offset() of what it returns cannot overflow). Checks neither CRC nor that
/// the batch is whole.
absl::StatusOr<BatchHeader> ParseHeader(base::ByteSpan bytes);

/// kCorruptBatch unless `batch` is exactly one whole batch whose CRC field matches its bytes.
absl::Status VerifyCrc(base::ByteSpan batch);

/// Write the two fields that the CRC leaves out and the leader owns. These and the next three take
/// the bytes of exactly one batch whose header ParseHeader has accepted.
void PatchBaseOffset(base::MutableByteSpan batch, Offset base_offset);
void PatchEpoch(base::MutableByteSpan batch, LeaderEpoch epoch);
/// Marks the batch LogAppendTime with `now_ms` as its max timestamp and rewrites the CRC.
void StampLogAppendTime(base::MutableByteSpan batch, int64_t now_ms);
/// Rewrites the max timestamp and the CRC (a client sent a wrong one).
void PatchMaxTimestamp(base::MutableByteSpan batch, int64_t max_timestamp_ms);
/// Makes it a batch of no producer and rewrites the CRC.
void ClearProducer(base::MutableByteSpan batch);

/// Headers look the same whether they are written or read.
using HeaderView = Header;

/// One record inside a batch; views into the batch, or into what it was decompressed to.
struct RecordView {
  Offset offset;
  int64_t timestamp_ms = 0;
  std::optional<std::string_view> key = std::nullopt;
  std::optional<std::string_view> value = std::nullopt;
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
  /// kInvalidRecord when the CRC is right but the inside cannot be inflated within the limits (a
  /// poison batch: the message names the offset range; ParseHeader of it tells what to skip).
  static absl::StatusOr<BatchReader> Open(base::ByteSpan batch, const DecodeLimits& limits);

  const BatchHeader& header() const { return header_; }
  /// The next record, nothing at the end; kInvalidRecord, naming the offset range of the batch,
  /// when its inside is broken. After an error the reader is at its end.
  absl::StatusOr<std::optional<RecordView>> Next();

 private:
  BatchReader(const BatchHeader& header, base::ByteSpan records, base::Buffer inflated);
  /// Ends the reading: what is left cannot be trusted.
  absl::Status Break(std::string_view problem);

  BatchHeader header_;
  base::Buffer inflated_;  ///< Keeps what a compressed batch was inflated to.
  base::ByteSpan rest_;
  int32_t seen_ = 0;
  int32_t last_delta_ = -1;  ///< Offset delta of the record before; deltas only grow.
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
/// magic, counts, attributes (not control, not transactional, nothing a broker sets or nobody
/// knows), sequence, then each record once: structure, offset deltas 0,1,2..., size (of the record
/// without its length field), key, timestamp. A compressed batch is inflated as a stream under its
/// cap. Errors: kBatchTooLarge, kCorruptBatch, kInvalidRecord, kUnsupportedCompression,
/// kInvalidTimestamp.
absl::StatusOr<BatchFacts> ValidateClientBatch(base::ByteSpan batch,
                                               const ValidationOptions& options);

using HeaderInput = Header;

/// One record to be put into a batch; the bytes are copied.
struct RecordInput {
  int64_t timestamp_ms = 0;
  std::optional<std::string_view> key = std::nullopt;
  std::optional<std::string_view> value = std::nullopt;
  std::span<const HeaderInput> headers = {};
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
  /// `reserve_bytes`: first allocation, at the first record; grows by doubling.
  BatchBuilder(Codec codec, size_t reserve_bytes);

  /// The caller keeps bytes() + EncodedBytesMax() below 2^31, as a length field has to, and the
  /// timestamps of one batch less than 2^63 ms apart: a broker refuses others.
  void Append(const RecordInput& record);
  /// An upper bound of what Append would add to bytes().
  static size_t EncodedBytesMax(const RecordInput& record);

  int32_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  /// Uncompressed size of the batch so far, header included.
  size_t bytes() const;

  /// The finished batch; the builder is empty again and may be reused. At least one record.
  /// Uncompressed, it takes the builder's own block along unless most of that is unused.
  /// Fails only when a compressor does; the builder is empty then, too.
  absl::StatusOr<base::Buffer> Finish(const ProducerStamp& producer);

 private:
  friend class BatchRewriter;

  void Put(const RecordInput& record, int32_t offset_delta);
  void Grow(size_t bytes_min);
  /// The finished batch with the fields of `header` but for length and CRC; the builder is empty
  /// then.
  absl::StatusOr<base::Buffer> FinishAs(const BatchHeader& header);
  absl::StatusOr<base::Buffer> Encode(const BatchHeader& header);

  Codec codec_;
  size_t reserve_bytes_;
  base::Buffer buffer_;
  size_t used_ = kHeaderBytes;
  int32_t count_ = 0;
  int64_t base_timestamp_ms_ = 0;
  int64_t max_timestamp_ms_ = 0;
};

/// Builds the batch that compaction leaves of another one: some of its records, at their offsets.
/// Offset range, epoch, producer and codec stay; one without records is a header alone. What it has
/// appended may be no more than the original holds. Thread-compatible.
///
/// A delete horizon is the time from which on compaction may drop the tombstones of the batch. As
/// in Kafka (KIP-534) it takes the place of the base timestamp, under an attribute of its own.
class BatchRewriter {
 public:
  explicit BatchRewriter(const BatchHeader& original);
  /// Before the first record.
  void SetDeleteHorizon(int64_t horizon_ms);
  void Append(const RecordView& record);
  /// Fails only when a compressor does.
  absl::StatusOr<base::Buffer> Finish();

 private:
  BatchHeader header_;
  BatchBuilder builder_;
};

}  // namespace talosmq::record
