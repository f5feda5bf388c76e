#include "client/partition_sender.h"

#include "base/log.h"
#include "base/text.h"
#include "talosmq/error.h"

#include <algorithm>
#include <utility>

namespace talosmq::client {

PartitionSender::PartitionSender(const Options& options, const Deps& deps)
    : options_(options),
      executor_(deps.executor),
      clock_(deps.clock),
      host_(&deps.host),
      queue_(options.queue, deps.queue),
      window_(options.window) {}

void PartitionSender::BeginIdentity(const ProducerIdentity& identity) {
  window_.BeginIdentity(identity.id, identity.epoch);
  queue_.PredictStamp(window_.next_stamp());
}

void PartitionSender::Pump() { PumpWith(BatchQueue::TakeOpen::kWhenDue); }
void PartitionSender::PumpAll() { PumpWith(BatchQueue::TakeOpen::kAlways); }

void PartitionSender::PumpWith(BatchQueue::TakeOpen open) {
  if (host_ == nullptr) return;
  queue_.AckWake();
  std::vector<SettledBatch> settled;
  if (!failed_.ok()) {
    DrainFailed(settled);
  } else {
    ExpireOld(settled);
    HandBackUnstored();
    if (!is_waiting_) SendWhatFits(open, settled);
    if (!is_waiting_ && window_.NeedsIdentity()) RenewIdentity();
    ArmTimer();
  }
  Deliver(std::move(settled));
}

void PartitionSender::ExpireOld(std::vector<SettledBatch>& settled) {
  const absl::Duration cutoff = clock_.Monotonic() - options_.delivery_timeout;
  window_.Expire(cutoff, settled);
  while (queue_.OldestOpened() <= cutoff) {
    std::unique_ptr<Batch> batch = queue_.Take(BatchQueue::TakeOpen::kAlways);
    if (batch == nullptr) return;
    settled.push_back(
        {.batch = std::move(batch),
         .status = MakeError(Reason::kDeadlineExceeded, "not sent within the delivery timeout"),
         .base_offset = Offset(-1)});
  }
}

void PartitionSender::HandBackUnstored() {
  for (std::unique_ptr<Batch>& batch : window_.HandBack()) queue_.PutBack(std::move(batch));
}

void PartitionSender::SendWhatFits(BatchQueue::TakeOpen open, std::vector<SettledBatch>& settled) {
  const PartitionLeader& leader = host_->LeaderOf(options_.partition);
  if (leader.address.empty()) {
    if (window_.OldestOpened() < absl::InfiniteDuration() ||
        queue_.OldestOpened() < absl::InfiniteDuration()) {
      needs_metadata_ = true;
      WaitAfter(MakeError(Reason::kUnavailable, "nobody is known to lead"));
    }
    return;
  }
  while (true) {
    while (const std::optional<SendWindow::Attempt> attempt = window_.NextAttempt()) {
      Transmit(*attempt, leader);
    }
    if (!window_.HasRoom()) return;
    std::unique_ptr<Batch> batch = queue_.Take(open);
    if (batch == nullptr) return;
    if (batch->seal_status.ok()) {
      window_.Admit(std::move(batch));
    } else {
      absl::Status why = batch->seal_status;
      settled.push_back(
          {.batch = std::move(batch), .status = std::move(why), .base_offset = Offset(-1)});
    }
  }
}

void PartitionSender::Transmit(const SendWindow::Attempt& attempt, const PartitionLeader& leader) {
  host_->SendBatch(leader.address,
                   {.batch = {.target = host_->TargetOf(options_.partition),
                              .known_epoch = leader.epoch,
                              .records = attempt.bytes},
                    .acks = options_.acks,
                    .deadline = attempt.opened + options_.delivery_timeout,
                    .leaving =
                        [weak = weak_from_this(), id = attempt.id] {
                          if (const auto self = weak.lock()) self->window_.NoteLeaving(id);
                        },
                    .done =
                        [weak = weak_from_this(), id = attempt.id](ProduceOutcome outcome) {
                          if (const auto self = weak.lock()) self->OnOutcome(id, outcome);
                        }});
}

void PartitionSender::OnOutcome(uint64_t attempt, const ProduceOutcome& outcome) {
  if (host_ == nullptr) return;
  std::vector<SettledBatch> settled;
  window_.Settle(attempt, outcome, settled);
  if (outcome.status.ok()) {
    failures_ = 0;
  } else if (KindOf(outcome) != RefusalKind::kFinal) {
    needs_metadata_ = needs_metadata_ || AsksForNewMetadata(outcome.status);
    WaitAfter(outcome.status);
  }
  Deliver(std::move(settled));
  Pump();
}

void PartitionSender::WaitAfter(const absl::Status& why) {
  if (std::exchange(is_waiting_, true)) return;
  const absl::Duration pause = host_->PauseAfter(options_.partition, failures_++, why);
  executor_.PostAfter(pause, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->EndWait();
  });
}

void PartitionSender::EndWait() {
  if (host_ == nullptr || !failed_.ok()) return;
  is_waiting_ = false;
  if (!std::exchange(needs_metadata_, false)) {
    Pump();
    return;
  }
  is_waiting_ = true;
  host_->RefreshLeaders([weak = weak_from_this()](const absl::Status& status) {
    const auto self = weak.lock();
    if (self == nullptr || self->host_ == nullptr) return;
    self->is_waiting_ = false;
    if (!status.ok()) {
      self->needs_metadata_ = true;
      self->WaitAfter(status);
    }
    self->Pump();
  });
}

void PartitionSender::RenewIdentity() {
  is_waiting_ = true;
  host_->NewIdentity([weak = weak_from_this()](const absl::StatusOr<ProducerIdentity>& identity) {
    const auto self = weak.lock();
    if (self == nullptr || self->host_ == nullptr) return;
    self->is_waiting_ = false;
    if (identity.ok()) {
      self->BeginIdentity(*identity);
    } else {
      self->WaitAfter(identity.status());
    }
    self->Pump();
  });
}

void PartitionSender::Fail(const absl::Status& why) {
  if (host_ == nullptr || !failed_.ok()) return;
  failed_ = why;
  queue_.Close(why);
  std::vector<SettledBatch> settled;
  window_.FailAll(why, settled);
  DrainFailed(settled);
  Deliver(std::move(settled));
}

void PartitionSender::DrainFailed(std::vector<SettledBatch>& settled) {
  while (std::unique_ptr<Batch> batch = queue_.Take(BatchQueue::TakeOpen::kAlways)) {
    settled.push_back({.batch = std::move(batch), .status = failed_, .base_offset = Offset(-1)});
  }
}

void PartitionSender::Abandon() {
  executor_.Cancel(timer_);
  host_ = nullptr;
}

void PartitionSender::ArmTimer() {
  const absl::Duration oldest = std::min(window_.OldestOpened(), queue_.OldestOpened());
  absl::Duration due = oldest + options_.delivery_timeout;
  const absl::Duration now = clock_.Monotonic();
  // A batch whose linger is over waits for the window, not for time.
  const absl::Duration linger_over = queue_.NextDue();
  if (linger_over > now) due = std::min(due, linger_over);
  if (due >= timer_due_) return;
  executor_.Cancel(timer_);
  timer_due_ = due;
  timer_ = executor_.PostAfter(due - now, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->timer_due_ = absl::InfiniteDuration();
    self->Pump();
  });
}

void PartitionSender::Deliver(std::vector<SettledBatch> settled) {
  if (!settled.empty()) host_->Deliver(options_.partition, std::move(settled));
}

}  // namespace talosmq::client
