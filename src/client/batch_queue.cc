#include "client/batch_queue.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "record/batch_format.h"

#include <algorithm>
#include <utility>

namespace talosmq::client {
namespace {

/// The first reservation of a batch about whose size nothing is known yet.
constexpr size_t kReserveBytesMin = 4096;

}  // namespace

BatchQueue::Appended BatchQueue::Append(const record::RecordInput& record,
                                        std::optional<absl::Time> timestamp, size_t bytes_max,
                                        uint64_t tag, Opening opening) {
  Appended appended;
  Batch* ended = nullptr;
  {
    const base::MutexLock lock(mutex_);
    if (open_ != nullptr && IsFullLocked(bytes_max)) ended = EndOpenLocked();
    const bool opens = open_ == nullptr;
    appended.verdict = AppendLocked(record, timestamp, bytes_max, tag, opening);
    if (opens && open_ != nullptr) appended.wake_sender = WakeLocked();
  }
  if (ended != nullptr && SealEnded(*ended)) appended.wake_sender = true;
  return appended;
}

BatchQueue::Verdict BatchQueue::AppendLocked(const record::RecordInput& record,
                                             std::optional<absl::Time> timestamp, size_t bytes_max,
                                             uint64_t tag, Opening opening) {
  if (!close_status_.ok()) return Verdict::kClosed;
  if (open_ == nullptr) {
    if (opening == Opening::kRefused) return Verdict::kNoOpenBatch;
    if (!OpenLocked(bytes_max)) return Verdict::kBufferFull;
  } else if (!ReserveMoreLocked(bytes_max)) {
    return Verdict::kBufferFull;
  }
  record::RecordInput stamped = record;
  stamped.timestamp_ms = TimestampLocked(timestamp);
  open_->builder.Append(stamped);
  open_->tags.push_back(tag);
  return Verdict::kAppended;
}

bool BatchQueue::IsFullLocked(size_t bytes_max) const {
  const record::BatchBuilder& builder = open_->builder;
  return builder.bytes() + bytes_max > static_cast<size_t>(options_.batch_bytes) ||
         (options_.batch_records > 0 && builder.count() >= options_.batch_records);
}

bool BatchQueue::OpenLocked(size_t bytes_max) {
  const size_t needed = record::kHeaderBytes + bytes_max;
  const size_t wanted = std::min(std::max(last_batch_bytes_, kReserveBytesMin),
                                 static_cast<size_t>(options_.batch_bytes));
  size_t reserve = std::max(needed, wanted);
  auto share = std::make_shared<BudgetShare>(deps_.budget);
  if (!share->TryGrowTo(static_cast<int64_t>(reserve))) {
    reserve = needed;
    if (!share->TryGrowTo(static_cast<int64_t>(reserve))) return false;
  }
  open_ = std::make_unique<Batch>(options_.codec, reserve);
  open_->tags.reserve(last_batch_records_);
  open_->share = std::move(share);
  open_->generation = deps_.flushes.BatchOpened();
  open_->opened = deps_.clock.Monotonic();
  return true;
}

bool BatchQueue::ReserveMoreLocked(size_t bytes_max) {
  const auto needed = static_cast<int64_t>(open_->builder.bytes() + bytes_max);
  BudgetShare& share = *open_->share;
  if (needed <= share.bytes()) return true;
  // Doubled, as the builder's own memory is.
  const int64_t wanted = std::max(needed, std::min(2 * share.bytes(), options_.batch_bytes));
  return share.TryGrowTo(wanted) || share.TryGrowTo(needed);
}

int64_t BatchQueue::TimestampLocked(std::optional<absl::Time> given) {
  if (given.has_value()) return absl::ToUnixMillis(*given);
  int64_t& last = open_->last_timestamp_ms;
  last = open_->builder.empty() ? absl::ToUnixMillis(deps_.clock.Now())
                                : std::max(last, deps_.clock.CoarseUnixMillis());
  return last;
}

Batch* BatchQueue::EndOpenLocked() {
  NoteEndLocked(*open_);
  ended_.push_back(std::move(open_));
  return ended_.back().get();
}

void BatchQueue::NoteEndLocked(Batch& batch) {
  last_batch_bytes_ = batch.builder.bytes();
  last_batch_records_ = batch.tags.size();
  batch.share->NoteFull();
  batch.stamp = prediction_;
  if (prediction_.producer_id != kNoProducer) {
    prediction_.base_sequence =
        AdvanceSequence(prediction_.base_sequence, static_cast<int32_t>(batch.tags.size()));
  }
}

void BatchQueue::Seal(Batch& batch) const {
  absl::StatusOr<base::Buffer> bytes = batch.builder.Finish(batch.stamp);
  if (!bytes.ok()) {
    batch.seal_status = bytes.status();
    return;
  }
  batch.bytes = (*std::move(bytes)).With(batch.share);
}

bool BatchQueue::SealEnded(Batch& batch) {
  Seal(batch);
  const base::MutexLock lock(mutex_);
  batch.is_sealed = true;
  return WakeLocked();
}

bool BatchQueue::WakeLocked() { return !std::exchange(wake_pending_, true); }

void BatchQueue::AckWake() {
  const base::MutexLock lock(mutex_);
  wake_pending_ = false;
}

bool BatchQueue::IsDueLocked() const {
  return options_.linger == absl::ZeroDuration() ||
         deps_.clock.Monotonic() >= open_->opened + options_.linger || !close_status_.ok() ||
         (deps_.budget->has_waiters() && deps_.budget->is_mostly_filling()) ||
         deps_.flushes.IsAwaited(open_->generation);
}

std::unique_ptr<Batch> BatchQueue::Take(TakeOpen open) {
  std::unique_ptr<Batch> batch;
  {
    const base::MutexLock lock(mutex_);
    if (!ended_.empty()) {
      if (!ended_.front()->is_sealed) return nullptr;
      batch = std::move(ended_.front());
      ended_.pop_front();
      return batch;
    }
    if (open_ == nullptr || (open == TakeOpen::kWhenDue && !IsDueLocked())) return nullptr;
    NoteEndLocked(*open_);
    batch = std::move(open_);
  }
  Seal(*batch);
  batch->is_sealed = true;
  return batch;
}

void BatchQueue::PutBack(std::unique_ptr<Batch> batch) {
  const base::MutexLock lock(mutex_);
  ended_.push_front(std::move(batch));
}

absl::Duration BatchQueue::NextDue() const {
  const base::MutexLock lock(mutex_);
  return open_ == nullptr ? absl::InfiniteDuration() : open_->opened + options_.linger;
}

absl::Duration BatchQueue::OldestOpened() const {
  const base::MutexLock lock(mutex_);
  if (!ended_.empty()) return ended_.front()->opened;
  return open_ == nullptr ? absl::InfiniteDuration() : open_->opened;
}

void BatchQueue::PredictStamp(const record::ProducerStamp& next) {
  const base::MutexLock lock(mutex_);
  prediction_ = next;
}

void BatchQueue::Close(absl::Status status) {
  const base::MutexLock lock(mutex_);
  if (close_status_.ok()) close_status_ = std::move(status);
}

absl::Status BatchQueue::close_status() const {
  const base::MutexLock lock(mutex_);
  return close_status_;
}

void Restamp(Batch& batch, const record::ProducerStamp& stamp) {
  base::Buffer copy = base::Buffer::CopyOf(batch.bytes.bytes()).With(batch.share);
  const base::MutableByteSpan bytes = copy.mutable_bytes();
  base::StoreBigEndian(bytes.data() + record::kProducerIdPosition, stamp.producer_id.value());
  base::StoreBigEndian(bytes.data() + record::kProducerEpochPosition, stamp.producer_epoch);
  base::StoreBigEndian(bytes.data() + record::kBaseSequencePosition, stamp.base_sequence);
  base::StoreBigEndian(bytes.data() + record::kCrcPosition,
                       base::Crc32c(bytes.subspan(record::kCrcBegin)));
  batch.bytes = std::move(copy);
  batch.stamp = stamp;
}

}  // namespace talosmq::client
