#include "storage/log_reader.h"

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "storage/salvage_read.h"
#include "storage/segment_scanner.h"

#include <algorithm>
#include <utility>

namespace talosmq::storage {
namespace {

/// Of the batches, those from the one that holds request.offset that the request has room for.
ReadResult Select(const base::Buffer& bytes, const std::vector<VerifiedBatch>& batches,
                  const ReadRequest& request) {
  ReadResult result{.chunks = {}, .next_offset = request.offset};
  size_t begin = 0;
  size_t end = 0;
  for (const VerifiedBatch& batch : batches) {
    if (batch.header.end_offset() <= request.offset) continue;
    const size_t batch_end = batch.position + batch.header.size();
    const bool is_first = end == 0;
    if (batch.header.end_offset() > request.limit) break;
    if (!is_first && static_cast<int64_t>(batch_end - begin) > request.bytes_max) break;
    if (is_first) begin = batch.position;
    end = batch_end;
    ++result.batches;
    result.next_offset = batch.header.end_offset();
  }
  if (end == 0) return result;
  // A slice keeps all that was read, which may be many times what it is counted as.
  const bool is_little = end - begin < bytes.size() / 2;
  result.chunks.push_back(is_little
                              ? base::Buffer::CopyOf(bytes.bytes().subspan(begin, end - begin))
                              : bytes.Slice(begin, end - begin));
  return result;
}

absl::Status Refuse(const Damage& damage, const CorruptRange& hidden) {
  return MakeCorruptData(base::FromAbsl(MakeCorruption(damage).message()), hidden);
}

/// Of offsets whose segment is gone.
absl::Status RefuseGap(const LogSource& log, Offset first, Offset next) {
  return Refuse({.file = log.files->directory,
                 .position = 0,
                 .expected = base::StrCat("a segment that holds offset ", first.value()),
                 .found = "none"},
                {.first = first, .next = next});
}

/// Where the segment behind this one begins, or where reading ends.
Offset NextSegment(const LogSource& log, size_t segment, Offset limit) {
  const SegmentList& segments = *log.segments;
  return segments.is_last(segment) ? limit : std::min(segments.base(segment + 1), limit);
}

/// Of what lies before the first run.
absl::Status RefuseHole(const ReadableSegment& segment, Offset limit) {
  return Refuse(
      {.file = segment.path,
       .position = segment.runs_begin_position,
       .expected = base::StrCat("offset ", segment.runs_begin.value(), " at this position"),
       .found = "a range that could not be read when the index was made again"},
      {.first = segment.runs_begin, .next = std::min(segment.runs.front().first_offset, limit)});
}

}  // namespace

std::optional<Offset> FindInBatch(base::ByteSpan batch, const record::BatchHeader& header,
                                  int64_t time_ms, Offset begin) {
  if (header.max_timestamp_ms < time_ms || header.end_offset() <= begin) return std::nullopt;
  if (header.count == 0) return std::nullopt;  // Compaction has left the header alone.
  const Offset first = std::max(header.base_offset, begin);
  if (header.timestamp_type() == record::TimestampType::kLogAppendTime) return first;
  auto reader = record::BatchReader::Open(batch, {});
  if (!reader.ok()) return first;
  while (true) {
    const auto record = reader->Next();
    if (!record.ok()) return first;
    if (!record->has_value()) return std::nullopt;
    if ((*record)->timestamp_ms >= time_ms && (*record)->offset >= begin) return (*record)->offset;
  }
}

int64_t CeilToMillis(absl::Time time) {
  return absl::ToUnixMillis(time + absl::Milliseconds(1) - absl::Nanoseconds(1));
}

absl::StatusOr<ReadResult> LogReader::Read(const LogSource& log, const ReadRequest& request) {
  metrics_.cold_reads.Add(1);
  absl::StatusOr<ReadResult> result = ReadOnce(log, request);
  if (const auto damaged = CorruptRangeOf(result.status())) {
    const absl::Status refusal = HideOffsets(result.status(), Widen(log, *damaged, request.limit));
    metrics_.corruptions.Add(1);
    base::LogError("storage", refusal.message());
    return refusal;
  }
  if (!result.ok()) return result;
  for (const auto& chunk : result->chunks) {
    metrics_.cold_read_bytes.Add(static_cast<int64_t>(chunk.size()));
  }
  return result;
}

CorruptRange LogReader::Widen(const LogSource& log, CorruptRange range, Offset limit) {
  for (int runs = 0; runs < kDamagedRunsMax && range.next < limit; ++runs) {
    const auto behind = ReadOnce(log, {.offset = range.next, .limit = limit, .bytes_max = 1});
    const auto damaged = CorruptRangeOf(behind.status());
    if (!damaged) break;
    range.next = damaged->next;
  }
  return range;
}

absl::StatusOr<ReadableSegment> LogReader::OpenSegment(
    const SegmentCache::Request& request, Offset limit,
    absl::FunctionRef<bool(const IndexEntry&)> is_before) {
  auto segment = cache_.Open(request, is_before);
  if (ReasonOf(segment.status()) != Reason::kCorruptData) return segment;
  return MakeCorruptData(base::FromAbsl(segment.status().message()),
                         {.first = request.log.segments->base(request.segment),
                          .next = NextSegment(request.log, request.segment, limit)});
}

absl::StatusOr<ReadResult> LogReader::ReadOnce(const LogSource& log, const ReadRequest& request) {
  const auto index = log.segments->Find(request.offset);
  if (!index) {
    const Offset next = log.segments->empty() ? request.limit : log.segments->base(0);
    return RefuseGap(log, request.offset, std::min(next, request.limit));
  }
  TALOSMQ_ASSIGN_OR_RETURN(
      const ReadableSegment segment,
      OpenSegment(
          {.log = log, .segment = *index, .bytes_max = std::min(request.bytes_max, kReadBytesMax)},
          request.limit, [&](const IndexEntry& run) { return run.end_offset <= request.offset; }));
  if (segment.end && request.offset >= *segment.end) {
    return RefuseGap(log, *segment.end, NextSegment(log, *index, request.limit));
  }
  if (segment.runs.empty()) return ReadBehindRuns(log, segment, request);
  const IndexEntry& first = segment.runs.front();
  if (first.first_offset > request.offset) return RefuseHole(segment, request.limit);
  if (first.end_offset > request.limit) return ReadBehindRuns(log, segment, request);
  TALOSMQ_ASSIGN_OR_RETURN(const Batches read, ReadRuns(log, segment, request.limit));
  return Select(read.bytes, read.batches, request);
}

absl::StatusOr<LogReader::Batches> LogReader::ReadRuns(const LogSource& log,
                                                       const ReadableSegment& segment,
                                                       Offset limit) {
  // Consecutive runs that are durable to their end; a hole between two ends the read.
  size_t count = 1;
  const auto& runs = segment.runs;
  while (count < runs.size() && runs[count].end_offset <= limit &&
         runs[count].position == runs[count - 1].end_position()) {
    ++count;
  }
  const uint64_t begin = runs.front().position;
  const uint64_t end = runs[count - 1].end_position();
  Batches read{.bytes = base::Buffer::Allocate(static_cast<size_t>(end - begin)), .batches = {}};
  const SalvagedBytes salvaged = SalvageRead(*segment.file, begin, read.bytes.mutable_bytes());
  const base::ByteSpan bytes = read.bytes.bytes().first(salvaged.size);
  for (size_t i = 0; i < count; ++i) {
    const auto position = static_cast<size_t>(runs[i].position - begin);
    const base::ByteSpan from = bytes.subspan(std::min(position, bytes.size()));
    auto mismatch = VerifyRun(from.first(std::min<size_t>(runs[i].size, from.size())),
                              {.log = log.files->id,
                               .entry = runs[i],
                               .history = *log.history,
                               .density = segment.density},
                              position, read.batches);
    if (!mismatch) continue;
    if (const auto* lost = salvaged.FindIn(runs[i].position, runs[i].end_position())) {
      mismatch =
          Mismatch{.position = lost->begin - std::min(lost->begin, uint64_t{runs[i].position}),
                   .expected = "a run of batches",
                   .found = lost->error,
                   .is_unreadable = true};
    }
    // Behind sound runs it is left to the read that begins with it.
    if (i > 0) break;
    return Refuse(DamageAt(segment.path, runs[i].position, *mismatch),
                  {.first = runs[i].first_offset, .next = runs[i].end_offset});
  }
  return read;
}

absl::StatusOr<ReadResult> LogReader::ReadBehindRuns(const LogSource& log,
                                                     const ReadableSegment& segment,
                                                     const ReadRequest& request) {
  // The run that holds the offset is not durable to its end, or has no entry yet.
  const bool has_run = !segment.runs.empty();
  const Offset begin = has_run ? segment.runs.front().first_offset : segment.runs_end;
  const uint64_t position = has_run ? segment.runs.front().position : segment.runs_end_position;
  TALOSMQ_ASSIGN_OR_RETURN(const uint64_t size, segment.file->Size());
  SegmentScanner scanner(*segment.file,
                         {.base = segment.identity.base_offset,
                          .end_offset = segment.end,
                          .begin = position,
                          .end = size},
                         BatchChain(begin, *log.history, segment.density));
  ReadResult result{.chunks = {}, .next_offset = request.offset};
  const Offset limit = std::min(request.limit, segment.end.value_or(request.limit));
  int64_t bytes = 0;
  while (scanner.chain().next() < limit) {
    TALOSMQ_ASSIGN_OR_RETURN(const ScanStep step, scanner.Next());
    if (!step.batch) {
      if (!result.chunks.empty()) break;
      const Mismatch at_end{.position = size,
                            .expected = base::StrCat("batches up to offset ", limit.value()),
                            .found = "the end of the file"};
      return Refuse(DamageAt(segment.path, 0, step.mismatch.value_or(at_end)),
                    {.first = scanner.chain().next(), .next = limit});
    }
    if (step.batch->header.end_offset() <= request.offset) continue;
    bytes += static_cast<int64_t>(step.batch->bytes.size());
    if (step.batch->header.end_offset() > request.limit) break;
    if (bytes > std::min(request.bytes_max, kReadBytesMax) && !result.chunks.empty()) break;
    result.chunks.push_back(base::Buffer::CopyOf(step.batch->bytes));
    ++result.batches;
    result.next_offset = step.batch->header.end_offset();
  }
  return result;
}

absl::StatusOr<Offset> LogReader::FindOffset(const LogSource& log, const TimeQuery& query) {
  std::optional<Offset> hole;
  const bool lacks_first = log.segments->size() > 0 && log.segments->base(0) > query.begin;
  if (lacks_first) hole = query.begin;
  const size_t first = log.segments->Find(query.begin).value_or(0);
  for (size_t i = first; i < log.segments->size() && log.segments->base(i) < query.limit; ++i) {
    const auto found = FindInSegment(log, i, query, hole);
    if (const auto damaged = CorruptRangeOf(found.status())) {
      return std::clamp(hole.value_or(damaged->first), query.begin, query.limit);
    }
    if (!found.ok()) return found.status();
    if (*found && !hole) return std::min(**found, query.limit);
    if (*found) break;
  }
  return hole ? std::clamp(*hole, query.begin, query.limit) : query.limit;
}

absl::StatusOr<std::optional<Offset>> LogReader::FindInSegment(const LogSource& log, size_t index,
                                                               const TimeQuery& query,
                                                               std::optional<Offset>& hole) {
  Offset begin = std::max(log.segments->base(index), query.begin);
  while (true) {
    // The first run that can hold such a record; the next ones only matter if a header lied.
    TALOSMQ_ASSIGN_OR_RETURN(const ReadableSegment segment,
                             OpenSegment({.log = log, .segment = index, .bytes_max = 1},
                                         query.limit, [&](const IndexEntry& run) {
                                           return run.max_timestamp_ms < query.time_ms ||
                                                  run.end_offset <= begin;
                                         }));
    const Offset passed = segment.runs.empty() ? segment.runs_end : segment.runs_begin;
    if (passed > segment.identity.base_offset) hole.reset();
    if (segment.runs.empty()) {
      if (!segment.end) return FindBehindRuns(log, segment, query);
      // Also when it is whole and the segment behind it is gone.
      if (segment.runs_end < NextSegment(log, index, query.limit) && !hole) hole = segment.runs_end;
      return std::nullopt;
    }
    if (segment.runs.front().first_offset > std::max(segment.runs_begin, query.begin)) {
      return RefuseHole(segment, query.limit);
    }
    if (segment.runs.front().end_offset > query.limit) return FindBehindRuns(log, segment, query);
    TALOSMQ_ASSIGN_OR_RETURN(const Batches read, ReadRuns(log, segment, query.limit));
    for (const VerifiedBatch& batch : read.batches) {
      const auto found =
          FindInBatch(read.bytes.bytes().subspan(batch.position, batch.header.size()), batch.header,
                      query.time_ms, query.begin);
      if (found) return found;
    }
    begin = segment.runs.front().end_offset;
  }
}

absl::StatusOr<std::optional<Offset>> LogReader::FindBehindRuns(const LogSource& log,
                                                                const ReadableSegment& segment,
                                                                const TimeQuery& query) {
  Offset next = std::max(
      query.begin, segment.runs.empty() ? segment.runs_end : segment.runs.front().first_offset);
  while (next < query.limit) {
    TALOSMQ_ASSIGN_OR_RETURN(
        const ReadResult read,
        ReadBehindRuns(
            log, segment,
            {.offset = next, .limit = query.limit, .bytes_max = SegmentScanner::kWindowBytes}));
    if (read.chunks.empty()) break;
    for (const base::Buffer& chunk : read.chunks) {
      TALOSMQ_ASSIGN_OR_RETURN(const auto header, record::ParseHeader(chunk.bytes()));
      const auto found = FindInBatch(chunk.bytes(), header, query.time_ms, query.begin);
      if (found) return found;
    }
    next = read.next_offset;
  }
  return std::nullopt;
}

}  // namespace talosmq::storage
