#include "base/check.h"
#include "base/status.h"
#include "base/text.h"
#include "record/batch.h"
#include "record/compression.h"
#include "record/record_parser.h"
#include "talosmq/error.h"

#include <utility>

namespace talosmq::record {
namespace {

/// A batch whose CRC is right and whose inside is not: says which offsets a reader loses by
/// stepping over it.
absl::Status Poisoned(const BatchHeader& header, std::string_view problem) {
  return MakeError(Reason::kInvalidRecord,
                   base::StrCat("batch of offsets [", header.base_offset.value(), ", ",
                                header.end_offset().value(), "): ", problem));
}

std::optional<std::string_view> Field(const std::byte* data, int32_t bytes) {
  if (bytes < 0) return std::nullopt;
  return base::AsText({data, static_cast<size_t>(bytes)});
}

/// Counts as they can be after compaction too: fewer records than offsets, even none.
absl::Status CheckCounts(const BatchHeader& header) {
  if (header.last_offset_delta < 0) {
    return MakeError(Reason::kCorruptBatch,
                     base::StrCat("batch at base offset ", header.base_offset.value(),
                                  ": expected a last offset delta of at least 0, found ",
                                  header.last_offset_delta));
  }
  const int64_t count_max = int64_t{header.last_offset_delta} + 1;
  if (header.count < 0 || header.count > count_max) {
    return Poisoned(header, base::StrCat("expected a records count from 0 to ", count_max,
                                         ", found ", header.count));
  }
  return absl::OkStatus();
}

}  // namespace

BatchReader::BatchReader(const BatchHeader& header, base::ByteSpan records, base::Buffer inflated)
    : header_(header), inflated_(std::move(inflated)), rest_(records) {}

absl::StatusOr<BatchReader> BatchReader::Open(base::ByteSpan batch, const DecodeLimits& limits) {
  TALOSMQ_RETURN_IF_ERROR(VerifyCrc(batch));
  TALOSMQ_ASSIGN_OR_RETURN(const BatchHeader header, ParseHeader(batch));
  TALOSMQ_RETURN_IF_ERROR(CheckCounts(header));
  const base::ByteSpan records = batch.subspan(kHeaderBytes);
  // Compaction leaves a header alone, without a stream, of a batch that lost all its records.
  if (header.codec() == Codec::kNone || (header.count == 0 && records.empty())) {
    return BatchReader(header, records, base::Buffer());
  }
  absl::StatusOr<base::Buffer> inflated =
      Inflate(header.codec(), records, limits.inflated_bytes_max);
  if (!inflated.ok()) return Poisoned(header, base::FromAbsl(inflated.status().message()));
  const base::ByteSpan inflated_records = inflated->bytes();
  return BatchReader(header, inflated_records, *std::move(inflated));
}

absl::StatusOr<std::optional<RecordView>> BatchReader::Next() {
  if (seen_ == header_.count) {
    if (rest_.empty()) return std::nullopt;
    return Break(base::StrCat(rest_.size(), " bytes are left over after its last record"));
  }
  RecordParser parser;
  ParsedRecord record;
  const std::byte* const end = rest_.data() + rest_.size();
  const std::byte* const after = parser.Parse(rest_.data(), end, record);
  if (after == nullptr) {
    return Break(base::StrCat("record ", seen_, " of ", header_.count, ": ", parser.fault()));
  }
  if (record.offset_delta <= last_delta_ || record.offset_delta > header_.last_offset_delta) {
    return Break(base::StrCat("record ", seen_, " of ", header_.count,
                              ": expected an offset delta from ", last_delta_ + int64_t{1}, " to ",
                              header_.last_offset_delta, ", found ", record.offset_delta));
  }
  int64_t timestamp_ms = 0;
  if (__builtin_add_overflow(header_.base_timestamp_ms, record.timestamp_delta, &timestamp_ms)) {
    return Break(base::StrCat("record ", seen_, " of ", header_.count, ": timestamp delta ",
                              record.timestamp_delta, " overflows base timestamp ",
                              header_.base_timestamp_ms));
  }
  rest_ = {after, end};
  ++seen_;
  last_delta_ = record.offset_delta;
  if (header_.timestamp_type() == TimestampType::kLogAppendTime) {
    timestamp_ms = header_.max_timestamp_ms;
  }
  return RecordView{.offset = header_.base_offset + record.offset_delta,
                    .timestamp_ms = timestamp_ms,
                    .key = Field(record.key, record.key_bytes),
                    .value = Field(record.value, record.value_bytes),
                    .headers_count = record.headers_count,
                    .headers_bytes = base::AsText({record.headers, record.end})};
}

absl::Status BatchReader::Break(std::string_view problem) {
  rest_ = {};
  seen_ = header_.count;
  return Poisoned(header_, problem);
}

std::vector<HeaderView> HeadersOf(const RecordView& record) {
  const base::ByteSpan bytes = base::AsBytes(record.headers_bytes);
  RecordParser parser;
  const std::byte* from = bytes.data();
  const std::byte* const end = from + bytes.size();
  std::vector<HeaderView> headers;
  headers.reserve(static_cast<size_t>(record.headers_count));
  for (int32_t i = 0; i < record.headers_count; ++i) {
    base::ByteSpan key;
    base::ByteSpan value;
    from = parser.ParseHeader(from, end, key, value);
    TALOSMQ_CHECK(from != nullptr) << "a RecordView has checked headers: " << parser.fault();
    HeaderView header{.key = base::AsText(key), .value = std::nullopt};
    if (value.data() != nullptr) header.value = base::AsText(value);
    headers.push_back(header);
  }
  return headers;
}

}  // namespace talosmq::record
