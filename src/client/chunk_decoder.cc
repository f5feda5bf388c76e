#include "client/chunk_decoder.h"

#include "base/text.h"
#include "record/batch.h"
#include "talosmq/error.h"

#include <memory>
#include <utility>

namespace talosmq::client {
namespace {

/// Keeps alive what the records of one batch view.
struct BatchBytes {
  base::Buffer stored;
  record::BatchReader reader;  ///< Holds what a compressed batch was inflated to.
};

/// Timestamps repeat; turning them into absl::Time is paid once for each that does not.
class TimeCache {
 public:
  absl::Time Of(int64_t ms) {
    if (ms != ms_) {
      ms_ = ms;
      time_ = absl::FromUnixMillis(ms);
    }
    return time_;
  }

 private:
  int64_t ms_ = 0;
  absl::Time time_ = absl::UnixEpoch();
};

absl::Status ReadRecords(record::BatchReader& reader, Offset position,
                         std::vector<ConsumedRecord>& records) {
  TimeCache times;
  records.reserve(static_cast<size_t>(reader.header().count));
  while (true) {
    absl::StatusOr<std::optional<record::RecordView>> next = reader.Next();
    if (!next.ok()) return next.status();
    if (!next->has_value()) return absl::OkStatus();
    const record::RecordView& record = **next;
    if (record.offset < position) continue;
    ConsumedRecord& consumed = records.emplace_back();
    consumed.offset = record.offset;
    consumed.timestamp = times.Of(record.timestamp_ms);
    consumed.key = record.key;
    consumed.value = record.value;
    if (record.headers_count > 0) consumed.headers = record::HeadersOf(record);
  }
}

absl::Status Corrupt(const FetchedChunk& chunk, Offset first, Offset last,
                     const absl::Status& why) {
  return MakeError(Reason::kCorruptData,
                   base::StrCat("partition ", chunk.partition.value(), " offsets ", first.value(),
                                " to ", last.value(), ": ", base::FromAbsl(why.message())));
}

/// Reads one whole batch into `decoded`; false when reading has to stop.
bool DecodeBatch(TopicId topic, const FetchedChunk& chunk, const record::BatchHeader& header,
                 const base::Buffer& batch, OnCorrupt on_corrupt, DecodedChunk& decoded) {
  const bool is_wanted = header.end_offset() > decoded.position && !header.is_control();
  if (is_wanted) {
    std::vector<ConsumedRecord> records;
    absl::StatusOr<record::BatchReader> reader =
        record::BatchReader::Open(batch.bytes(), record::DecodeLimits());
    std::shared_ptr<BatchBytes> owner;
    absl::Status status = reader.status();
    if (status.ok()) {
      owner = std::make_shared<BatchBytes>(BatchBytes{batch, *std::move(reader)});
      status = ReadRecords(owner->reader, decoded.position, records);
    }
    if (status.ok() && !records.empty()) {
      decoded.batches.emplace_back(TopicPartition{topic, chunk.partition}, std::move(records),
                                   std::move(owner));
    } else if (!status.ok()) {
      const bool is_poison = ReasonOf(status) != Reason::kCorruptBatch;
      if (!is_poison || on_corrupt == OnCorrupt::kFail) {
        decoded.status = Corrupt(chunk, header.base_offset, header.last_offset(), status);
        return false;
      }
      decoded.skipped_records += header.count;
      decoded.skipped.push_back(
          {.partition = chunk.partition,
           .first = header.base_offset,
           .next = header.end_offset(),
           .why = Corrupt(chunk, header.base_offset, header.last_offset(), status)});
    }
  }
  decoded.position = std::max(decoded.position, header.end_offset());
  return true;
}

}  // namespace

DecodedChunk DecodeChunk(TopicId topic, const FetchedChunk& chunk, Offset position,
                         OnCorrupt on_corrupt) {
  DecodedChunk decoded{
      .batches = {}, .position = position, .skipped = {}, .status = absl::OkStatus()};
  for (const SkippedOffsets& skipped : chunk.skipped) {
    decoded.skipped.push_back(skipped);
    decoded.skipped_records += skipped.next - skipped.first;
  }
  size_t at = 0;
  while (at < chunk.records.size()) {
    const absl::StatusOr<record::BatchHeader> header =
        record::ParseHeader(chunk.records.bytes().subspan(at));
    const size_t left = chunk.records.size() - at;
    if (!header.ok() || header->size() > left) {
      decoded.status =
          Corrupt(chunk, decoded.position, chunk.next_offset,
                  header.ok() ? absl::DataLossError("a batch is cut off") : header.status());
      return decoded;
    }
    const base::Buffer batch = chunk.records.Slice(at, header->size());
    if (!DecodeBatch(topic, chunk, *header, batch, on_corrupt, decoded)) return decoded;
    at += header->size();
  }
  // What was removed by compaction or skipped by the server has no batch to tell its end.
  decoded.position = std::max(decoded.position, chunk.next_offset);
  return decoded;
}

}  // namespace talosmq::client
