#include "storage/recovery.h"

#include "base/status.h"
#include "base/text.h"
#include "storage/epoch_recovery.h"
#include "storage/index_rebuild.h"
#include "storage/log_folder.h"
#include "storage/producer_replay.h"
#include "storage/producer_snapshot.h"
#include "storage/recovery_plan.h"
#include "storage/salvage_read.h"
#include "storage/segment.h"
#include "storage/tail_repair.h"
#include "storage/tail_scan.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace talosmq::storage {
namespace {

absl::Status Loss(const RecoveryInput& input, std::string_view found) {
  return MakeError(
      Reason::kCorruptData,
      base::StrCat("log ", input.log.ToString(), ": its records are lost: expected ",
                   input.recorded && input.recorded->is_known()
                       ? base::StrCat("records up to offset ", input.recorded->end_offset.value())
                       : std::string("records, by the catalogue"),
                   " in ", input.directory, ", found ", found));
}

/// Opens one log; holds what its steps share. Confined to RecoverLog.
class Recovery {
 public:
  Recovery(io::FileSystem& file_system, const RecoveryInput& input)
      : file_system_(file_system), input_(input) {}

  absl::StatusOr<RecoveredLog> Run() {
    TALOSMQ_ASSIGN_OR_RETURN(folder_, ListLogFolder(file_system_, input_.directory));
    for (const std::string& name : folder_.leftovers) {
      TALOSMQ_RETURN_IF_ERROR(file_system_.Remove(base::StrCat(folder_.directory, "/", name)));
    }
    TALOSMQ_ASSIGN_OR_RETURN(epochs_, LoadEpochs(file_system_, input_.log, folder_));
    if (folder_.segments.empty()) return OpenEmpty();
    TALOSMQ_RETURN_IF_ERROR(RemoveSegmentsBelowStart());
    TALOSMQ_RETURN_IF_ERROR(LoadIndexes());
    plan_ = PlanRecovery(facts_, input_.recorded);
    log_.log_start = plan_.flushed.log_start;
    NotePlan();
    RaiseFlushed();
    NoteHoles();
    TALOSMQ_RETURN_IF_ERROR(ReadTail());
    TALOSMQ_RETURN_IF_ERROR(Repair());
    return std::move(log_);
  }

 private:
  bool HadRecords() const {
    return input_.is_in_catalogue ||
           (input_.recorded && input_.recorded->end_offset > input_.recorded->log_start);
  }

  /// Not the one with the flushed point, which may lie at its end.
  absl::Status RemoveSegmentsBelowStart() {
    if (!input_.recorded || !input_.recorded->is_known()) return absl::OkStatus();
    std::vector<Offset>& segments = folder_.segments;
    auto kept = std::ranges::upper_bound(
        segments, std::min(input_.recorded->log_start, input_.recorded->segment));
    if (kept != segments.begin()) --kept;
    if (kept == segments.begin()) return absl::OkStatus();
    TALOSMQ_RETURN_IF_ERROR(KeepProducersBelow(*kept));
    for (auto segment = segments.begin(); segment != kept; ++segment) {
      TALOSMQ_RETURN_IF_ERROR(
          RemoveSegment(file_system_, folder_.directory, folder_.NameOf(*segment)));
    }
    segments.erase(segments.begin(), kept);
    return absl::OkStatus();
  }

  /// After a replay of the journal the flushed point may lie beyond the newest snapshot.
  absl::Status KeepProducersBelow(Offset end) {
    TALOSMQ_ASSIGN_OR_RETURN(RestoredProducers producers,
                             RestoreProducers(file_system_, input_.log, folder_, end));
    if (producers.offset >= end) return absl::OkStatus();
    TALOSMQ_RETURN_IF_ERROR(ReplayProducers(file_system_, input_.log, folder_,
                                            {.begin = producers.offset, .end = end}, producers));
    const std::string content = EncodeProducerSnapshot(
        {.log = input_.log, .offset = end, .producers = producers.table.States(kReplayTime)});
    TALOSMQ_RETURN_IF_ERROR(io::WriteFileAtomically(
        file_system_, folder_.Path(end, kSnapshotSuffix), base::AsBytes(content)));
    folder_.snapshots.insert(std::ranges::upper_bound(folder_.snapshots, end), end);
    return absl::OkStatus();
  }

  absl::StatusOr<RecoveredLog> OpenEmpty() {
    if (HadRecords()) return Loss(input_, folder_.exists ? "no segment" : "no such folder");
    if (folder_.has_epochs) TALOSMQ_RETURN_IF_ERROR(RepairEpochs());
    return std::move(log_);
  }

  void Note(std::string sentence) { log_.report.notes.push_back(std::move(sentence)); }

  /// Indexes of the segments that may hold the flushed point are read; of those below, one that is
  /// missing is made again.
  absl::Status LoadIndexes() {
    const bool is_recorded = input_.recorded && input_.recorded->is_known();
    for (const Offset base : folder_.segments) {
      facts_.push_back({.base = base, .indexed_end = base, .indexed_position = 0});
      indexes_.emplace_back();
      const bool is_sealed = is_recorded && base < input_.recorded->segment;
      if (is_sealed) {
        if (!folder_.HasIndex(base)) TALOSMQ_RETURN_IF_ERROR(RebuildSealed(facts_.size() - 1));
        continue;
      }
      if (!folder_.HasIndex(base)) continue;
      TALOSMQ_ASSIGN_OR_RETURN(indexes_.back(),
                               LoadIndex(file_system_, folder_.Path(base, kIndexSuffix),
                                         {.log = input_.log, .base_offset = base}));
      std::span<const IndexEntry> entries = indexes_.back()->entries;
      // With a broken epoch file the last batches have to be seen, for their epochs.
      if (!epochs_.broken.empty() && !entries.empty()) entries = entries.first(entries.size() - 1);
      if (entries.empty()) continue;
      facts_.back().indexed_end = entries.back().end_offset;
      facts_.back().indexed_position = entries.back().end_position();
    }
    return absl::OkStatus();
  }

  absl::Status RebuildSealed(size_t index) {
    const Offset base = folder_.segments[index];
    const SegmentName name = folder_.NameOf(base);
    const bool is_compacted = name.generation > 0;
    const Offset end = is_compacted                          ? name.end
                       : index + 1 < folder_.segments.size() ? folder_.segments[index + 1]
                                                             : input_.recorded->segment;
    TALOSMQ_ASSIGN_OR_RETURN(
        const RebuiltIndex rebuilt,
        RebuildIndex(file_system_, {.segment = {.log = input_.log, .base_offset = base},
                                    .directory = folder_.directory,
                                    .end = end,
                                    .generation = name.generation,
                                    .history = epochs_.trusted(),
                                    .created_ms = input_.now_ms}));
    TALOSMQ_RETURN_IF_ERROR(rebuilt.stored);
    NoteRebuilt(base, "it was missing");
    for (const Corruption& damage : rebuilt.damages) NoteCorruption(damage);
    return absl::OkStatus();
  }

  void NoteRebuilt(Offset segment, std::string_view why) {
    ++log_.report.indexes_rebuilt;
    Note(base::StrCat(folder_.Path(segment, kIndexSuffix), ": rebuilt, since ", why));
  }

  void NoteCorruption(const Corruption& corruption) {
    log_.report.damages.push_back(MakeCorruption(corruption));
    Note(std::string(log_.report.damages.back().message()));
  }

  void NotePlan() {
    if (plan_.is_careful) {
      Note(base::StrCat(folder_.directory,
                        ": no flushed point is recorded; whole batches behind a broken one are "
                        "taken for corruption, not for a torn tail"));
    }
    // One that had nothing above the log start may have been removed before this point was recorded
    // anew.
    const bool had_records = plan_.flushed.end_offset > plan_.flushed.log_start;
    if (plan_.is_segment_missing && had_records) {
      NoteCorruption(
          {.damage = {.file = folder_.Path(plan_.flushed.segment, kSegmentSuffix),
                      .position = 0,
                      .expected =
                          base::StrCat("a segment up to offset ", plan_.flushed.end_offset.value()),
                      .found = "no file"},
           .hidden = {.first = plan_.flushed.segment, .next = plan_.flushed.end_offset}});
    }
    if (folder_.segments.front() > plan_.flushed.log_start) {
      NoteCorruption(
          {.damage = {.file = folder_.directory,
                      .position = 0,
                      .expected =
                          base::StrCat("a segment at offset ", plan_.flushed.log_start.value()),
                      .found = base::StrCat("the first one at ", folder_.segments.front().value())},
           .hidden = {.first = plan_.flushed.log_start, .next = folder_.segments.front()}});
    }
    if (plan_.first_segment == facts_.size() || input_.is_suspect || !epochs_.broken.empty())
      return;
    // One that merely ends early may be so by right: of what the journal brought, entries may never
    // have been written.
    const auto& index = indexes_[plan_.first_segment];
    const SegmentFacts& first = facts_[plan_.first_segment];
    const bool lacks_entries = plan_.flushed.segment == first.base &&
                               plan_.flushed.position >= first.indexed_position + kRunBytesMin;
    if (index && !index->broken.empty() && lacks_entries) NoteRebuilt(first.base, index->broken);
  }

  /// Only for how damage is judged: it is read from where indexes and sizes are not known to be as
  /// they must.
  void RaiseFlushed() {
    const bool is_unknown = input_.recorded && !input_.recorded->is_known();
    if (!input_.restored || is_unknown) return;
    if (input_.restored->end_offset <= plan_.flushed.end_offset) return;
    plan_.flushed.end_offset = input_.restored->end_offset;
    plan_.flushed.segment = input_.restored->segment;
    plan_.flushed.position = input_.restored->position;
  }

  /// What could not be read when the entries behind it were made is told at every start.
  void NoteHoles() {
    for (size_t i = 0; i < indexes_.size(); ++i) {
      if (!indexes_[i]) continue;
      Offset first = folder_.segments[i];
      uint64_t position = 0;
      for (const IndexEntry& entry : indexes_[i]->entries) {
        if (entry.position > position && entry.first_offset > log_.log_start) {
          NoteCorruption(
              {.damage = {.file = folder_.Path(folder_.segments[i], kSegmentSuffix),
                          .position = position,
                          .expected = base::StrCat("batches from offset ", first.value(), " on"),
                          .found = "a range that could not be read before"},
               .hidden = {.first = first, .next = entry.first_offset}});
        }
        first = entry.end_offset;
        position = entry.end_position();
      }
    }
  }

  absl::Status ReadTail() {
    TALOSMQ_ASSIGN_OR_RETURN(
        RestoredProducers producers,
        RestoreProducers(file_system_, input_.log, folder_, plan_.flushed.end_offset));
    TALOSMQ_RETURN_IF_ERROR(ReplayProducers(file_system_, input_.log, folder_,
                                            {.begin = producers.offset, .end = plan_.first_offset},
                                            producers));
    const Offset snapshot = producers.offset;
    const auto& index = plan_.first_segment < indexes_.size() ? indexes_[plan_.first_segment]
                                                              : std::optional<LoadedIndex>();
    const int64_t max_timestamp_ms =
        index && !index->entries.empty() ? index->entries.back().max_timestamp_ms : kNoTimestamp;
    TALOSMQ_ASSIGN_OR_RETURN(
        scan_, ScanTail({.file_system = file_system_,
                         .log = input_.log,
                         .folder = folder_,
                         .plan = plan_,
                         .history = epochs_.trusted(),
                         .max_timestamp_ms = max_timestamp_ms,
                         .unsynced_bytes_max = input_.unsynced_bytes_max},
                        [&](const record::BatchHeader& batch) {
                          epochs_.last_seen = std::max(epochs_.last_seen, batch.epoch);
                          if (batch.base_offset < snapshot) return;
                          producers.table.Add(batch, kReplayTime);
                          producers.replayed_bytes += static_cast<int64_t>(batch.size());
                        }));
    for (std::string& note : producers.notes) Note(std::move(note));
    unsound_snapshots_ = std::move(producers.unsound);
    log_.producers = producers.table.States(kReplayTime);
    log_.bytes_since_snapshot = producers.replayed_bytes;
    return absl::OkStatus();
  }

  absl::Status Repair() {
    log_.log_end = scan_.end_offset;
    if (scan_.end_offset < plan_.flushed.end_offset) {
      log_.log_end = plan_.flushed.end_offset;
      scan_.runs.reset();
    }
    for (const Corruption& damage : scan_.corruptions) NoteCorruption(damage);
    TALOSMQ_ASSIGN_OR_RETURN(const RepairedTail repaired,
                             RepairTail(file_system_, folder_, plan_, scan_));
    log_.report.scanned_bytes = repaired.kept_bytes;
    log_.report.truncated_bytes = repaired.cut_bytes;
    if (scan_.tear && repaired.cut_bytes > 0) {
      Note(base::StrCat("cut ", repaired.cut_bytes, " bytes that were never acknowledged: ",
                        base::FromAbsl(MakeCorruption(*scan_.tear).message())));
    }
    TALOSMQ_RETURN_IF_ERROR(RepairIndexes());
    TALOSMQ_RETURN_IF_ERROR(RepairEpochs());
    TALOSMQ_RETURN_IF_ERROR(RemoveSnapshots());
    TALOSMQ_RETURN_IF_ERROR(TakeActive());
    TakeSnapshot();
    return ListSegments();
  }

  void TakeSnapshot() {
    const Offset newest = log_.snapshots.empty() ? folder_.segments.front() : log_.snapshots.back();
    if (newest >= folder_.segments.back()) return;
    log_.snapshot.emplace(
        ProducerSnapshot{.log = input_.log, .offset = log_.log_end, .producers = log_.producers});
    log_.bytes_since_snapshot = 0;
  }

  absl::Status ListSegments() {
    for (size_t i = 0; i < folder_.segments.size(); ++i) {
      const Offset base = folder_.segments[i];
      TALOSMQ_ASSIGN_OR_RETURN(
          const auto file,
          file_system_.Open(folder_.Path(base, kSegmentSuffix), io::OpenMode::kRead));
      TALOSMQ_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
      TALOSMQ_ASSIGN_OR_RETURN(const int64_t created_ms, CreatedMs(i));
      log_.segments.push_back({.base = base,
                               .end = folder_.NameOf(base).end,
                               .created_ms = created_ms,
                               .bytes = static_cast<int64_t>(size),
                               .generation = folder_.NameOf(base).generation});
      log_.size_bytes += static_cast<int64_t>(size);
    }
    return absl::OkStatus();
  }

  /// By the header of its index; a segment without a sound one counts as new.
  absl::StatusOr<int64_t> CreatedMs(size_t index) const {
    if (HasHeader(index)) return indexes_[index]->header.created_ms;
    const Offset base = folder_.segments[index];
    if (indexes_[index] || !folder_.HasIndex(base)) return input_.now_ms;
    TALOSMQ_ASSIGN_OR_RETURN(
        const auto file, file_system_.Open(folder_.Path(base, kIndexSuffix), io::OpenMode::kRead));
    std::array<std::byte, kIndexHeaderBytes> bytes{};
    const SalvagedBytes read = SalvageRead(*file, 0, bytes);
    const auto header = DecodeIndexHeader(base::ByteSpan(bytes).first(read.size));
    return header.ok() ? header->created_ms : input_.now_ms;
  }

  bool HasHeader(size_t index) const {
    return indexes_[index] && indexes_[index]->header.created_ms != kUnknownCreation;
  }

  /// Leaves in the files the header and the sound entries at or below the recorded point: only
  /// these are known to be on the disk. The others, and those of what was read, go to the next
  /// checkpoint.
  absl::Status RepairIndexes() {
    const bool is_recorded = input_.recorded && input_.recorded->is_known();
    const Offset recorded = is_recorded ? input_.recorded->end_offset : log_.log_start;
    for (size_t i = plan_.first_segment; i < folder_.segments.size(); ++i) {
      const Offset segment = folder_.segments[i];
      std::span<const IndexEntry> found;
      if (indexes_[i]) found = indexes_[i]->entries;
      size_t kept = 0;
      while (kept < found.size() && found[kept].end_offset <= recorded) ++kept;
      const uint64_t size = HasHeader(i) ? kIndexHeaderBytes + kept * kIndexEntryBytes : 0;
      TALOSMQ_RETURN_IF_ERROR(input_.is_suspect ? RewriteIndex(file_system_, folder_, segment, size)
                                                : CutIndex(file_system_, folder_, segment, size));
      TALOSMQ_ASSIGN_OR_RETURN(const int64_t created_ms, CreatedMs(i));
      const auto rest = found.subspan(kept);
      // The point shows that the headers up to its segment are on the disk.
      const bool has_durable_header =
          HasHeader(i) && is_recorded && segment <= input_.recorded->segment;
      PendingIndex::SegmentEntries pending{.segment = {.base = segment, .created_ms = created_ms},
                                           .must_begin = !has_durable_header,
                                           .entries = {rest.begin(), rest.end()}};
      const Offset found_end = found.empty() ? segment : found.back().end_offset;
      for (const IndexEntry& entry : scan_.segments[i - plan_.first_segment].entries) {
        if (entry.end_offset > found_end) pending.entries.push_back(entry);
      }
      if (pending.must_begin || !pending.entries.empty())
        log_.pending.push_back(std::move(pending));
    }
    return absl::OkStatus();
  }

  absl::Status RepairEpochs() {
    TALOSMQ_ASSIGN_OR_RETURN(const auto note,
                             MendEpochs(file_system_, input_.log, folder_, log_.log_end, epochs_));
    if (note) Note(*note);
    // An entry that no flushed batch shows to be on the disk may be in the page cache alone.
    const bool is_certain = epochs_.history.empty() ||
                            (input_.recorded && input_.recorded->is_known() &&
                             epochs_.history.back().start_offset < input_.recorded->end_offset);
    if (input_.is_suspect || !is_certain) {
      TALOSMQ_RETURN_IF_ERROR(WriteEpochs(file_system_, input_.log, folder_, epochs_.history));
    }
    log_.epochs = std::move(epochs_.history);
    log_.epochs_bytes = kEpochsHeaderBytes + log_.epochs.size() * kEpochEntryBytes;
    return absl::OkStatus();
  }

  /// Those above the end, and damaged ones, so that new ones take their place.
  absl::Status RemoveSnapshots() {
    for (const Offset snapshot : folder_.snapshots) {
      if (snapshot <= log_.log_end && !unsound_snapshots_.contains(snapshot)) {
        log_.snapshots.push_back(snapshot);
      } else {
        TALOSMQ_RETURN_IF_ERROR(file_system_.Remove(folder_.Path(snapshot, kSnapshotSuffix)));
      }
    }
    return absl::OkStatus();
  }

  absl::Status TakeActive() {
    FlushedPoint point{.log_start = log_.log_start,
                       .end_offset = log_.log_end,
                       .segment = plan_.flushed.segment,
                       .position = plan_.flushed.position,
                       .removed_bytes = plan_.flushed.removed_bytes};
    if (!scan_.segments.empty()) {
      point.segment = scan_.segments.back().base;
      point.position = scan_.segments.back().end_position;
    }
    log_.point = point;
    if (!scan_.runs) return absl::OkStatus();
    TALOSMQ_ASSIGN_OR_RETURN(const int64_t created_ms, CreatedMs(folder_.segments.size() - 1));
    log_.active.emplace(ActiveSegment{.base = point.segment,
                                      .position = point.position,
                                      .created_ms = created_ms,
                                      .runs = *scan_.runs});
    return absl::OkStatus();
  }

  io::FileSystem& file_system_;
  const RecoveryInput& input_;
  LogFolder folder_;
  RecoveredEpochs epochs_;
  std::set<Offset> unsound_snapshots_;
  std::vector<SegmentFacts> facts_;
  std::vector<std::optional<LoadedIndex>> indexes_;  ///< At the same place as their segments.
  RecoveryPlan plan_;
  TailScan scan_;
  RecoveredLog log_;
};

}  // namespace

absl::StatusOr<RecoveredLog> RecoverLog(io::FileSystem& file_system, const RecoveryInput& input) {
  return Recovery(file_system, input).Run();
}

}  // namespace talosmq::storage
