#include "storage/local_log.h"

#include "base/check.h"
#include "base/status.h"
#include "base/text.h"
#include "storage/epoch_history.h"
#include "storage/fence.h"
#include "storage/segment.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace talosmq::storage {

LocalLog::LocalLog(std::shared_ptr<LogFiles> files, LogOptions options, RecoveredLog recovered,
                   TailCache::LogTail tail, Dependencies dependencies)
    : files_(std::move(files)),
      options_(options),
      dependencies_(std::move(dependencies)),
      tail_(std::move(tail)),
      anchor_(static_cast<FlushListener*>(this), [](FlushListener*) {}),
      log_start_(recovered.log_start),
      log_end_(recovered.log_end),
      durable_end_(recovered.log_end),
      written_end_(recovered.log_end),
      size_bytes_(recovered.size_bytes),
      removed_bytes_(recovered.point ? recovered.point->removed_bytes : 0),
      segments_(std::make_shared<const SegmentList>(std::move(recovered.segments))),
      epochs_(std::make_shared<const std::vector<EpochEntry>>(std::move(recovered.epochs))),
      active_(recovered.active),
      snapshot_offset_(recovered.snapshots.empty() ? Offset(0) : recovered.snapshots.back()),
      bytes_since_snapshot_(recovered.bytes_since_snapshot) {
  producers_.Restore(recovered.producers, dependencies_.clock.Monotonic());
  if (recovered.snapshot) snapshot_offset_ = recovered.snapshot->offset;
  files_->listener = anchor_;
  if (!segments_->empty()) begun_segment_ = taken_segment_ = segments_->all().back().base;
  for (const ListedSegment& segment : segments_->all()) {
    next_generation_ = std::max(next_generation_, segment.generation + 1);
  }
}

void LocalLog::SetDurableListener(base::Callback<absl::Status> listener) {
  listener_ = std::move(listener);
}

absl::Status LocalLog::CheckWritable() const {
  return fence_.ok() ? absl::OkStatus() : MakeFenced(id(), fence_);
}

void LocalLog::ForgetSilentProducers() {
  producers_.ForgetSilent(dependencies_.producer_expiry, dependencies_.clock.Monotonic());
}

std::vector<ProducerState> LocalLog::Producers() const {
  std::vector<ProducerState> states = producers_.States(dependencies_.clock.Monotonic());
  // The table forgets the others with the next append only.
  std::erase_if(states, [this](const ProducerState& state) {
    return state.silence > dependencies_.producer_expiry;
  });
  return states;
}

absl::Status LocalLog::BeginEpoch(LeaderEpoch epoch) {
  TALOSMQ_RETURN_IF_ERROR(CheckWritable());
  if (!epochs_->empty() && epoch <= epochs_->back().epoch) {
    return MakeError(Reason::kFencedEpoch,
                     base::StrCat("log ", id().ToString(), ": expected an epoch above ",
                                  epochs_->back().epoch.value(), ", found ", epoch.value()));
  }
  const EpochEntry entry{.epoch = epoch, .start_offset = log_end_};
  auto epochs = std::make_shared<std::vector<EpochEntry>>(*epochs_);
  epochs->push_back(entry);
  epochs_ = std::move(epochs);
  epochs_queued_.push_back(entry);
  is_epoch_begun_ = true;
  return absl::OkStatus();
}

bool LocalLog::MustRoll(const record::BatchHeader& batch) const {
  if (!active_) return true;
  if (active_->position == 0) return false;
  const auto size = static_cast<uint64_t>(std::min(options_.segment_bytes, kSegmentBytesMax));
  const int64_t age_ms = absl::ToUnixMillis(dependencies_.clock.Now()) - active_->created_ms;
  const int64_t offsets_max =
      options_.compaction ? kCompactedSegmentOffsetsMax : kSegmentOffsetsMax;
  return active_->position + batch.size() > size ||
         absl::Milliseconds(age_ms) >= options_.segment_age_max ||
         batch.end_offset() - active_->base > offsets_max;
}

void LocalLog::BeginSegment() {
  if (active_) {
    if (const auto run = active_->runs.Finish()) {
      files_->pending_index.Add({.base = active_->base, .created_ms = active_->created_ms}, *run);
    }
  }
  const int64_t now_ms = absl::ToUnixMillis(dependencies_.clock.Now());
  const uint64_t sealed_bytes = active_ ? active_->position : 0;
  files_->pending_index.Begin({.base = log_end_, .created_ms = now_ms});
  segments_ = segments_->With({.base = log_end_, .created_ms = now_ms, .bytes = 0},
                              static_cast<int64_t>(sealed_bytes));
  active_.emplace(ActiveSegment{
      .base = log_end_,
      .position = 0,
      .created_ms = now_ms,
      .runs = RunBuilder({.log = id(), .base_offset = log_end_}, log_end_, 0, kNoTimestamp)});
}

std::optional<ProducerSnapshot> LocalLog::TakeSnapshot(bool is_roll) {
  const bool is_due = is_roll || bytes_since_snapshot_ >= dependencies_.snapshot_bytes;
  if (!is_due || log_end_ <= snapshot_offset_) return std::nullopt;
  snapshot_offset_ = log_end_;
  bytes_since_snapshot_ = 0;
  return ProducerSnapshot{.log = id(), .offset = log_end_, .producers = Producers()};
}

absl::StatusOr<AppendResult> LocalLog::Append(base::Buffer batch, const record::BatchFacts& facts) {
  TALOSMQ_CHECK(is_epoch_begun_) << "log " << id().ToString() << " has no epoch to append under";
  TALOSMQ_CHECK(!close_done_) << "log " << id().ToString() << " is being closed";
  TALOSMQ_CHECK(batch.size() == facts.header.size()) << batch.size();
  TALOSMQ_RETURN_IF_ERROR(CheckWritable());
  const int64_t size_max = std::min(options_.segment_bytes, kSegmentBytesMax);
  if (static_cast<int64_t>(batch.size()) > size_max) {
    return MakeError(Reason::kBatchTooLarge,
                     base::StrCat("log ", id().ToString(), ": expected a batch of at most ",
                                  size_max, " bytes, the size of a segment, found ", batch.size()));
  }
  ForgetSilentProducers();
  TALOSMQ_ASSIGN_OR_RETURN(const auto original, producers_.Check(facts.header));
  if (original) {
    return AppendResult{.base_offset = original->first_offset,
                        .last_offset = original->last_offset,
                        .is_duplicate = true};
  }
  record::PatchBaseOffset(batch.mutable_bytes(), log_end_);
  record::PatchEpoch(batch.mutable_bytes(), epochs_->back().epoch);
  // From the bytes, since a timestamp may have been patched after `facts` were taken.
  TALOSMQ_ASSIGN_OR_RETURN(const record::BatchHeader header, record::ParseHeader(batch.bytes()));
  TALOSMQ_RETURN_IF_ERROR(tail_.Add(log_end_, header.end_offset(), batch));

  const bool must_roll = MustRoll(header);
  std::optional<ProducerSnapshot> snapshot = TakeSnapshot(must_roll);
  if (must_roll) BeginSegment();
  const uint64_t position = active_->position;
  if (const auto run = active_->runs.Add(batch.bytes(), header)) {
    files_->pending_index.Add({.base = active_->base, .created_ms = active_->created_ms}, *run);
  }
  active_->position += batch.size();
  producers_.Add(header, dependencies_.clock.Monotonic());
  log_end_ = header.end_offset();
  size_bytes_ += static_cast<int64_t>(batch.size());
  bytes_since_snapshot_ += static_cast<int64_t>(batch.size());
  is_written_ = true;
  dependencies_.flush_group.Append({.files = files_,
                                    .segment = active_->base,
                                    .position = position,
                                    .batch = std::move(batch),
                                    .end_offset = log_end_,
                                    .epochs = std::exchange(epochs_queued_, {}),
                                    .snapshot = std::move(snapshot)});
  return AppendResult{.base_offset = header.base_offset, .last_offset = header.last_offset()};
}

void LocalLog::OnFlushed(const FlushResult& result) {
  if (!fence_.ok()) return;
  const Offset durable_before = durable_end_;
  if (result.status.ok()) {
    durable_end_ = std::max(durable_end_, result.durable_end);
    written_end_ = std::max(written_end_, result.written_end);
    begun_segment_ = std::max(begun_segment_, result.segment);
    taken_segment_ = std::max(taken_segment_, result.taken_segment);
    tail_.Unpin(written_end_);
  } else {
    fence_ = result.status;
    tail_.DropPinned();
  }
  const bool is_news = durable_end_ > durable_before || !result.status.ok();
  if (is_news && listener_) listener_(result.status);
  GoOnWithMoves();
  if (close_done_) CloseWhenIdle();
}

void LocalLog::Read(const ReadRequest& request, base::Callback<absl::StatusOr<ReadResult>> done) {
  TALOSMQ_CHECK(request.limit <= log_end_) << request.limit.value();
  if (request.offset < log_start() || request.offset > request.limit) {
    return done(MakeError(
        Reason::kOffsetOutOfRange,
        base::StrCat("log ", id().ToString(), ": expected an offset in [", log_start().value(),
                     ", ", request.limit.value(), "], found ", request.offset.value())));
  }
  ReadRequest bounded = request;
  if (!fence_.ok()) {
    if (request.offset >= written_end_ && request.limit > written_end_) {
      return done(CheckWritable());
    }
    bounded.limit = std::min(request.limit, written_end_);
  }
  if (bounded.offset == bounded.limit)
    return done(ReadResult{.chunks = {}, .next_offset = bounded.offset});
  auto cached = tail_.Read(bounded.offset, bounded.limit, bounded.bytes_max);
  if (cached.is_held) {
    const auto batches = static_cast<int64_t>(cached.chunks.size());
    return done(ReadResult{
        .chunks = std::move(cached.chunks), .next_offset = cached.next_offset, .batches = batches});
  }
  bounded.limit = std::min(bounded.limit, written_end_);
  RunRead<ReadResult>(
      [source = Source(), bounded](LogReader& reader) { return reader.Read(source, bounded); },
      std::move(done));
}

void LocalLog::FindOffset(absl::Time time, Offset limit,
                          base::Callback<absl::StatusOr<Offset>> done) {
  limit = std::min(limit, durable_end_);
  const Offset begin = log_start_;
  const int64_t time_ms = CeilToMillis(time);
  const Offset written = std::clamp(written_end_, std::min(begin, limit), limit);
  RunRead<Offset>(
      [source = Source(),
       query = LogReader::TimeQuery{.time_ms = time_ms, .begin = begin, .limit = written}](
          LogReader& reader) { return reader.FindOffset(source, query); },
      [this, time, begin, written, limit,
       done = std::move(done)](absl::StatusOr<Offset> found) mutable {
        // What was found may be gone by now.
        if (log_start_ > begin) {
          return FindOffset(time, std::max(limit, log_start_), std::move(done));
        }
        const bool goes_on = found.ok() && *found == written && written < limit;
        done(goes_on ? FindInTail(CeilToMillis(time), std::max(written, begin), limit) : found);
      });
}

absl::StatusOr<Offset> LocalLog::FindInTail(int64_t time_ms, Offset begin, Offset limit) const {
  TALOSMQ_RETURN_IF_ERROR(CheckWritable());
  for (Offset next = begin; next < limit;) {
    const auto cached = tail_.Read(next, limit, LogReader::kReadBytesMax);
    // By now it may be in the segments, and gone from the cache: whoever asks again finds it.
    if (!cached.is_held) {
      return MakeError(Reason::kOverloaded,
                       base::StrCat("log ", id().ToString(), ": the batches from offset ",
                                    next.value(), " on were written while they were searched"));
    }
    if (cached.chunks.empty()) break;
    for (const base::Buffer& chunk : cached.chunks) {
      TALOSMQ_ASSIGN_OR_RETURN(const auto header, record::ParseHeader(chunk.bytes()));
      if (const auto found = FindInBatch(chunk.bytes(), header, time_ms, begin)) return *found;
    }
    next = cached.next_offset;
  }
  return limit;
}

template <typename Result>
void LocalLog::RunRead(std::function<absl::StatusOr<Result>(LogReader&)> work,
                       base::Callback<absl::StatusOr<Result>> done) {
  auto pass = dependencies_.gate.Enter();
  TALOSMQ_CHECK(pass.has_value()) << "the store is closed with a log open";
  // Shared, because the task is lost when the queue has no room and `done` is still owed.
  auto owed = std::make_shared<base::Callback<absl::StatusOr<Result>>>(std::move(done));
  base::Task task = [this, owed, work = std::move(work), files = files_,
                     &reader = dependencies_.reader, pass = std::move(*pass)] {
    files->shard.Post([this, owed, anchor = files->listener, result = work(reader)]() mutable {
      (*owed)(std::move(result));
      // What `done` did may include letting go of the log.
      if (!anchor.expired()) EndJob();
    });
  };
  ++jobs_;
  if (dependencies_.io_executor.TryPost(task)) return;
  --jobs_;
  (*owed)(MakeError(Reason::kOverloaded,
                    base::StrCat("log ", id().ToString(), ": too many reads wait for the disk")));
}

void LocalLog::EndJob() {
  --jobs_;
  if (close_done_) CloseWhenIdle();
}

void LocalLog::Close(base::Callback<absl::Status> done) {
  TALOSMQ_CHECK(!close_done_) << "log " << id().ToString() << " is closed twice";
  close_done_ = std::move(done);
  files_->is_closing = true;
  CloseWhenIdle();
}

void LocalLog::CloseWhenIdle() {
  // A segment may be begun without a batch, and wait for that.
  const bool is_begun = !active_ || taken_segment_ >= active_->base;
  const bool is_flushed = (durable_end_ == log_end_ && is_begun) || !fence_.ok();
  if (jobs_ > 0 || !is_flushed || !close_done_) return;
  ++jobs_;  // The closing itself, so that it begins once.
  auto finish = [this, anchor = files_->listener](absl::Status status) {
    if (anchor.expired()) return;
    auto done = std::move(close_done_);
    dependencies_.on_closed(id(), fence_.ok() ? status : fence_);
    done(std::move(status));
  };
  dependencies_.flush_group.Release(files_, [files = files_, last = LastProgress(),
                                             finish = std::move(finish),
                                             &checkpointer = dependencies_.checkpointer,
                                             &io_executor = dependencies_.io_executor,
                                             &reader = dependencies_.reader]() mutable {
    // What was left could not be brought to the segments: the point must not say that it is there.
    if (!files->fence.ok()) last.reset();
    checkpointer.CloseLog(
        files, std::move(last),
        [files, finish = std::move(finish), &io_executor, &reader](absl::Status status) mutable {
          io_executor.Post([files, finish = std::move(finish), status = std::move(status),
                            &reader]() mutable {
            reader.Forget(files->id);
            files->shard.Post([finish = std::move(finish), status = std::move(status)]() mutable {
              finish(std::move(status));
            });
          });
        });
  });
}

std::optional<DurableProgress> LocalLog::LastProgress() {
  if (!fence_.ok() || !is_written_ || !active_) return std::nullopt;
  DurableProgress progress{.files = files_,
                           .point = {.log_start = log_start(),
                                     .end_offset = log_end_,
                                     .segment = active_->base,
                                     .position = active_->position},
                           .bytes = 0,
                           .sealed = {{.segment = active_->base, .size = active_->position}},
                           .snapshots = {}};
  if (log_end_ > snapshot_offset_) {
    progress.snapshots.push_back({.log = id(), .offset = log_end_, .producers = Producers()});
  }
  return progress;
}

}  // namespace talosmq::storage
