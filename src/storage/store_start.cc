#include "storage/store_start.h"

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "storage/catalogue.h"
#include "storage/journal_replay.h"
#include "storage/log_folder.h"
#include "storage/segment.h"
#include "talosmq/error.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace talosmq::storage {
namespace {

constexpr uint64_t kCheckpointFileBytesMax = uint64_t{1} << 30;

/// A journal that is needed is not begun anew: its files, when they are put back, would not fit.
absl::Status CheckJournalIsThere(const LogStoreOptions& options, io::FileSystem& file_system,
                                 const JournalMark& mark) {
  if (!mark.is_needed() || options.accept_lost_journal) return absl::OkStatus();
  const std::string path =
      base::StrCat(options.directory, "/", kJournalFolder, "/", kJournalIdentityFileName);
  TALOSMQ_ASSIGN_OR_RETURN(const bool exists, file_system.Exists(path));
  if (exists) return absl::OkStatus();
  return MakeError(Reason::kCorruptData,
                   base::StrCat(path, ": expected the identity of a journal whose groups ",
                                mark.oldest, " to ", mark.newest,
                                " are needed, found no file. Put back the whole folder, or set "
                                "recovery.accept_restored_copy: true once to go on without it"));
}

/// The files in which nothing counts any more. With damage in them they stay, for whoever looks
/// into it.
absl::Status RemoveFound(io::FileSystem& file_system, const JournalScan& scan,
                         const JournalReplay& replay) {
  if (replay.damages == 0) {
    for (const std::string& path : scan.paths) TALOSMQ_RETURN_IF_ERROR(file_system.Remove(path));
  }
  const absl::Status removed =
      file_system.Remove(base::StrCat(scan.directory, "/", kJournalTemporaryFileName));
  return absl::IsNotFound(removed) ? absl::OkStatus() : removed;
}

}  // namespace

absl::StatusOr<LoadedCheckpoint> LoadCheckpoint(io::FileSystem& file_system,
                                                const std::string& directory) {
  const std::string path = base::StrCat(directory, "/", kCheckpointFileName);
  const auto content = io::ReadFile(file_system, path, kCheckpointFileBytesMax);
  LoadedCheckpoint checkpoint;
  if (content.ok()) {
    // Segments go because of it, and its name may be in the page cache only.
    TALOSMQ_RETURN_IF_ERROR(file_system.SyncDirectory(directory));
    auto parsed = ParseCheckpoint(base::AsBytes(*content));
    if (!parsed.ok()) return base::Annotate(parsed.status(), path);
    checkpoint = std::move(*parsed);
  } else if (absl::IsNotFound(content.status())) {
    checkpoint.broken = "it is missing";
  } else {
    return content.status();
  }
  if (checkpoint.broken.empty()) return checkpoint;
  TALOSMQ_ASSIGN_OR_RETURN(const auto folders, ListLogFolders(file_system, directory));
  if (absl::IsNotFound(content.status()) && folders.empty()) {
    // A log begun before the first checkpoint is a young one, not one whose point was lost.
    TALOSMQ_RETURN_IF_ERROR(
        io::WriteFileAtomically(file_system, path, base::AsBytes(EncodeCheckpoint({}, {}))));
    return LoadedCheckpoint();
  }
  size_t unknown = 0;
  for (const TopicPartition& log : folders) {
    const FlushedPoint point{
        .log_start = Offset(0), .end_offset = kUnknownEnd, .segment = Offset(0)};
    if (checkpoint.points.emplace(log, point).second) ++unknown;
  }
  base::LogWarning("storage", path, ": ", checkpoint.broken, "; the flushed points of ", unknown,
                   " logs are unknown");
  return checkpoint;
}

absl::StatusOr<OpenedJournal> OpenJournal(const LogStoreOptions& options,
                                          const LogStore::Dependencies& dependencies,
                                          StorageMetrics& metrics, LoadedCheckpoint& checkpoint) {
  io::FileSystem& file_system = dependencies.file_system;
  Catalogue catalogue(dependencies.catalogue);
  const std::string directory = base::StrCat(options.directory, "/", kJournalFolder);
  TALOSMQ_RETURN_IF_ERROR(CheckJournalIsThere(options, file_system, checkpoint.journal));
  TALOSMQ_ASSIGN_OR_RETURN(const JournalIdentity identity,
                           LoadJournalIdentity(file_system, directory, dependencies.random));
  TALOSMQ_ASSIGN_OR_RETURN(const JournalScan scan, ScanJournal(file_system, directory, identity));
  TALOSMQ_ASSIGN_OR_RETURN(
      JournalReplay replay,
      ReplayJournal(
          {.file_system = file_system,
           .data_directory = options.directory,
           .catalogue = catalogue,
           .metrics = metrics},
          {.recorded = checkpoint.points,
           .journal = checkpoint.journal,
           .lost_groups = options.accept_lost_journal ? LostGroups::kAccept : LostGroups::kRefuse,
           .executor = dependencies.flush_executor},
          scan));
  OpenedJournal opened;
  metrics.recovered_bytes.Add(replay.bytes);
  metrics.corruptions.Add(replay.damages);
  for (const std::string& note : replay.notes) base::LogWarning("storage", note);
  if (replay.damages > 0) {
    opened.damage = MakeError(Reason::kCorruptData, replay.last_damage);
  }
  const bool must_record = !replay.points.empty() || checkpoint.journal.is_needed();
  const uint64_t last = std::max(scan.last_sequence(), checkpoint.journal.newest);
  for (const auto& [log, point] : replay.points) checkpoint.points[log] = point;
  // While something is stranded the old groups are needed until it stands in a new one.
  if (replay.stranded.empty()) checkpoint.journal = {.newest = last, .oldest = last + 1};
  const auto record = [&] {
    return io::WriteFileAtomically(
        file_system, base::StrCat(options.directory, "/", kCheckpointFileName),
        base::AsBytes(EncodeCheckpoint(checkpoint.points, checkpoint.journal)));
  };
  if (must_record) TALOSMQ_RETURN_IF_ERROR(record());
  TALOSMQ_ASSIGN_OR_RETURN(
      opened.journal,
      Journal::Open(
          file_system,
          {.directory = directory, .identity = identity, .file_bytes = options.journal_file_bytes},
          {.paths = scan.paths, .last_sequence = last, .stranded = replay.stranded}));
  if (!replay.stranded.empty()) {
    const uint64_t sequence = opened.journal->newest_sequence();
    checkpoint.journal = {.newest = sequence, .oldest = sequence};
    TALOSMQ_RETURN_IF_ERROR(record());
  }
  TALOSMQ_RETURN_IF_ERROR(RemoveFound(file_system, scan, replay));
  opened.stranded = std::move(replay.stranded);
  return opened;
}

}  // namespace talosmq::storage
