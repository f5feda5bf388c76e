#pragma once

#include "record/batch_format.h"
#include "storage/partition_log.h"
#include "talosmq/ids.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace talosmq::inspect {

enum class Severity {
  kNote,    ///< Worth knowing; nothing is lost.
  kDamage,  ///< Bytes that were durable are not what they have to be.
};

/// One thing that was found. "FILE" or "FILE at position N: what".
struct Finding {
  Severity severity = Severity::kNote;
  std::string file;
  std::optional<uint64_t> position;
  std::string what;
};

/// One batch, by its header.
struct BatchReport {
  uint64_t position = 0;
  int64_t size_bytes = 0;
  Offset base_offset;
  Offset last_offset;
  int32_t count = 0;
  LeaderEpoch epoch;
  record::Codec codec = record::Codec::kNone;
  record::TimestampType timestamp_type = record::TimestampType::kCreateTime;
  int64_t base_timestamp_ms = 0;
  int64_t max_timestamp_ms = 0;
  ProducerId producer_id = kNoProducer;
  int16_t producer_epoch = -1;
  int32_t base_sequence = -1;
  bool is_control = false;
};

struct SegmentReport {
  std::string file;
  Offset base_offset;
  Offset end_offset;  ///< One past the last record that was read.
  int64_t file_bytes = 0;
  int64_t batch_bytes = 0;  ///< Of whole batches; the rest is preallocated, or damaged.
  int64_t batches_count = 0;
  int64_t records_count = 0;
  int64_t index_entries = 0;
  std::optional<int64_t> max_timestamp_ms;
  std::vector<BatchReport> batches;  ///< Empty unless asked for.
};

struct LogReport {
  TopicPartition log;
  std::string directory;
  /// As the checkpoint recorded it; nothing when it does not name the log. Beside a running server
  /// what lies above may still be written, so it is listed as far as it is whole, and not judged.
  std::optional<Offset> flushed_end;
  Offset log_start;
  Offset end_offset;  ///< One past the last record that was read.
  std::vector<storage::EpochEntry> epochs;
  std::vector<SegmentReport> segments;
  std::vector<Finding> findings;
};

/// A log folder gives one log, a data directory all of them.
struct Report {
  std::vector<LogReport> logs;
  std::vector<Finding> findings;  ///< About files of the whole data directory.

  /// Of all logs and the directory.
  int64_t CountFindings(Severity severity) const;
};

}  // namespace talosmq::inspect
