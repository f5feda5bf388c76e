#include "inspect/segment_walk.h"

#include "base/status.h"
#include "base/text.h"
#include "record/batch.h"
#include "storage/segment.h"
#include "storage/segment_index.h"
#include "storage/segment_scanner.h"

#include <algorithm>
#include <utility>

namespace talosmq::inspect {
namespace {

using storage::IndexEntry;
using storage::Mismatch;
using storage::ScannedBatch;

BatchReport ReportOf(const ScannedBatch& batch) {
  const record::BatchHeader& header = batch.header;
  return {.position = batch.position,
          .size_bytes = static_cast<int64_t>(header.size()),
          .base_offset = header.base_offset,
          .last_offset = header.last_offset(),
          .count = header.count,
          .epoch = header.epoch,
          .codec = header.codec(),
          .timestamp_type = header.timestamp_type(),
          .base_timestamp_ms = header.base_timestamp_ms,
          .max_timestamp_ms = header.max_timestamp_ms,
          .producer_id = header.producer_id,
          .producer_epoch = header.producer_epoch,
          .base_sequence = header.base_sequence,
          .is_control = header.is_control()};
}

/// Holds index entries against the batches as they come. Confined to one walk.
class IndexCheck {
 public:
  IndexCheck(const TopicPartition& log, std::vector<IndexEntry> entries)
      : log_(log), entries_(std::move(entries)), check_(log) {}

  /// The position and reason of a disagreement.
  std::optional<std::pair<uint64_t, std::string>> Add(const ScannedBatch& batch) {
    // Entries of ranges that could not be read have nothing to be held against.
    while (next_ < entries_.size() && entries_[next_].end_position() <= batch.position) Next();
    if (next_ == entries_.size() || batch.position < entries_[next_].position) return std::nullopt;
    const IndexEntry& entry = entries_[next_];
    if (!is_inside_ && batch.position != entry.position)
      return Disagree("begins inside of a batch");
    if (!is_inside_ && batch.header.base_offset != entry.first_offset) {
      return Disagree(base::StrCat("expected a run from offset ", entry.first_offset.value(),
                                   ", found ", batch.header.base_offset.value()));
    }
    is_inside_ = true;
    check_.Add(batch.bytes);
    max_timestamp_ms_ = std::max(max_timestamp_ms_, batch.header.max_timestamp_ms);
    const uint64_t end = batch.position + batch.bytes.size();
    if (end < entry.end_position()) return std::nullopt;
    if (end > entry.end_position()) return Disagree("ends inside of a batch");
    if (batch.header.end_offset() != entry.end_offset) {
      return Disagree(base::StrCat("expected a run up to offset ", entry.end_offset.value(),
                                   ", found ", batch.header.end_offset().value()));
    }
    if (check_.value() != entry.check) return Disagree("its check does not match the batches");
    if (max_timestamp_ms_ > entry.max_timestamp_ms) {
      return Disagree("its max timestamp lies below that of a batch");
    }
    Next();
    return std::nullopt;
  }

 private:
  void Next() {
    ++next_;
    is_inside_ = false;
    check_ = storage::RunCheck(log_);
  }

  std::optional<std::pair<uint64_t, std::string>> Disagree(std::string what) {
    const IndexEntry& entry = entries_[next_];
    const auto result = std::make_pair(uint64_t{entry.position},
                                       base::StrCat("index entry ", next_, " disagrees: ", what));
    Next();
    return result;
  }

  const TopicPartition log_;
  const std::vector<IndexEntry> entries_;
  size_t next_ = 0;
  bool is_inside_ = false;
  storage::RunCheck check_;
  int64_t max_timestamp_ms_ = storage::kNoTimestamp;
};

/// What is wrong with the records inside; empty when nothing is.
std::string CheckRecords(base::ByteSpan batch) {
  auto reader = record::BatchReader::Open(batch, {});
  if (!reader.ok()) return std::string(reader.status().message());
  while (true) {
    const auto record = reader->Next();
    if (!record.ok()) return std::string(record.status().message());
    if (!record->has_value()) return {};
  }
}

/// Walks one segment. Confined to WalkSegment.
class Walk {
 public:
  Walk(const WalkInput& input, std::vector<Finding>& findings)
      : input_(input), findings_(findings) {
    report_.file = input.folder.Path(input.segment, storage::kSegmentSuffix);
    report_.base_offset = input.segment;
    report_.end_offset = input.segment;
  }

  absl::StatusOr<SegmentReport> Run() {
    TALOSMQ_ASSIGN_OR_RETURN(const auto file,
                             input_.file_system.Open(report_.file, io::OpenMode::kRead));
    TALOSMQ_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
    report_.file_bytes = static_cast<int64_t>(size);
    TALOSMQ_ASSIGN_OR_RETURN(std::vector<IndexEntry> entries, LoadEntries());
    // An entry is written when the bytes under it are synced.
    std::optional<uint64_t> flushed_position = input_.flushed_position;
    if (flushed_position && !entries.empty()) {
      flushed_position = std::max(*flushed_position, uint64_t{entries.back().end_position()});
    }
    IndexCheck index(input_.log, std::move(entries));
    storage::SegmentScanner scanner(
        *file, {.base = input_.segment, .end_offset = input_.next_segment, .begin = 0, .end = size},
        storage::BatchChain(input_.segment, input_.history,
                            input_.folder.DensityOf(input_.segment)));
    while (true) {
      TALOSMQ_ASSIGN_OR_RETURN(const storage::ScanStep step, scanner.Next());
      if (step.batch) {
        AddBatch(*step.batch, index);
        continue;
      }
      if (input_.next_segment == scanner.chain().next()) break;
      const bool is_flushed = !flushed_position || scanner.position() < *flushed_position;
      if (!is_flushed) {
        NoteRest(step.mismatch);
        break;
      }
      NoteDamage(step.mismatch, scanner);
      if (!step.mismatch) break;
      TALOSMQ_ASSIGN_OR_RETURN(const bool goes_on, scanner.SkipDamage());
      if (!goes_on) break;
    }
    return std::move(report_);
  }

 private:
  void Add(Severity severity, const std::string& file, std::optional<uint64_t> position,
           std::string what) {
    findings_.push_back(
        {.severity = severity, .file = file, .position = position, .what = std::move(what)});
  }

  /// The last segment has no entries for its newest runs; a complete one has them all.
  absl::StatusOr<std::vector<IndexEntry>> LoadEntries() {
    const std::string path = input_.folder.Path(input_.segment, storage::kIndexSuffix);
    auto index = storage::LoadIndex(input_.file_system, path,
                                    {.log = input_.log, .base_offset = input_.segment});
    if (absl::IsNotFound(index.status())) {
      const bool needs_one = input_.next_segment || !input_.flushed_position ||
                             *input_.flushed_position >= storage::kRunBytesMin;
      if (needs_one) Add(Severity::kNote, path, std::nullopt, "missing; it will be made again");
      return std::vector<IndexEntry>();
    }
    if (!index.ok()) return index.status();
    if (!index->broken.empty()) {
      Add(Severity::kNote, path, std::nullopt,
          base::StrCat(index->broken, "; it will be made again from here on"));
    }
    report_.index_entries = static_cast<int64_t>(index->entries.size());
    return std::move(index->entries);
  }

  void AddBatch(const ScannedBatch& batch, IndexCheck& index) {
    const record::BatchHeader& header = batch.header;
    report_.end_offset = header.end_offset();
    report_.batch_bytes += static_cast<int64_t>(header.size());
    ++report_.batches_count;
    report_.records_count += header.count;
    report_.max_timestamp_ms = std::max(report_.max_timestamp_ms.value_or(header.max_timestamp_ms),
                                        header.max_timestamp_ms);
    if (input_.detail == Detail::kBatches) report_.batches.push_back(ReportOf(batch));
    if (input_.depth == Depth::kHeaders) return;
    if (const auto problem = index.Add(batch)) {
      Add(Severity::kDamage, report_.file, problem->first, problem->second);
    }
    std::string problem = CheckRecords(batch.bytes);
    if (!problem.empty()) {
      Add(Severity::kDamage, report_.file, batch.position,
          base::StrCat("its CRC is right and its records are not: ", problem));
    }
  }

  void NoteDamage(const std::optional<Mismatch>& mismatch, const storage::SegmentScanner& scanner) {
    if (mismatch) {
      Add(Severity::kDamage, report_.file, mismatch->position,
          base::StrCat("expected ", mismatch->expected, ", found ", mismatch->found));
      return;
    }
    if (!input_.next_segment && !input_.flushed_position) return;
    const std::string expected =
        input_.next_segment ? base::StrCat("batches up to offset ", input_.next_segment->value())
                            : base::StrCat("batches up to position ", *input_.flushed_position);
    Add(Severity::kDamage, report_.file, scanner.position(),
        base::StrCat("expected ", expected, ", found the end of the file"));
  }

  void NoteRest(const std::optional<Mismatch>& mismatch) {
    if (!mismatch) return;
    const auto rest =
        static_cast<uint64_t>(report_.file_bytes) - static_cast<uint64_t>(report_.batch_bytes);
    Add(Severity::kNote, report_.file, mismatch->position,
        base::StrCat("not judged: ", rest,
                     " bytes above the recorded flushed point, preallocated or being written, or "
                     "torn when a server died: ",
                     mismatch->found));
  }

  const WalkInput& input_;
  std::vector<Finding>& findings_;
  SegmentReport report_;
};

}  // namespace

absl::StatusOr<SegmentReport> WalkSegment(const WalkInput& input, std::vector<Finding>& findings) {
  return Walk(input, findings).Run();
}

}  // namespace talosmq::inspect
