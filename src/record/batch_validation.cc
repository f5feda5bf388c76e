#include "base/status.h"
#include "base/text.h"
#include "record/batch.h"
#include "record/compression.h"
#include "record/record_parser.h"
#include "talosmq/error.h"

#include <limits>

namespace talosmq::record {
namespace {

absl::Status Invalid(std::string_view problem) {
  return MakeError(Reason::kInvalidRecord, base::StrCat("batch: ", problem));
}

absl::Status AtRecord(Reason reason, const BatchHeader& header, int32_t index,
                      std::string_view problem) {
  return MakeError(reason,
                   base::StrCat("batch: record ", index, " of ", header.count, ": ", problem));
}

/// One whole batch of an allowed size that arrived as it was sent.
absl::StatusOr<BatchHeader> CheckOutside(base::ByteSpan batch, const ValidationOptions& options) {
  if (batch.size() < kHeaderBytes) {
    return MakeError(Reason::kCorruptBatch, base::StrCat("batch: expected at least ", kHeaderBytes,
                                                         " bytes, found ", batch.size()));
  }
  TALOSMQ_ASSIGN_OR_RETURN(const BatchHeader header, ParseHeader(batch));
  if (header.size() != batch.size()) {
    return MakeError(Reason::kCorruptBatch,
                     base::StrCat("batch: expected exactly one of ", header.size(),
                                  " bytes as its length says, found ", batch.size(), " bytes"));
  }
  if (header.base_offset != Offset(0)) {
    return Invalid(base::StrCat("expected base offset 0, found ", header.base_offset.value()));
  }
  if (static_cast<int64_t>(batch.size()) > options.batch_bytes_max) {
    return MakeError(Reason::kBatchTooLarge,
                     base::StrCat("batch: expected at most ", options.batch_bytes_max,
                                  " bytes (max.message.bytes), found ", batch.size()));
  }
  TALOSMQ_RETURN_IF_ERROR(VerifyCrc(batch));
  return header;
}

absl::Status CheckCounts(const BatchHeader& header) {
  if (header.last_offset_delta < 0 || header.count < 1 ||
      header.count - 1 != header.last_offset_delta) {
    return Invalid(
        base::StrCat("expected a records count of at least 1 and one above the last "
                     "offset delta, found count ",
                     header.count, " and delta ", header.last_offset_delta));
  }
  return absl::OkStatus();
}

absl::Status CheckAttributes(const BatchHeader& header) {
  if (header.is_control()) return Invalid("control batches come from brokers only");
  if ((header.attributes & kTransactionalBit) != 0) {
    return Invalid("expected no transactional batch, since transactions are not supported");
  }
  if ((header.attributes & kLogAppendTimeBit) != 0) {
    return MakeError(Reason::kInvalidTimestamp,
                     "batch: expected timestamp type CreateTime, found LogAppendTime, which a "
                     "broker sets");
  }
  if ((header.attributes & (kDeleteHorizonBit | kReservedBits)) != 0) {
    return Invalid(base::StrCat("expected attributes without bits 6 to 15, found 0x",
                                absl::Hex(header.attributes)));
  }
  return absl::OkStatus();
}

absl::Status CheckSequence(const BatchHeader& header) {
  if (header.producer_id >= ProducerId(0) && header.base_sequence < 0) {
    return Invalid(base::StrCat("producer ", header.producer_id.value(),
                                ": expected a base sequence of at least 0, found ",
                                header.base_sequence));
  }
  return absl::OkStatus();
}

/// Only timestamps that lie ahead are refused: old data is loaded late, wrong clocks run ahead.
absl::Status CheckLargestTimestamp(const BatchHeader& header, int32_t index, int64_t timestamp_ms,
                                   const ValidationOptions& options) {
  if (options.timestamp_type == TimestampType::kLogAppendTime) return absl::OkStatus();
  int64_t timestamp_max_ms = 0;
  if (__builtin_add_overflow(options.now_ms, options.timestamp_after_max_ms, &timestamp_max_ms)) {
    timestamp_max_ms = std::numeric_limits<int64_t>::max();
  }
  if (timestamp_ms <= timestamp_max_ms) return absl::OkStatus();
  return AtRecord(
      Reason::kInvalidTimestamp, header, index,
      base::StrCat("expected a timestamp of at most ", timestamp_max_ms,
                   " ms (message.timestamp.after.max.ms past now), found ", timestamp_ms));
}

/// Names what is wrong with a record of sound structure that the walk has refused.
absl::Status RefuseRecord(const BatchHeader& header, int32_t index, const ParsedRecord& record,
                          const ValidationOptions& options) {
  if (record.offset_delta != index) {
    return AtRecord(Reason::kInvalidRecord, header, index,
                    base::StrCat("expected offset delta ", index, ", found ", record.offset_delta));
  }
  if (record.body_bytes > options.record_bytes_max) {
    return AtRecord(Reason::kBatchTooLarge, header, index,
                    base::StrCat("expected at most ", options.record_bytes_max,
                                 " bytes (max.record.bytes), found ", record.body_bytes));
  }
  if (options.keys_required && record.key_bytes < 0) {
    return AtRecord(Reason::kInvalidRecord, header, index,
                    "expected a key, since its topic is compacted, found none");
  }
  return AtRecord(Reason::kInvalidRecord, header, index,
                  base::StrCat("timestamp delta ", record.timestamp_delta,
                               " overflows base timestamp ", header.base_timestamp_ms));
}

/// The walk over every record that is stored: what it does for each is compare, nothing more.
absl::StatusOr<int64_t> WalkRecords(const BatchHeader& header, base::ByteSpan records,
                                    const ValidationOptions& options) {
  RecordParser parser;
  const std::byte* at = records.data();
  const std::byte* const end = at + records.size();
  ParsedRecord record;
  int64_t largest_ms = std::numeric_limits<int64_t>::min();
  int32_t largest_index = 0;
  for (int32_t i = 0; i < header.count; ++i) {
    at = parser.Parse(at, end, record);
    if (at == nullptr) [[unlikely]] {
      return AtRecord(Reason::kInvalidRecord, header, i, parser.fault());
    }
    int64_t timestamp_ms = 0;
    const bool overflows =
        __builtin_add_overflow(header.base_timestamp_ms, record.timestamp_delta, &timestamp_ms);
    if (record.offset_delta != i || record.body_bytes > options.record_bytes_max ||
        (options.keys_required && record.key_bytes < 0) || overflows) [[unlikely]] {
      return RefuseRecord(header, i, record, options);
    }
    if (timestamp_ms > largest_ms) {
      largest_ms = timestamp_ms;
      largest_index = i;
    }
  }
  if (at != end) {
    return Invalid(base::StrCat(end - at, " bytes are left over after its last record"));
  }
  TALOSMQ_RETURN_IF_ERROR(CheckLargestTimestamp(header, largest_index, largest_ms, options));
  return largest_ms;
}

}  // namespace

absl::StatusOr<BatchFacts> ValidateClientBatch(base::ByteSpan batch,
                                               const ValidationOptions& options) {
  TALOSMQ_ASSIGN_OR_RETURN(const BatchHeader header, CheckOutside(batch, options));
  TALOSMQ_RETURN_IF_ERROR(CheckCounts(header));
  TALOSMQ_RETURN_IF_ERROR(CheckAttributes(header));
  TALOSMQ_RETURN_IF_ERROR(CheckSequence(header));
  base::ByteSpan records = batch.subspan(kHeaderBytes);
  base::Buffer inflated;
  if (header.codec() != Codec::kNone) {
    absl::StatusOr<base::Buffer> whole =
        Inflate(header.codec(), records, options.inflated_bytes_max);
    if (!whole.ok()) return base::Annotate(whole.status(), "batch");
    inflated = *std::move(whole);
    records = inflated.bytes();
  }
  TALOSMQ_ASSIGN_OR_RETURN(const int64_t max_timestamp_ms, WalkRecords(header, records, options));
  return BatchFacts{.header = header, .max_timestamp_ms = max_timestamp_ms};
}

}  // namespace talosmq::record
