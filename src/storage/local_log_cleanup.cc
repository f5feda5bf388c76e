#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
#include "storage/local_log.h"
#include "storage/log_folder.h"
#include "storage/retention.h"

#include <algorithm>
#include <utility>

// How a LocalLog gets smaller: its start moves, segments go, others are compacted.
namespace talosmq::storage {

void LocalLog::ApplyRetention(absl::Time now, Offset limit, base::Callback<absl::Status> done) {
  ForgetSilentProducers();
  if (segments_->empty() || !fence_.ok()) return done(CheckWritable());
  std::vector<ListedSegment> segments(segments_->all().begin(), segments_->all().end());
  if (active_) segments.back().bytes = static_cast<int64_t>(active_->position);
  const RetentionPlan plan = PlanRetention(segments, options_.retention, now);
  // A full disk has no room for another segment, and refusing it would fence the log.
  if (plan.must_roll && active_ && dependencies_.reserve.CheckRoom().ok()) Roll();
  MoveLogStart(std::min({plan.log_start, limit, durable_end_}), std::move(done));
}

void LocalLog::Roll() {
  std::optional<ProducerSnapshot> snapshot = TakeSnapshot(true);
  BeginSegment();
  is_written_ = true;
  dependencies_.flush_group.Append({.files = files_,
                                    .segment = active_->base,
                                    .position = 0,
                                    .batch = {},
                                    .end_offset = log_end_,
                                    .epochs = {},
                                    .snapshot = std::move(snapshot)});
}

void LocalLog::MoveLogStart(Offset offset, base::Callback<absl::Status> done) {
  TALOSMQ_CHECK(offset <= durable_end_) << offset.value();
  TALOSMQ_CHECK(!close_done_) << "log " << id().ToString() << " is being closed";
  // A segment that lies below the start may have been needed when the start moved.
  const bool has_removable =
      !is_compacting_ && !SegmentsBelow(std::min(log_start_, begun_segment_)).empty();
  if (!fence_.ok() || (offset <= log_start_ && !has_removable)) return done(CheckWritable());
  offset = std::max(offset, log_start_);
  ++jobs_;
  if (offset <= written_end_) return RecordLogStart(offset, std::move(done));
  // The point that is recorded must not say that the log starts behind its end. Of a log that is
  // appended to all the time, some of it always waits for its segments: only what lies below the
  // new start has to be there.
  waiting_moves_.push_back({.offset = offset, .done = std::move(done)});
  dependencies_.flush_group.WriteBack(files_);
}

void LocalLog::GoOnWithMoves() {
  for (WaitingMove& move : std::exchange(waiting_moves_, {})) {
    if (fence_.ok() && move.offset > written_end_) {
      waiting_moves_.push_back(std::move(move));
    } else {
      RecordLogStart(move.offset, std::move(move.done));
    }
  }
}

void LocalLog::RecordLogStart(Offset offset, base::Callback<absl::Status> done) {
  if (offset > written_end_) {
    done(CheckWritable());
    return EndJob();
  }
  const Offset removable_end = std::min(offset, begun_segment_);
  int64_t removed_bytes = removed_bytes_;
  for (const ListedSegment& segment : SegmentsBelow(removable_end)) removed_bytes += segment.bytes;
  dependencies_.checkpointer.MoveLogStart(
      {.files = files_, .log_start = offset, .removed_bytes = removed_bytes},
      [this, files = files_, offset, removable_end,
       done = std::move(done)](absl::Status status) mutable {
        files->shard.Post([this, offset, removable_end, done = std::move(done),
                           status = std::move(status)]() mutable {
          if (status.ok()) {
            log_start_ = std::max(log_start_, offset);
            removable_end_ = std::max(removable_end_, removable_end);
            DropSegments();
          }
          done(std::move(status));
          EndJob();
        });
      });
}

std::span<const ListedSegment> LocalLog::SegmentsBelow(Offset end) const {
  const std::span<const ListedSegment> all = segments_->all();
  size_t count = 0;
  while (count + 1 < all.size() && all[count + 1].base <= end) ++count;
  return all.first(count);
}

void LocalLog::DropSegments() {
  if (is_compacting_) return;
  std::vector<SegmentName> dropped;
  for (const ListedSegment& segment : SegmentsBelow(removable_end_)) {
    dropped.push_back(segments_->name(dropped.size()));
    size_bytes_ -= segment.bytes;
    removed_bytes_ += segment.bytes;
  }
  if (dropped.empty()) return;
  segments_ = segments_->Without(dropped.size());
  RemoveFiles(std::move(dropped));
}

void LocalLog::RemoveFiles(std::vector<SegmentName> segments) {
  auto pass = dependencies_.gate.Enter();
  TALOSMQ_CHECK(pass.has_value()) << "the store is closed with a log open";
  ++jobs_;
  RemoveNext(std::move(segments), std::move(*pass));
}

void LocalLog::RemoveNext(std::vector<SegmentName> segments, base::Gate::Pass pass) {
  dependencies_.io_executor.Post([this, files = files_, segments = std::move(segments),
                                  pass = std::move(pass)]() mutable {
    // A file that is open would keep its room.
    dependencies_.reader.Forget(files->id);
    const absl::Status removed =
        RemoveSegment(dependencies_.file_system, files->directory, segments.front());
    if (!removed.ok()) {
      base::LogWarning("storage", "log ", files->id.ToString(),
                       ": a file that is not needed any more ",
                       "stays until the log is opened again: ", base::FromAbsl(removed.message()));
    }
    segments.erase(segments.begin());
    if (!segments.empty()) return RemoveNext(std::move(segments), std::move(pass));
    files->shard.Post([this] { EndJob(); });
  });
}

void LocalLog::Compact(absl::Time now, Offset limit, base::Callback<absl::Status> done) {
  if (!options_.compaction || !fence_.ok() || close_done_) return done(CheckWritable());
  const absl::Status room = dependencies_.reserve.CheckRoom();
  if (!room.ok()) return done(room);
  const bool is_late =
      active_ && active_->position > 0 &&
      now - absl::FromUnixMillis(active_->created_ms) >= options_.compaction->lag_max;
  if (is_late) Roll();
  const bool is_hopeless = compaction_failed_at_ == segments_->size();
  if (is_compacting_ || is_hopeless) return done(absl::OkStatus());
  const Offset written_limit = std::min({limit, written_end_, begun_segment_});
  if (!FindDirty(now, written_limit)) {
    // What is in the journal only is compacted when it is asked for again.
    if (FindDirty(now, std::min(limit, durable_end_))) dependencies_.flush_group.WriteBack(files_);
    return done(absl::OkStatus());
  }
  is_compacting_ = true;
  ++jobs_;
  // By then the index entries of the segments below the limit are in their files, these are
  // trimmed, and the recorded point lies behind them. Of what is completed meanwhile that is not
  // so.
  dependencies_.checkpointer.MoveLogStart(
      {.files = files_, .log_start = log_start_, .removed_bytes = removed_bytes_},
      [this, files = files_, now, written_limit,
       done = std::move(done)](absl::Status recorded) mutable {
        files->shard.Post([this, now, written_limit, done = std::move(done),
                           recorded = std::move(recorded)]() mutable {
          if (!recorded.ok()) return FinishCompaction(std::move(recorded), std::move(done));
          BeginCompaction(now, written_limit, std::move(done));
        });
      });
}

std::optional<SegmentRange> LocalLog::FindDirty(absl::Time now, Offset limit) const {
  if (segments_->empty()) return std::nullopt;
  return PlanCompaction(segments_->all(), *options_.compaction, limit, now);
}

void LocalLog::BeginCompaction(absl::Time now, Offset limit, base::Callback<absl::Status> done) {
  const bool is_possible = options_.compaction && fence_.ok() && !close_done_;
  const auto dirty = is_possible ? FindDirty(now, limit) : std::nullopt;
  if (!dirty) return FinishCompaction(CheckWritable(), std::move(done));
  ForgetSilentProducers();
  CompactionInput input{.source = Source(),
                        .dirty = *dirty,
                        .now = now,
                        .tombstone_age_min = options_.compaction->tombstone_age_min,
                        .segment_bytes = std::min(options_.segment_bytes, kSegmentBytesMax),
                        .generation = next_generation_,
                        .producers = Producers()};
  // As many as it may write.
  next_generation_ += static_cast<uint32_t>(segments_->size());
  auto pass = dependencies_.gate.Enter();
  TALOSMQ_CHECK(pass.has_value()) << "the store is closed with a log open";
  dependencies_.compaction_executor.Post(
      [this, files = files_, input = std::move(input), &compaction = dependencies_.compaction,
       done = std::move(done), pass = std::move(*pass)]() mutable {
        absl::Status status = compaction.Run(input, [&](const CompactedGroup& group) {
          files->shard.Post(
              [this, group, source = input.source.segments] { OnCompacted(group, *source); });
        });
        files->shard.Post([this, status = std::move(status), done = std::move(done)]() mutable {
          FinishCompaction(std::move(status), std::move(done));
        });
      });
}

void LocalLog::OnCompacted(const CompactedGroup& group, const SegmentList& source) {
  std::vector<SegmentName> replaced;
  int64_t bytes_before = 0;
  for (size_t i = group.range.first; i < group.range.end(); ++i) {
    replaced.push_back(source.name(i));
    bytes_before += source.all()[i].bytes;
  }
  const std::optional<size_t> first = segments_->Find(group.merged.base);
  TALOSMQ_CHECK(first && segments_->base(*first) == group.merged.base) << group.merged.base.value();
  segments_ = segments_->WithMerged(*first, group.range.count, group.merged);
  size_bytes_ -= bytes_before - group.merged.bytes;
  removed_bytes_ += bytes_before - group.merged.bytes;
  RemoveFiles(std::move(replaced));
}

void LocalLog::FinishCompaction(absl::Status status, base::Callback<absl::Status> done) {
  is_compacting_ = false;
  const Reason reason = ReasonOf(status);
  const bool is_lasting = reason == Reason::kCorruptData || reason == Reason::kInvalidConfig;
  compaction_failed_at_ = is_lasting ? segments_->size() : 0;
  DropSegments();
  if (fence_.ok()) {
    dependencies_.checkpointer.NoteRemoved(
        {.files = files_, .log_start = log_start_, .removed_bytes = removed_bytes_});
  }
  done(std::move(status));
  EndJob();
}

Offset LocalLog::compacted_end() const {
  Offset end = log_start_;
  for (const ListedSegment& segment : segments_->all()) {
    if (segment.generation > 0) end = std::max(end, segment.end);
  }
  return end;
}

}  // namespace talosmq::storage
