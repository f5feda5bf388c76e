#include "inspect/inspect.h"

#include "base/status.h"
#include "base/text.h"
#include "inspect/segment_walk.h"
#include "storage/checkpoint.h"
#include "storage/epoch_history.h"
#include "storage/journal_reader.h"
#include "storage/log_folder.h"
#include "storage/producer_snapshot.h"
#include "storage/segment.h"
#include "storage/segment_index.h"

#include <algorithm>
#include <utility>

namespace talosmq::inspect {
namespace {

constexpr uint64_t kSmallFileBytesMax = uint64_t{1} << 30;
/// The file of a data directory that is there while a server runs, and after one that was killed.
constexpr std::string_view kWhileServerRuns = "listeners.json";

struct Options {
  Detail detail;
  Depth depth;
};

std::string LastName(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

std::string WithoutTrailingSlash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

/// Whose folder this is: by its path, or, when it was copied elsewhere, by the header of an index.
absl::StatusOr<std::optional<TopicPartition>> IdentityOf(io::FileSystem& file_system,
                                                         const storage::LogFolder& folder) {
  const auto partition = storage::ParsePartitionFolder(LastName(folder.directory));
  const auto topic_id = TopicId::Parse(LastName(io::ParentDirectory(folder.directory)));
  if (partition && topic_id) {
    return TopicPartition{.topic_id = *topic_id, .partition = *partition};
  }
  for (const Offset index : folder.indexes) {
    TALOSMQ_ASSIGN_OR_RETURN(
        const std::string content,
        io::ReadFile(file_system, folder.Path(index, storage::kIndexSuffix), kSmallFileBytesMax));
    const auto header = storage::DecodeIndexHeader(base::AsBytes(content));
    if (header.ok()) return header->segment.log;
  }
  return std::nullopt;
}

/// Looks at one data directory, or at one log of it. Confined to one call.
class Inspection {
 public:
  Inspection(io::FileSystem& file_system, const Options& options)
      : file_system_(file_system), options_(options) {}

  absl::StatusOr<Report> Run(const std::string& directory) {
    TALOSMQ_ASSIGN_OR_RETURN(const bool is_data_directory,
                             file_system_.Exists(storage::TopicsDirectory(directory)));
    return is_data_directory ? RunAll(directory) : RunOne(directory);
  }

 private:
  absl::StatusOr<Report> RunAll(const std::string& directory) {
    TALOSMQ_RETURN_IF_ERROR(LoadCheckpoint(directory));
    TALOSMQ_RETURN_IF_ERROR(CheckJournal(base::StrCat(directory, "/", storage::kJournalFolder)));
    TALOSMQ_ASSIGN_OR_RETURN(const auto logs, storage::ListLogFolders(file_system_, directory));
    for (const TopicPartition& log : logs) {
      TALOSMQ_ASSIGN_OR_RETURN(
          const storage::LogFolder folder,
          storage::ListLogFolder(file_system_, storage::LogDirectory(directory, log)));
      TALOSMQ_ASSIGN_OR_RETURN(LogReport one, RunLog(log, folder));
      report_.logs.push_back(std::move(one));
    }
    for (const auto& [log, point] : points_) {
      if (std::ranges::find(logs, log) != logs.end() || point.end_offset <= point.log_start)
        continue;
      report_.findings.push_back(
          {.severity = SeverityOfLoss(),
           .file = storage::LogDirectory(directory, log),
           .position = std::nullopt,
           .what = base::StrCat("the checkpoint records offsets up to ", point.end_offset.value(),
                                " and the folder is gone", MayBeDeleted())});
    }
    return std::move(report_);
  }

  absl::StatusOr<Report> RunOne(const std::string& directory) {
    TALOSMQ_ASSIGN_OR_RETURN(const storage::LogFolder folder,
                             storage::ListLogFolder(file_system_, directory));
    std::optional<TopicPartition> log;
    if (folder.exists) {
      TALOSMQ_ASSIGN_OR_RETURN(log, IdentityOf(file_system_, folder));
    }
    if (!log || (folder.segments.empty() && !folder.has_epochs)) {
      return MakeError(Reason::kInvalidArgument,
                       base::StrCat(directory,
                                    ": expected a data directory (with topics/ in it) or "
                                    "a log folder (topics/<topic id>/<partition>), found ",
                                    folder.exists ? "neither" : "nothing there"));
    }
    // topics/<topic id>/<partition> lies in the data directory, whose checkpoint knows the log.
    const std::string topics = io::ParentDirectory(io::ParentDirectory(directory));
    if (LastName(topics) == storage::kTopicsFolder) {
      TALOSMQ_RETURN_IF_ERROR(LoadCheckpoint(io::ParentDirectory(topics)));
    }
    TALOSMQ_ASSIGN_OR_RETURN(LogReport one, RunLog(*log, folder));
    report_.logs.push_back(std::move(one));
    return std::move(report_);
  }

  /// Of files that the checkpoint speaks of and that are not there. A server that runs removes the
  /// files of a deleted topic first and forgets them in its next checkpoint.
  Severity SeverityOfLoss() const {
    return is_beside_server_ ? Severity::kNote : Severity::kDamage;
  }
  std::string_view MayBeDeleted() const {
    return is_beside_server_ ? "; a server runs, which may be deleting the topic" : "";
  }

  /// Before any log is looked at: what it records is on the disk by then.
  absl::Status LoadCheckpoint(const std::string& directory) {
    TALOSMQ_ASSIGN_OR_RETURN(is_beside_server_,
                             file_system_.Exists(base::StrCat(directory, "/", kWhileServerRuns)));
    const std::string path = base::StrCat(directory, "/", storage::kCheckpointFileName);
    const auto content = io::ReadFile(file_system_, path, kSmallFileBytesMax);
    if (absl::IsNotFound(content.status())) {
      report_.findings.push_back({.severity = Severity::kNote,
                                  .file = path,
                                  .position = std::nullopt,
                                  .what = "missing: no flushed point is recorded"});
      return absl::OkStatus();
    }
    if (!content.ok()) return content.status();
    auto checkpoint = storage::ParseCheckpoint(base::AsBytes(*content));
    if (!checkpoint.ok()) return base::Annotate(checkpoint.status(), path);
    if (!checkpoint->broken.empty()) {
      report_.findings.push_back({.severity = Severity::kDamage,
                                  .file = path,
                                  .position = std::nullopt,
                                  .what = checkpoint->broken});
    }
    points_ = std::move(checkpoint->points);
    journal_mark_ = checkpoint->journal;
    return absl::OkStatus();
  }

  void Add(Severity severity, const std::string& file, std::optional<uint64_t> position,
           std::string what) {
    report_.findings.push_back(
        {.severity = severity, .file = file, .position = position, .what = std::move(what)});
  }
  void AddDamage(const storage::Damage& damage) {
    // A server that runs writes over what does not count any more while this reads.
    Add(SeverityOfLoss(), damage.file, damage.position,
        base::StrCat("expected ", damage.expected, ", found ", damage.found));
  }

  absl::Status CheckJournal(const std::string& directory) {
    const std::string path = base::StrCat(directory, "/", storage::kJournalIdentityFileName);
    TALOSMQ_ASSIGN_OR_RETURN(const bool exists, file_system_.Exists(directory));
    if (!exists) return absl::OkStatus();
    const auto content = io::ReadFile(file_system_, path, kSmallFileBytesMax);
    if (!content.ok() && !absl::IsNotFound(content.status())) return content.status();
    const auto identity =
        storage::DecodeJournalIdentity(content.ok() ? base::AsBytes(*content) : base::ByteSpan());
    if (!identity.ok()) {
      Add(Severity::kDamage, path, std::nullopt, std::string(identity.status().message()));
      return absl::OkStatus();
    }
    TALOSMQ_ASSIGN_OR_RETURN(const storage::JournalScan scan,
                             storage::ScanJournal(file_system_, directory, *identity));
    TALOSMQ_ASSIGN_OR_RETURN(const storage::LiveJournal live,
                             storage::SelectLive(file_system_, scan, journal_mark_));
    for (const storage::Damage& damage : live.lost) AddDamage(damage);
    if (live.tear) {
      Add(Severity::kNote, live.tear->file, live.tear->position,
          "the newest group was never acknowledged");
    }
    for (const storage::FoundSection& found : live.sections) {
      TALOSMQ_RETURN_IF_ERROR(CheckSection(scan.paths[found.file], found));
    }
    return absl::OkStatus();
  }

  absl::Status CheckSection(const std::string& path, const storage::FoundSection& found) {
    const storage::JournalSection& section = found.section;
    const auto point = points_.find(section.log);
    const bool is_in_segments = point != points_.end() && point->second.is_known() &&
                                section.end_offset <= point->second.end_offset;
    if (is_in_segments) return absl::OkStatus();
    Add(Severity::kNote, path, found.position,
        base::StrCat("offsets ", section.first_offset.value(), " to ",
                     section.end_offset.value() - 1, " of log ", section.log.ToString(),
                     ", which may not be in its segments yet"));
    TALOSMQ_ASSIGN_OR_RETURN(const auto file, file_system_.Open(path, io::OpenMode::kRead));
    TALOSMQ_ASSIGN_OR_RETURN(const storage::SectionBatches batches,
                             storage::ReadSection(*file, found));
    if (batches.mismatch) {
      AddDamage(storage::DamageAt(path, found.position, *batches.mismatch));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<LogReport> RunLog(const TopicPartition& log, const storage::LogFolder& folder) {
    LogReport one;
    one.log = log;
    one.directory = folder.directory;
    const auto point = points_.find(log);
    const bool is_recorded = point != points_.end() && point->second.is_known();
    if (is_recorded) one.flushed_end = point->second.end_offset;
    one.log_start = is_recorded               ? point->second.log_start
                    : folder.segments.empty() ? Offset(0)
                                              : folder.segments.front();
    one.end_offset = one.log_start;
    TALOSMQ_RETURN_IF_ERROR(ReadEpochs(folder, one));
    for (size_t i = 0; i < folder.segments.size(); ++i) {
      TALOSMQ_RETURN_IF_ERROR(RunSegment(folder, i, one));
    }
    if (one.flushed_end && one.end_offset < *one.flushed_end) {
      TALOSMQ_ASSIGN_OR_RETURN(const storage::LogFolder now,
                               storage::ListLogFolder(file_system_, folder.directory));
      const bool lost_files = now.segments != folder.segments;
      one.findings.push_back(
          {.severity = lost_files ? SeverityOfLoss() : Severity::kDamage,
           .file = folder.directory,
           .position = std::nullopt,
           .what = base::StrCat("expected records up to offset ", one.flushed_end->value(),
                                " by the checkpoint, found up to ", one.end_offset.value(),
                                lost_files ? MayBeDeleted() : "")});
    }
    if (options_.depth == Depth::kRecords) TALOSMQ_RETURN_IF_ERROR(CheckSnapshots(folder, one));
    return one;
  }

  absl::Status RunSegment(const storage::LogFolder& folder, size_t index, LogReport& one) {
    const Offset base = folder.segments[index];
    const bool is_last = index + 1 == folder.segments.size();
    const auto point = points_.find(one.log);
    // A segment is begun when the one before is complete and synced.
    std::optional<uint64_t> flushed_position;
    if (is_last) flushed_position = 0;
    if (is_last && one.flushed_end && base <= point->second.segment) {
      flushed_position = std::nullopt;
      if (base == point->second.segment) flushed_position = point->second.position;
    }
    auto segment = WalkSegment(
        {.file_system = file_system_,
         .folder = folder,
         .log = one.log,
         .segment = base,
         .next_segment = is_last ? std::nullopt : std::optional(folder.segments[index + 1]),
         .flushed_position = flushed_position,
         .history = one.epochs,
         .detail = options_.detail,
         .depth = options_.depth},
        one.findings);
    // A server that runs may have removed it since the folder was listed.
    if (absl::IsNotFound(segment.status())) return absl::OkStatus();
    if (!segment.ok()) return segment.status();
    one.end_offset = segment->end_offset;
    one.segments.push_back(std::move(*segment));
    return absl::OkStatus();
  }

  absl::Status ReadEpochs(const storage::LogFolder& folder, LogReport& one) {
    if (!folder.has_epochs) {
      if (!folder.segments.empty()) {
        one.findings.push_back({.severity = Severity::kNote,
                                .file = folder.EpochPath(),
                                .position = std::nullopt,
                                .what = "missing; it will be made again from the batches"});
      }
      return absl::OkStatus();
    }
    const auto content = io::ReadFile(file_system_, folder.EpochPath(), kSmallFileBytesMax);
    // A server that runs may have removed it since the folder was listed.
    if (absl::IsNotFound(content.status())) return absl::OkStatus();
    if (!content.ok()) return content.status();
    TALOSMQ_ASSIGN_OR_RETURN(storage::LoadedEpochs epochs,
                             storage::ParseEpochs(base::AsBytes(*content), one.log));
    if (!epochs.broken.empty()) {
      // What is left of it would make later batches look wrong.
      one.findings.push_back({.severity = Severity::kDamage,
                              .file = folder.EpochPath(),
                              .position = std::nullopt,
                              .what = epochs.broken});
      return absl::OkStatus();
    }
    one.epochs = std::move(epochs.entries);
    return absl::OkStatus();
  }

  absl::Status CheckSnapshots(const storage::LogFolder& folder, LogReport& one) {
    for (const Offset offset : folder.snapshots) {
      const std::string path = folder.Path(offset, storage::kSnapshotSuffix);
      const auto content = io::ReadFile(file_system_, path, kSmallFileBytesMax);
      if (absl::IsNotFound(content.status())) continue;
      if (!content.ok()) return content.status();
      const auto snapshot =
          storage::DecodeProducerSnapshot(base::AsBytes(*content), one.log, offset);
      if (snapshot.ok()) continue;
      one.findings.push_back({.severity = Severity::kDamage,
                              .file = path,
                              .position = std::nullopt,
                              .what = std::string(snapshot.status().message())});
    }
    return absl::OkStatus();
  }

  io::FileSystem& file_system_;
  const Options options_;
  storage::FlushedPoints points_;
  storage::JournalMark journal_mark_;
  bool is_beside_server_ = false;
  Report report_;
};

}  // namespace

int64_t Report::CountFindings(Severity severity) const {
  const auto is_meant = [&](const Finding& finding) { return finding.severity == severity; };
  int64_t count = std::ranges::count_if(findings, is_meant);
  for (const LogReport& log : logs) count += std::ranges::count_if(log.findings, is_meant);
  return count;
}

absl::StatusOr<Report> InspectDirectory(io::FileSystem& file_system, const std::string& directory,
                                        Detail detail) {
  return Inspection(file_system, {.detail = detail, .depth = Depth::kHeaders})
      .Run(WithoutTrailingSlash(directory));
}

absl::StatusOr<Report> VerifyDirectory(io::FileSystem& file_system, const std::string& directory,
                                       Detail detail) {
  return Inspection(file_system, {.detail = detail, .depth = Depth::kRecords})
      .Run(WithoutTrailingSlash(directory));
}

}  // namespace talosmq::inspect
