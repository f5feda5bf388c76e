#include "client/send_window.h"

#include "base/check.h"
#include "base/text.h"
#include "talosmq/error.h"

#include <algorithm>
#include <utility>

namespace talosmq::client {
namespace {

bool SameStamp(const record::ProducerStamp& a, const record::ProducerStamp& b) {
  return a.producer_id == b.producer_id && a.producer_epoch == b.producer_epoch &&
         a.base_sequence == b.base_sequence;
}

absl::Status MaybeStored(const absl::Status& last_error) {
  return MakeError(Reason::kMaybeStored,
                   base::StrCat("the batch may or may not be stored; last heard: ",
                                base::FromAbsl(last_error.message())));
}

absl::Status NotStored(const absl::Status& last_error) {
  return MakeError(Reason::kDeadlineExceeded,
                   base::StrCat("not stored within the delivery timeout; last heard: ",
                                last_error.ok() ? "nothing, it could not be sent"
                                                : base::FromAbsl(last_error.message())));
}

}  // namespace

void SendWindow::BeginIdentity(ProducerId id, int16_t epoch) {
  TALOSMQ_CHECK(entries_.empty()) << "entries=" << entries_.size();
  next_stamp_ = {.producer_id = id, .producer_epoch = epoch, .base_sequence = 0};
  is_proven_ = false;
  is_broken_ = false;
  is_rewinding_ = false;
}

bool SendWindow::AnyAttemptOut() const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [](const Entry& entry) { return entry.attempt != 0; });
}

bool SendWindow::HasRoom() const {
  if (is_broken_ || is_rewinding_) return false;
  const auto in_flight_max = static_cast<uint64_t>(options_.in_flight_max);
  if (!options_.idempotent) return entries_.size() < in_flight_max;
  const uint64_t span = entries_.empty() ? 0 : next_number_ - entries_.front().number;
  return span < (is_proven_ ? in_flight_max : 1);
}

void SendWindow::Admit(std::unique_ptr<Batch> batch) {
  if (options_.idempotent) {
    if (!SameStamp(batch->stamp, next_stamp_)) Restamp(*batch, next_stamp_);
    next_stamp_.base_sequence =
        AdvanceSequence(next_stamp_.base_sequence, static_cast<int32_t>(batch->tags.size()));
  }
  entries_.push_back(
      {.batch = std::move(batch), .number = next_number_++, .last_error = absl::OkStatus()});
}

std::optional<SendWindow::Attempt> SendWindow::NextAttempt() {
  if (is_rewinding_) {
    if (AnyAttemptOut()) return std::nullopt;
    is_rewinding_ = false;
  }
  for (Entry& entry : entries_) {
    if (entry.attempt != 0) continue;
    if (is_broken_ && !entry.may_be_stored) continue;
    entry.attempt = ++last_attempt_;
    entry.has_left = false;
    return Attempt{.id = entry.attempt, .bytes = entry.batch->bytes, .opened = entry.batch->opened};
  }
  return std::nullopt;
}

std::deque<SendWindow::Entry>::iterator SendWindow::Find(uint64_t attempt) {
  return std::find_if(entries_.begin(), entries_.end(),
                      [attempt](const Entry& entry) { return entry.attempt == attempt; });
}

void SendWindow::NoteLeaving(uint64_t attempt) {
  const auto entry = Find(attempt);
  if (entry != entries_.end()) entry->has_left = true;
}

void SendWindow::Settle(uint64_t attempt, const ProduceOutcome& outcome,
                        std::vector<SettledBatch>& settled) {
  const auto entry = Find(attempt);
  if (entry == entries_.end()) return;
  entry->attempt = 0;
  if (!outcome.status.ok()) {
    SettleRefused(entry, outcome, settled);
    return;
  }
  is_proven_ = true;
  if (entry->batch != nullptr) {
    settled.push_back({.batch = std::move(entry->batch),
                       .status = absl::OkStatus(),
                       .base_offset = outcome.base_offset});
  }
  entries_.erase(entry);
}

void SendWindow::SettleRefused(std::deque<Entry>::iterator entry, const ProduceOutcome& outcome,
                               std::vector<SettledBatch>& settled) {
  if (entry->batch == nullptr) {
    entries_.erase(entry);
    Break();
    return;
  }
  entry->last_error = outcome.status;
  switch (KindOf(outcome)) {
    case RefusalKind::kFinal:
      End(entry, entry->may_be_stored ? MaybeStored(outcome.status) : outcome.status, settled);
      Break();
      return;
    case RefusalKind::kSequence:
      SettleSequenceError(entry, outcome.status, settled);
      return;
    case RefusalKind::kRetry:
      is_rewinding_ = true;
      return;
    case RefusalKind::kUnknown:
      entry->may_be_stored = true;
      is_rewinding_ = true;
      if (!options_.idempotent && options_.without_idempotence == UnknownOutcome::kSettles) {
        End(entry, MaybeStored(outcome.status), settled);
      }
      return;
  }
}

void SendWindow::SettleSequenceError(std::deque<Entry>::iterator entry, const absl::Status& status,
                                     std::vector<SettledBatch>& settled) {
  is_rewinding_ = true;
  const bool is_echo = is_broken_ || entry != entries_.begin();
  if (is_echo && !entry->may_be_stored) return;
  if (is_echo && !is_broken_) return;
  End(entry, entry->may_be_stored ? MaybeStored(status) : status, settled);
  Break();
}

void SendWindow::End(std::deque<Entry>::iterator entry, absl::Status status,
                     std::vector<SettledBatch>& settled) {
  settled.push_back(
      {.batch = std::move(entry->batch), .status = std::move(status), .base_offset = Offset(-1)});
  entries_.erase(entry);
}

void SendWindow::Break() {
  is_broken_ = options_.idempotent;
  is_rewinding_ = true;
}

void SendWindow::Expire(absl::Duration cutoff, std::vector<SettledBatch>& settled) {
  for (size_t i = 0; i < entries_.size();) {
    Entry& entry = entries_[i];
    if (entry.batch == nullptr || entry.batch->opened > cutoff) {
      ++i;
      continue;
    }
    const bool has_left = entry.attempt != 0 && entry.has_left;
    if (has_left) entry.last_error = absl::DeadlineExceededError("no answer in time");
    absl::Status status = has_left || entry.may_be_stored ? MaybeStored(entry.last_error)
                                                          : NotStored(entry.last_error);
    if (entry.attempt != 0) {
      settled.push_back({.batch = std::move(entry.batch),
                         .status = std::move(status),
                         .base_offset = Offset(-1)});
      ++i;
    } else {
      End(entries_.begin() + static_cast<std::ptrdiff_t>(i), std::move(status), settled);
      Break();
    }
  }
}

void SendWindow::FailAll(const absl::Status& why, std::vector<SettledBatch>& settled) {
  for (Entry& entry : entries_) {
    if (entry.batch == nullptr) continue;
    settled.push_back({.batch = std::move(entry.batch), .status = why, .base_offset = Offset(-1)});
  }
  entries_.clear();
  Break();
}

std::vector<std::unique_ptr<Batch>> SendWindow::HandBack() {
  std::vector<std::unique_ptr<Batch>> batches;
  if (!is_broken_ || AnyAttemptOut()) return batches;
  while (!entries_.empty() && !entries_.back().may_be_stored) {
    batches.push_back(std::move(entries_.back().batch));
    entries_.pop_back();
  }
  return batches;
}

absl::Duration SendWindow::OldestOpened() const {
  absl::Duration oldest = absl::InfiniteDuration();
  for (const Entry& entry : entries_) {
    if (entry.batch != nullptr) oldest = std::min(oldest, entry.batch->opened);
  }
  return oldest;
}

}  // namespace talosmq::client
