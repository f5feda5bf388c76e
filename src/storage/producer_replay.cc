#include "storage/producer_replay.h"

#include "base/status.h"
#include "base/text.h"
#include "storage/producer_snapshot.h"
#include "storage/segment.h"
#include "storage/segment_index.h"
#include "storage/segment_scanner.h"

#include <algorithm>

namespace talosmq::storage {
namespace {

/// Where to begin in a segment so that `offset` is met: at the run that holds it.
struct ReplayStart {
  Offset offset;
  uint64_t position = 0;
};

ReplayStart FindStart(io::FileSystem& file_system, const TopicPartition& log,
                      const LogFolder& folder, Offset segment, Offset offset) {
  const auto index = LoadIndex(file_system, folder.Path(segment, kIndexSuffix),
                               {.log = log, .base_offset = segment});
  if (!index.ok() || index->entries.empty()) return {.offset = segment, .position = 0};
  const auto run = FindRun(index->entries, offset);
  if (run != std::span<const IndexEntry>(index->entries).end()) {
    return {.offset = run->first_offset, .position = run->position};
  }
  const IndexEntry& last = index->entries.back();
  return {.offset = last.end_offset, .position = last.end_position()};
}

/// One segment and the part of it that is read.
struct ReplaySource {
  const io::File& file;
  std::string path;
  Offset base;
  Density density = Density::kDense;
  ReplayStart start;
};

absl::Status ReplaySegment(const ReplaySource& source, const ReplayRange& range,
                           RestoredProducers& producers) {
  TALOSMQ_ASSIGN_OR_RETURN(const uint64_t size, source.file.Size());
  SegmentScanner scanner(
      source.file,
      {.base = source.base, .end_offset = range.end, .begin = source.start.position, .end = size},
      BatchChain(source.start.offset, {}, source.density));
  while (scanner.chain().next() < range.end) {
    TALOSMQ_ASSIGN_OR_RETURN(const ScanStep step, scanner.Next());
    if (step.batch) {
      if (step.batch->header.base_offset < range.begin) continue;
      producers.table.Add(step.batch->header, kReplayTime);
      producers.replayed_bytes += static_cast<int64_t>(step.batch->bytes.size());
      continue;
    }
    if (!step.mismatch) break;
    producers.notes.push_back(base::StrCat(
        "producers: ", MakeCorruption(DamageAt(source.path, 0, *step.mismatch)).message()));
    TALOSMQ_ASSIGN_OR_RETURN(const bool goes_on, scanner.SkipDamage());
    if (!goes_on) break;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RestoredProducers> RestoreProducers(io::FileSystem& file_system,
                                                   const TopicPartition& log,
                                                   const LogFolder& folder, Offset end) {
  RestoredProducers producers;
  producers.offset = folder.segments.front();
  const Offset compacted_end =
      folder.compacted.empty() ? Offset(0) : folder.compacted.rbegin()->second.end;
  for (auto offset = folder.snapshots.rbegin(); offset != folder.snapshots.rend(); ++offset) {
    if (*offset > end || *offset < compacted_end) continue;
    const std::string path = folder.Path(*offset, kSnapshotSuffix);
    if (*offset < folder.segments.front()) {
      producers.notes.push_back(base::StrCat(path,
                                             ": passed over: what follows it begins at offset ",
                                             folder.segments.front().value()));
      return producers;
    }
    const auto content = io::ReadFile(file_system, path, kSnapshotFileBytesMax);
    absl::Status problem = content.status();
    if (content.ok()) {
      const auto snapshot = DecodeProducerSnapshot(base::AsBytes(*content), log, *offset);
      if (snapshot.ok()) {
        producers.table.Restore(snapshot->producers, kReplayTime);
        producers.offset = *offset;
        return producers;
      }
      problem = snapshot.status();
    }
    if (ReasonOf(problem) == Reason::kUnsupportedVersion) return base::Annotate(problem, path);
    producers.notes.push_back(
        base::StrCat(path, ": passed over: ", base::FromAbsl(problem.message())));
    producers.unsound.insert(*offset);
  }
  return producers;
}

absl::Status ReplayProducers(io::FileSystem& file_system, const TopicPartition& log,
                             const LogFolder& folder, const ReplayRange& range,
                             RestoredProducers& producers) {
  if (range.begin >= range.end || folder.segments.empty()) return absl::OkStatus();
  auto segment = std::upper_bound(folder.segments.begin(), folder.segments.end(), range.begin);
  if (segment != folder.segments.begin()) --segment;
  for (; segment != folder.segments.end() && *segment < range.end; ++segment) {
    const std::string path = folder.Path(*segment, kSegmentSuffix);
    TALOSMQ_ASSIGN_OR_RETURN(const auto file, file_system.Open(path, io::OpenMode::kRead));
    const Offset begin = std::max(range.begin, *segment);
    const ReplayStart start = FindStart(file_system, log, folder, *segment, begin);
    const auto next = segment + 1;
    const ReplayRange part{
        .begin = begin,
        .end = next == folder.segments.end() ? range.end : std::min(range.end, *next)};
    TALOSMQ_RETURN_IF_ERROR(ReplaySegment({.file = *file,
                                           .path = path,
                                           .base = *segment,
                                           .density = folder.DensityOf(*segment),
                                           .start = start},
                                          part, producers));
  }
  return absl::OkStatus();
}

}  // namespace talosmq::storage
