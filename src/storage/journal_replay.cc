#include "storage/journal_replay.h"

#include "base/check.h"
#include "base/status.h"
#include "base/text.h"
#include "io/deferred_sync.h"
#include "storage/deferred_flush.h"
#include "storage/epoch_history.h"
#include "storage/epoch_recovery.h"
#include "storage/log_folder.h"
#include "storage/segment.h"
#include "talosmq/error.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <utility>

namespace talosmq::storage {
namespace {

/// Adds an epoch that the history lacks.
void AddEpoch(const EpochEntry& entry, std::vector<EpochEntry>& history) {
  if (history.empty() || entry.epoch > history.back().epoch) history.push_back(entry);
}

/// The headers of verified batches.
std::vector<record::BatchHeader> HeadersOf(base::ByteSpan bytes) {
  std::vector<record::BatchHeader> headers;
  while (!bytes.empty()) {
    const auto header = record::ParseHeader(bytes);
    TALOSMQ_CHECK(header.ok()) << header.status();
    headers.push_back(*header);
    bytes = bytes.subspan(header->size());
  }
  return headers;
}

/// The same for all batches in `bytes`: the section that began an epoch may be unreadable.
void AddEpochsOf(base::ByteSpan bytes, std::vector<EpochEntry>& history) {
  for (const record::BatchHeader& batch : HeadersOf(bytes)) {
    AddEpoch({.epoch = batch.epoch, .start_offset = batch.base_offset}, history);
  }
}

/// Adds each of several batches: the journal takes them one by one.
void AddEach(const base::Buffer& several, std::vector<base::Buffer>& batches) {
  size_t begin = 0;
  for (const record::BatchHeader& batch : HeadersOf(several.bytes())) {
    batches.push_back(several.Slice(begin, batch.size()));
    begin += batch.size();
  }
}

/// Brings the epochs of a write to the epoch file: all of them, since what the file shows need not
/// be on the disk after a failed sync (R01). Where a power cut in between could tear but the last
/// entry, the write does it, in place; else the file is replaced, with syncs of its own. One with
/// more damage than a torn entry is left to the recovery of the log, which has the batches.
absl::Status RestoreEpochs(io::FileSystem& file_system, const LogFolder& folder, LogWrite& write) {
  const std::vector<EpochEntry> begun = std::exchange(write.epochs, {});
  TALOSMQ_ASSIGN_OR_RETURN(RecoveredEpochs epochs,
                           LoadEpochs(file_system, write.files->id, folder));
  const bool is_usable = epochs.broken.empty() || epochs.is_torn || folder.segments.empty();
  if (!is_usable) return absl::OkStatus();
  const size_t known = epochs.history.size();
  for (const EpochEntry& entry : begun) AddEpoch(entry, epochs.history);
  for (const SegmentWrite& segment : write.segments) {
    for (const base::Buffer& batch : segment.batches) AddEpochsOf(batch.bytes(), epochs.history);
  }
  // What the file shows of those that the write brings may be torn as well.
  const bool can_lose_one = begun.size() <= 1 && epochs.history.size() <= known + 1;
  if (epochs.broken.empty() && known > 0 && can_lose_one) {
    write.epochs = std::move(epochs.history);  // epochs_bytes is 0: they go to the beginning.
    return absl::OkStatus();
  }
  TALOSMQ_RETURN_IF_ERROR(file_system.MakeDirectories(write.files->directory));
  return WriteEpochs(file_system, write.files->id, folder, epochs.history);
}

/// Readies the segment that the write begins with.
absl::Status TakeUpSegment(io::FileSystem& file_system, const LogFolder& folder, LogWrite& write) {
  LogFiles& files = *write.files;
  const SegmentWrite& first = write.segments.front();
  const bool is_begun = !folder.segments.empty();
  if (is_begun) files.segment = folder.segments.back();
  const bool goes_on = is_begun && first.segment == files.segment;
  // A new one is begun by its first write, unless what belongs before that could not be read.
  files.has_segment = is_begun || first.position > 0;
  if (!files.has_segment || (!goes_on && first.position == 0)) return absl::OkStatus();
  files.segment = first.segment;
  files.segment_end = first.position;
  return file_system.Open(folder.Path(first.segment, kSegmentSuffix), io::OpenMode::kCreate)
      .status();
}

/// Readies a write to a log whose files nobody has open. What belongs to complete segments is in
/// them, and so are its epochs.
absl::Status TakeUp(const RestoreTarget& target, LogWrite& write) {
  LogFiles& files = *write.files;
  TALOSMQ_ASSIGN_OR_RETURN(const LogFolder folder,
                           ListLogFolder(target.file_system, files.directory));
  if (!folder.segments.empty()) {
    std::erase_if(write.segments, [&](const SegmentWrite& segment) {
      return segment.segment < folder.segments.back();
    });
  }
  if (write.segments.empty()) {
    write.epochs.clear();
    return absl::OkStatus();
  }
  TALOSMQ_ASSIGN_OR_RETURN(files.is_in_catalogue, target.catalogue.Contains(files.id));
  TALOSMQ_RETURN_IF_ERROR(RestoreEpochs(target.file_system, folder, write));
  return TakeUpSegment(target.file_system, folder, write);
}

/// The sections of one log that are to be brought to its segments, oldest first.
using LogSections = std::vector<FoundSection>;

/// A section that begins below the end of one before it has taken its place: the older one was
/// never acknowledged. What lies below the recorded point is in the segments.
void Add(const FoundSection& found, const std::optional<FlushedPoint>& recorded,
         LogSections& sections) {
  const JournalSection& section = found.section;
  if (recorded && recorded->is_known() && section.end_offset <= recorded->end_offset) return;
  std::erase_if(sections, [&](const FoundSection& older) {
    return older.section.end_offset > section.first_offset;
  });
  sections.push_back(found);
}

std::optional<FlushedPoint> PointOf(const FlushedPoints& points, const TopicPartition& log) {
  const auto point = points.find(log);
  if (point == points.end()) return std::nullopt;
  return point->second;
}

/// Brings the sections of many logs to their segments; holds what its steps share. Confined to
/// ReplayJournal.
class Replay {
 public:
  Replay(const RestoreTarget& target, const JournalReplayInput& input, const JournalScan& scan)
      : target_(target), input_(input), scan_(scan), files_(scan.paths.size()) {}

  absl::StatusOr<JournalReplay> Run() {
    TALOSMQ_ASSIGN_OR_RETURN(const LiveJournal live,
                             SelectLive(target_.file_system, scan_, input_.journal));
    if (!live.lost.empty() && input_.lost_groups == LostGroups::kRefuse) {
      return MakeError(Reason::kCorruptData,
                       base::StrCat(base::FromAbsl(MakeCorruption(live.lost.front()).message()),
                                    "; what it held is nowhere else. Put the file back; to go on "
                                    "without, set recovery.accept_restored_copy: true once: the "
                                    "newest records of any partition may be missing then"));
    }
    if (live.tear) {
      Note(base::StrCat("the newest group of the journal was never acknowledged and is left out: ",
                        base::FromAbsl(MakeCorruption(*live.tear).message())));
    }
    for (const Damage& damage : live.lost) NoteDamage(damage);
    std::map<TopicPartition, LogSections> logs;
    for (const FoundSection& found : live.sections) {
      const TopicPartition& log = found.section.log;
      Add(found, PointOf(input_.recorded, log), logs[log]);
    }
    for (const auto& [log, sections] : logs) {
      if (sections.empty()) continue;
      TALOSMQ_ASSIGN_OR_RETURN(const bool exists, Exists(log));
      if (exists) TALOSMQ_RETURN_IF_ERROR(AddLog(log, sections));
    }
    TALOSMQ_RETURN_IF_ERROR(Flush());
    TALOSMQ_RETURN_IF_ERROR(CheckStranded());
    for (auto& [log, point] : replay_.points) TALOSMQ_RETURN_IF_ERROR(FindStart(log, point));
    return std::move(replay_);
  }

 private:
  static constexpr int64_t kBytesAtOnceMax = int64_t{64} << 20;

  void Note(std::string sentence) { replay_.notes.push_back(std::move(sentence)); }
  void NoteDamage(const Damage& damage) {
    ++replay_.damages;
    replay_.last_damage = std::string(MakeCorruption(damage).message());
    Note(replay_.last_damage);
  }

  /// A deletion takes the folder first, so one that is still there has lost its key.
  absl::StatusOr<bool> Exists(const TopicPartition& log) {
    TALOSMQ_ASSIGN_OR_RETURN(const bool is_known, target_.catalogue.Contains(log));
    if (is_known) return true;
    const std::string directory = LogDirectory(target_.data_directory, log);
    TALOSMQ_ASSIGN_OR_RETURN(const bool has_folder, target_.file_system.Exists(directory));
    if (has_folder) {
      Note(base::StrCat("log ", log.ToString(), ": the catalogue lacks its key, but its folder ",
                        directory, " is there: what the journal holds of it is kept"));
    }
    return has_folder;
  }

  absl::Status AddLog(const TopicPartition& log, const LogSections& sections) {
    const std::string directory = LogDirectory(target_.data_directory, log);
    const auto recorded = PointOf(input_.recorded, log);
    // An unknown point stays unknown: more may have been durable than what the journal still has.
    if (!recorded || recorded->is_known()) {
      const JournalSection& last = sections.back().section;
      replay_.points[log] = {.log_start = sections.front().section.segment,
                             .end_offset = last.end_offset,
                             .segment = last.segment,
                             .position = last.end_position()};
    }
    for (const FoundSection& found : sections) {
      TALOSMQ_ASSIGN_OR_RETURN(const io::File* const file, Open(found.file));
      TALOSMQ_ASSIGN_OR_RETURN(SectionBatches batches, ReadSection(*file, found));
      if (batches.mismatch) {
        NoteDamage(DamageAt(scan_.paths[found.file], found.position, *batches.mismatch));
        continue;
      }
      TALOSMQ_RETURN_IF_ERROR(AddSection(log, directory, found.section, std::move(batches.bytes)));
    }
    return absl::OkStatus();
  }

  /// Completes a point that names the first segment of what the journal had as the log start.
  absl::Status FindStart(const TopicPartition& log, FlushedPoint& point) const {
    if (const auto recorded = PointOf(input_.recorded, log)) {
      point.log_start = recorded->log_start;
      point.removed_bytes = recorded->removed_bytes;
      return absl::OkStatus();
    }
    TALOSMQ_ASSIGN_OR_RETURN(
        const LogFolder folder,
        ListLogFolder(target_.file_system, LogDirectory(target_.data_directory, log)));
    if (!folder.segments.empty()) {
      point.log_start = std::min(point.log_start, folder.segments.front());
    }
    return absl::OkStatus();
  }

  absl::Status AddSection(const TopicPartition& log, const std::string& directory,
                          const JournalSection& section, base::Buffer bytes) {
    const bool is_same_log = IsLastOf(writes_, log);
    const bool goes_on = is_same_log && writes_.back().end_offset == section.first_offset;
    // What follows a hole waits until what lies before it is written.
    if ((is_same_log && !goes_on) || bytes_ >= kBytesAtOnceMax) TALOSMQ_RETURN_IF_ERROR(Flush());
    if (IsLastOf(replay_.stranded, log)) {
      LogWrite& write = replay_.stranded.back();
      // What is missing without damage went straight to the segment, with all that was before it.
      if (write.end_offset != section.first_offset) {
        write = {.files = write.files, .status = write.status};
      }
      AddEach(bytes, BatchesOf(section, write));
      return CheckStranded();
    }
    if (!goes_on || writes_.empty()) {
      writes_.push_back({.files = std::make_shared<LogFiles>(log, directory, input_.executor)});
    }
    bytes_ += static_cast<int64_t>(bytes.size());
    LogWrite& write = writes_.back();
    BatchesOf(section, write).push_back(std::move(bytes));
    return absl::OkStatus();
  }

  static bool IsLastOf(const std::vector<LogWrite>& writes, const TopicPartition& log) {
    return !writes.empty() && writes.back().files->id == log;
  }

  /// Adds a section to `write` but for its batches, for which it gives the place.
  static std::vector<base::Buffer>& BatchesOf(const JournalSection& section, LogWrite& write) {
    std::ranges::copy(section.epochs, std::back_inserter(write.epochs));
    if (write.segments.empty() || write.segments.back().segment != section.segment) {
      write.segments.push_back(
          {.segment = section.segment, .position = section.position, .batches = {}});
    }
    write.end_offset = section.end_offset;
    write.bytes += section.bytes;
    return write.segments.back().batches;
  }

  void Strand(LogWrite write, const absl::Status& why) {
    write.status = base::Annotate(
        why, base::StrCat("log ", write.files->id.ToString(),
                          ": what the journal holds of it cannot be brought to its segments"));
    Note(std::string(write.status.message()));
    replay_.points.erase(write.files->id);
    for (SegmentWrite& segment : write.segments) {
      std::vector<base::Buffer> batches;
      for (const base::Buffer& several : segment.batches) AddEach(several, batches);
      segment.batches = std::move(batches);
    }
    replay_.stranded.push_back(std::move(write));
  }

  absl::Status Flush() {
    TALOSMQ_ASSIGN_OR_RETURN(const auto statuses, RestoreSegments(target_, writes_));
    for (size_t i = 0; i < writes_.size(); ++i) {
      if (statuses[i].ok()) {
        replay_.bytes += writes_[i].bytes;
      } else {
        Strand(std::move(writes_[i]), statuses[i]);
      }
    }
    writes_.clear();
    bytes_ = 0;
    return CheckStranded();
  }

  absl::Status CheckStranded() const {
    int64_t bytes = 0;
    for (const LogWrite& write : replay_.stranded) bytes += write.bytes;
    if (bytes == 0) return absl::OkStatus();
    const absl::Status& first = replay_.stranded.front().status;
    if (replay_.damages > 0) {  // What is missing could not be told any more from what waits.
      return base::Annotate(first, "the journal is damaged as well");
    }
    if (bytes <= kStrandedBytesMax) return absl::OkStatus();
    return base::Annotate(first, base::StrCat("more than ", kStrandedBytesMax, " bytes"));
  }

  absl::StatusOr<const io::File*> Open(size_t index) {
    if (files_[index] == nullptr) {
      TALOSMQ_ASSIGN_OR_RETURN(files_[index],
                               target_.file_system.Open(scan_.paths[index], io::OpenMode::kRead));
    }
    return files_[index].get();
  }

  const RestoreTarget& target_;
  const JournalReplayInput& input_;
  const JournalScan& scan_;
  std::vector<std::unique_ptr<io::File>> files_;  ///< At the same index as their paths.
  std::vector<LogWrite> writes_;                  ///< One for each log.
  int64_t bytes_ = 0;                             ///< Of writes_.
  JournalReplay replay_;
};

}  // namespace

absl::StatusOr<std::vector<absl::Status>> RestoreSegments(const RestoreTarget& target,
                                                          std::span<const LogWrite> writes) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto deferred_sync,
                           io::DeferredSync::Open(target.file_system, target.data_directory));
  std::vector<absl::Status> statuses(writes.size());
  std::vector<LogWrite> ready;
  std::vector<absl::Status*> of_ready;
  for (size_t i = 0; i < writes.size(); ++i) {
    LogWrite write = writes[i];
    write.allocation = Allocation::kAsWritten;  // A start waits for it.
    statuses[i] = TakeUp(target, write);
    if (!statuses[i].ok()) continue;
    ready.push_back(std::move(write));
    of_ready.push_back(&statuses[i]);
  }
  DeferredFlush segments(*deferred_sync, target.catalogue, target.metrics);
  TALOSMQ_RETURN_IF_ERROR(segments.MakeDurable(ready));
  for (size_t i = 0; i < ready.size(); ++i) *of_ready[i] = std::move(ready[i].status);
  return statuses;
}

absl::StatusOr<JournalReplay> ReplayJournal(const RestoreTarget& target,
                                            const JournalReplayInput& input,
                                            const JournalScan& scan) {
  return Replay(target, input, scan).Run();
}

}  // namespace talosmq::storage
