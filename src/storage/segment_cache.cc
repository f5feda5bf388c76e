#include "storage/segment_cache.h"

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "storage/index_rebuild.h"
#include "storage/segment.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace talosmq::storage {
namespace {

std::optional<Offset> EndOf(const SegmentCache::Request& request) {
  const SegmentList& segments = *request.log.segments;
  const SegmentName name = segments.name(request.segment);
  if (name.generation > 0) return name.end;
  if (segments.is_last(request.segment)) return std::nullopt;
  return segments.base(request.segment + 1);
}

std::string PathOf(const SegmentCache::Request& request, std::string_view suffix) {
  return base::StrCat(request.log.files->directory, "/",
                      SegmentFileName(request.log.segments->name(request.segment), suffix));
}

}  // namespace

absl::StatusOr<ReadableSegment> SegmentCache::Open(
    const Request& request, absl::FunctionRef<bool(const IndexEntry&)> is_before) {
  const Offset base = request.log.segments->base(request.segment);
  // Before the file is looked at: entries move from here to there, so none can be missed.
  const PendingIndex::Snapshot pending = request.log.files->pending_index.Of(base);
  TALOSMQ_ASSIGN_OR_RETURN(Segment * segment, Find(request));
  TALOSMQ_RETURN_IF_ERROR(UpdateEntries(request, pending, *segment));

  const bool is_compacted = request.log.segments->name(request.segment).generation > 0;
  ReadableSegment readable{.identity = segment->identity,
                           .density = is_compacted ? Density::kCompacted : Density::kDense,
                           .path = segment->path,
                           .end = EndOf(request),
                           .file = segment->file.get(),
                           .runs = {},
                           .runs_begin = base,
                           .runs_begin_position = 0,
                           .runs_end = base,
                           .runs_end_position = 0};
  int64_t bytes = 0;
  const auto take = [&](std::span<const IndexEntry> entries) {
    auto entry = std::partition_point(entries.begin(), entries.end(), is_before);
    if (readable.runs.empty() && entry != entries.begin()) {
      const IndexEntry& before = *std::prev(entry);
      readable.runs_begin = std::max(readable.runs_begin, before.end_offset);
      readable.runs_begin_position = std::max(readable.runs_begin_position, before.end_position());
    }
    for (; entry != entries.end() && (readable.runs.empty() || bytes < request.bytes_max);
         ++entry) {
      if (!readable.runs.empty() && entry->position < readable.runs.back().end_position()) continue;
      readable.runs.push_back(*entry);
      bytes += entry->size;
    }
    if (entries.empty()) return;
    readable.runs_end = std::max(readable.runs_end, entries.back().end_offset);
    readable.runs_end_position =
        std::max(readable.runs_end_position, entries.back().end_position());
  };
  take(segment->entries);
  take(pending.entries);
  return readable;
}

absl::StatusOr<SegmentCache::Segment*> SegmentCache::Find(const Request& request) {
  const SegmentIdentity identity{.log = request.log.files->id,
                                 .base_offset = request.log.segments->base(request.segment)};
  std::string path = PathOf(request, kSegmentSuffix);
  const auto found = std::ranges::find(segments_, path, &Segment::path);
  if (found != segments_.end()) {
    segments_.splice(segments_.begin(), segments_, found);
    return &segments_.front();
  }
  Segment segment{.identity = identity, .path = std::move(path), .file = nullptr, .entries = {}};
  auto file = dependencies_.file_system.Open(segment.path, io::OpenMode::kRead);
  if (absl::IsNotFound(file.status())) {
    return MakeCorruption({.file = segment.path,
                           .position = 0,
                           .expected = "a segment of the log",
                           .found = "no file"});
  }
  if (!file.ok()) return file.status();
  segment.file = std::move(*file);
  Shrink();
  segments_.push_front(std::move(segment));
  dependencies_.metrics.AddOpenFiles(1);
  return &segments_.front();
}

absl::Status SegmentCache::UpdateEntries(const Request& request,
                                         const PendingIndex::Snapshot& pending, Segment& segment) {
  const std::optional<Offset> end = EndOf(request);
  const auto known_end = [&] {
    return segment.entries.empty() ? segment.identity.base_offset
                                   : segment.entries.back().end_offset;
  };
  const bool is_complete = pending.entries.empty()
                               ? known_end() == end
                               : known_end() >= pending.entries.front().first_offset;
  if (is_complete || segment.is_rebuilt || segment.loaded_at == pending.drops) {
    return absl::OkStatus();
  }
  const std::string path = PathOf(request, kIndexSuffix);
  auto index = LoadIndex(dependencies_.file_system, path, segment.identity);
  // The last segment and one that the checkpoint still has to finish lack entries by right, so that
  // theirs cannot be made again: without what is in the file sound batches would look damaged.
  const bool is_whole = end && pending.entries.empty();
  if (index.ok() && !is_whole) TALOSMQ_RETURN_IF_ERROR(index->unreadable);
  std::string why = "it is missing";
  if (index.ok()) {
    segment.entries = std::move(index->entries);
    why = index->broken.empty() ? "it ends too early" : index->broken;
  } else if (!absl::IsNotFound(index.status())) {
    return index.status();
  }
  if (is_whole && known_end() != *end) return Rebuild(request, why, segment);
  segment.loaded_at = pending.drops;
  return absl::OkStatus();
}

absl::Status SegmentCache::Rebuild(const Request& request, const std::string& why,
                                   Segment& segment) {
  auto rebuilt =
      RebuildIndex(dependencies_.file_system,
                   {.segment = segment.identity,
                    .directory = request.log.files->directory,
                    .end = *EndOf(request),
                    .generation = request.log.segments->name(request.segment).generation,
                    .history = *request.log.history,
                    .created_ms = request.log.segments->all()[request.segment].created_ms});
  if (!rebuilt.ok()) return rebuilt.status();
  dependencies_.metrics.indexes_rebuilt.Add(1);
  base::LogWarning("storage", segment.path, ": its index was rebuilt, since ", why);
  if (!rebuilt->stored.ok()) {
    base::LogWarning("storage", segment.path, ": the rebuilt index is in memory only: ",
                     base::FromAbsl(rebuilt->stored.message()));
  }
  for (const Corruption& damage : rebuilt->damages) {
    dependencies_.metrics.corruptions.Add(1);
    base::LogError("storage", MakeCorruption(damage).message());
  }
  segment.entries = std::move(rebuilt->entries);
  segment.is_rebuilt = true;
  return absl::OkStatus();
}

void SegmentCache::Shrink() {
  size_t entries = 0;
  for (const Segment& segment : segments_) entries += segment.entries.size();
  while (segments_.size() >= kSegmentsMax || entries > kEntriesMax) {
    entries -= segments_.back().entries.size();
    segments_.pop_back();
    dependencies_.metrics.AddOpenFiles(-1);
  }
}

void SegmentCache::Forget(const TopicPartition& log) {
  const auto forgotten =
      segments_.remove_if([&](const Segment& segment) { return segment.identity.log == log; });
  dependencies_.metrics.AddOpenFiles(-static_cast<int64_t>(forgotten));
}

}  // namespace talosmq::storage
