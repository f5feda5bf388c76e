#include "cli/log_document.h"

#include "base/check.h"
#include "base/text.h"

#include <algorithm>
#include <optional>
#include <string_view>

namespace talosmq::cli {
namespace {

using inspect::BatchReport;
using inspect::Finding;
using inspect::LogReport;
using inspect::Report;
using inspect::SegmentReport;
using inspect::Severity;

std::string_view CodecName(record::Codec codec) {
  switch (codec) {
    case record::Codec::kNone:
      return "none";
    case record::Codec::kGzip:
      return "gzip";
    case record::Codec::kSnappy:
      return "snappy";
    case record::Codec::kLz4:
      return "lz4";
    case record::Codec::kZstd:
      return "zstd";
  }
  // A batch that nobody has validated may carry one of the three numbers without a codec.
  return "unknown";
}

std::string_view SeverityName(Severity severity) {
  switch (severity) {
    case Severity::kNote:
      return "note";
    case Severity::kDamage:
      return "damage";
  }
  TALOSMQ_CHECK(false) << "no such severity";
  return "";
}

template <typename Value>
Document OrNull(const std::optional<Value>& value) {
  return value.has_value() ? Document(*value) : Document();
}

/// A row that begins with the log it belongs to.
Document RowOf(const LogReport& log) {
  return {{"topic_id", log.log.topic_id.ToString()}, {"partition", log.log.partition.value()}};
}

Document DescribeLog(const LogReport& log) {
  int64_t records = 0;
  int64_t bytes = 0;
  for (const SegmentReport& segment : log.segments) {
    records += segment.records_count;
    bytes += segment.batch_bytes;
  }
  Document row = RowOf(log);
  row["log_start_offset"] = log.log_start.value();
  row["end_offset"] = log.end_offset.value();
  row["flushed_end_offset"] =
      log.flushed_end.has_value() ? Document(log.flushed_end->value()) : Document();
  row["records"] = records;
  row["batch_bytes"] = bytes;
  row["segments"] = log.segments.size();
  row["directory"] = log.directory;
  return row;
}

Document DescribeSegment(const LogReport& log, const SegmentReport& segment) {
  Document row = RowOf(log);
  row["file"] = segment.file;
  row["base_offset"] = segment.base_offset.value();
  row["end_offset"] = segment.end_offset.value();
  row["records"] = segment.records_count;
  row["batches"] = segment.batches_count;
  row["file_bytes"] = segment.file_bytes;
  row["batch_bytes"] = segment.batch_bytes;
  row["index_entries"] = segment.index_entries;
  row["max_timestamp_ms"] = OrNull(segment.max_timestamp_ms);
  return row;
}

Document DescribeBatch(const LogReport& log, const BatchReport& batch) {
  Document row = RowOf(log);
  row["position"] = batch.position;
  row["size_bytes"] = batch.size_bytes;
  row["base_offset"] = batch.base_offset.value();
  row["last_offset"] = batch.last_offset.value();
  row["records"] = batch.count;
  row["leader_epoch"] = batch.epoch.value();
  row["codec"] = CodecName(batch.codec);
  row["max_timestamp_ms"] = batch.max_timestamp_ms;
  row["producer_id"] = batch.producer_id.value();
  row["producer_epoch"] = batch.producer_epoch;
  row["base_sequence"] = batch.base_sequence;
  return row;
}

Document DescribeFinding(const Finding& finding) {
  return {{"severity", SeverityName(finding.severity)},
          {"file", finding.file},
          {"position", OrNull(finding.position)},
          {"what", finding.what}};
}

/// Records above the flushed points: a running server may still be writing them.
int64_t CountUnjudged(const Report& report) {
  int64_t records = 0;
  for (const LogReport& log : report.logs) {
    if (!log.flushed_end.has_value()) continue;
    records += std::max<int64_t>(log.end_offset - *log.flushed_end, 0);
  }
  return records;
}

}  // namespace

Document DescribeReport(const Report& report) {
  Document logs = Document::array();
  Document segments = Document::array();
  Document batches = Document::array();
  Document epochs = Document::array();
  Document findings = Document::array();
  for (const Finding& finding : report.findings) findings.push_back(DescribeFinding(finding));
  for (const LogReport& log : report.logs) {
    logs.push_back(DescribeLog(log));
    for (const SegmentReport& segment : log.segments) {
      segments.push_back(DescribeSegment(log, segment));
      for (const BatchReport& batch : segment.batches) batches.push_back(DescribeBatch(log, batch));
    }
    for (const storage::EpochEntry& epoch : log.epochs) {
      Document row = RowOf(log);
      row["leader_epoch"] = epoch.epoch.value();
      row["start_offset"] = epoch.start_offset.value();
      epochs.push_back(std::move(row));
    }
    for (const Finding& finding : log.findings) findings.push_back(DescribeFinding(finding));
  }
  Document document{{"damaged", report.CountFindings(Severity::kDamage)},
                    {"logs", std::move(logs)},
                    {"segments", std::move(segments)},
                    {"epochs", std::move(epochs)},
                    {"findings", std::move(findings)}};
  if (!batches.empty()) document["batches"] = std::move(batches);
  return document;
}

ExitStatus FinishReport(const absl::StatusOr<Report>& report, Session& session) {
  if (!report.ok()) return session.Fail(report.status());
  const ExitStatus printed = session.Finish(DescribeReport(*report));
  if (report->logs.empty()) session.Note("there are no logs: nothing was ever written here");
  if (const int64_t unjudged = CountUnjudged(*report); unjudged > 0) {
    session.Note(base::StrCat("checked up to the flushed point of each log; ", unjudged,
                              " records above, which a running server may still be writing, are "
                              "listed and not judged"));
  }
  return report->CountFindings(Severity::kDamage) == 0 ? printed : ExitStatus::kFailed;
}

}  // namespace talosmq::cli
