#include "broker/reopenable_log.h"

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "storage/fence.h"
#include "talosmq/error.h"

#include <algorithm>
#include <utility>

namespace talosmq::broker {
ReopenableLog::ReopenableLog(TopicPartition id, const PartitionOptions& options,
                             Dependencies dependencies, Owner& owner)
    : id_(id),
      options_(options),
      dependencies_(dependencies),
      owner_(owner),
      backoff_(options.reopen_backoff_min) {}

absl::Status ReopenableLog::Open(const storage::LogOptions& options) {
  TALOSMQ_CHECK(!is_shut_) << "log " << id_.ToString() << " was shut";
  switch (state_) {
    case State::kOpening:
    case State::kOpen:
      return absl::OkStatus();
    case State::kClosing:
      return trouble_;
    case State::kClosed:
      break;
  }
  if (!trouble_.ok() && dependencies_.clock.Monotonic() < rest_until_) return trouble_;
  state_ = State::kOpening;
  log_options_ = options;
  dependencies_.store.OpenLog(id_, options, dependencies_.shard,
                              [this](absl::StatusOr<storage::LogStore::OpenedLog> opened) {
                                OnOpenDone(std::move(opened));
                              });
  return absl::OkStatus();
}

void ReopenableLog::OnOpenDone(absl::StatusOr<storage::LogStore::OpenedLog> opened) {
  if (!opened.ok()) {
    state_ = State::kClosed;
    const absl::Status cause =
        base::Annotate(opened.status(), base::StrCat("open log ", id_.ToString()));
    Rest(cause, ReasonOf(cause));
    if (!is_shut_) owner_.OnLogFailed(cause);
    OnClosed();
    return;
  }
  log_ = std::move(opened->log);
  log_->SetDurableListener([this](const absl::Status& status) { OnDurable(status); });
  state_ = State::kOpen;
  trouble_ = absl::OkStatus();
  for (const absl::Status& damage : opened->report.damages) owner_.OnLogDamaged(damage);
  if (is_shut_) {
    BeginClosing();
  } else {
    owner_.OnLogOpened();
  }
}

void ReopenableLog::Read(const storage::ReadRequest& request,
                         base::Callback<absl::StatusOr<storage::ReadResult>> done) {
  TALOSMQ_CHECK(state_ == State::kOpen) << "log " << id_.ToString() << " is not open";
  ++jobs_;
  log_->Read(request,
             [this, done = std::move(done)](absl::StatusOr<storage::ReadResult> result) mutable {
               if (CorruptRangeOf(result.status())) owner_.OnLogDamaged(result.status());
               done(std::move(result));
               OnJobDone();
             });
}

void ReopenableLog::FindOffset(absl::Time time, Offset limit,
                               base::Callback<absl::StatusOr<Offset>> done) {
  TALOSMQ_CHECK(state_ == State::kOpen) << "log " << id_.ToString() << " is not open";
  ++jobs_;
  log_->FindOffset(time, limit,
                   [this, done = std::move(done)](absl::StatusOr<Offset> found) mutable {
                     done(std::move(found));
                     OnJobDone();
                   });
}

base::Callback<absl::Status> ReopenableLog::Job(base::Callback<absl::Status> done) {
  TALOSMQ_CHECK(state_ == State::kOpen) << "log " << id_.ToString() << " is not open";
  ++jobs_;
  return [this, done = std::move(done)](absl::Status status) mutable {
    done(std::move(status));
    OnJobDone();
  };
}

void ReopenableLog::MoveLogStart(Offset offset, base::Callback<absl::Status> done) {
  base::Callback<absl::Status> job = Job(std::move(done));
  log_->MoveLogStart(offset, std::move(job));
}

void ReopenableLog::ApplyRetention(absl::Time now, Offset limit,
                                   base::Callback<absl::Status> done) {
  base::Callback<absl::Status> job = Job(std::move(done));
  log_->ApplyRetention(now, limit, std::move(job));
}

void ReopenableLog::Compact(absl::Time now, Offset limit, base::Callback<absl::Status> done) {
  TALOSMQ_CHECK(state_ == State::kOpen) << "log " << id_.ToString() << " is not open";
  // No job of ours: closing the log ends it.
  log_->Compact(now, limit, std::move(done));
}

void ReopenableLog::OnJobDone() {
  --jobs_;
  if (state_ == State::kClosing && jobs_ == 0) {
    dependencies_.shard.Post([this] { CloseWhenQuiet(); });
  }
}

void ReopenableLog::OnDurable(const absl::Status& status) {
  if (status.ok()) {
    backoff_ = options_.reopen_backoff_min;
    owner_.OnLogDurable();
    return;
  }
  if (state_ == State::kOpen) {
    Fence(status);
  } else {
    owner_.OnLogFailed(status);
  }
}

void ReopenableLog::Fence(const absl::Status& cause) {
  if (state_ != State::kOpen) return;
  const absl::Status fenced = storage::IsFenced(cause) ? cause : storage::MakeFenced(id_, cause);
  Rest(fenced, ReasonOf(cause));
  BeginClosing();
  owner_.OnLogFailed(fenced);
}

void ReopenableLog::Rest(const absl::Status& trouble, Reason cause) {
  trouble_ = trouble;
  is_damaged_ = cause == Reason::kCorruptData;
  rest_until_ = dependencies_.clock.Monotonic() + backoff_;
  backoff_ = std::min(backoff_ * 2, options_.reopen_backoff_max);
}

void ReopenableLog::OpenAfterRest() {
  if (is_damaged_) return;
  const absl::Duration rest = rest_until_ - dependencies_.clock.Monotonic();
  rest_timer_ = dependencies_.shard.PostAfter(std::max(rest, absl::ZeroDuration()), [this] {
    if (is_shut_ || state_ != State::kClosed) return;
    Open(log_options_).IgnoreError();  // An error is told to the owner, and rests again.
  });
}

void ReopenableLog::Shut(base::Task done) {
  TALOSMQ_CHECK(!is_shut_) << "log " << id_.ToString() << " is shut once";
  is_shut_ = true;
  shut_ = std::move(done);
  dependencies_.shard.Cancel(rest_timer_);
  switch (state_) {
    case State::kClosed:
      OnClosed();
      break;
    case State::kOpen:
      BeginClosing();
      break;
    case State::kOpening:
    case State::kClosing:
      break;
  }
}

void ReopenableLog::BeginClosing() {
  state_ = State::kClosing;
  // A task of its own: this may be a callback out of the log, which must not be closed from inside.
  dependencies_.shard.Post([this] { CloseWhenQuiet(); });
}

void ReopenableLog::CloseWhenQuiet() {
  if (state_ != State::kClosing || jobs_ > 0 || close_begun_) return;
  close_begun_ = true;
  log_->Close([this](const absl::Status& status) {
    if (!status.ok()) {
      base::LogWarning("broker", "close log ", id_.ToString(), ": ",
                       base::FromAbsl(status.message()));
    }
    dependencies_.shard.Post([this] {
      log_.reset();
      close_begun_ = false;
      state_ = State::kClosed;
      OnClosed();
    });
  });
}

void ReopenableLog::OnClosed() {
  if (!shut_) return OpenAfterRest();
  // After every task that was posted with this object in mind.
  dependencies_.shard.Post(std::exchange(shut_, nullptr));
}

}  // namespace talosmq::broker
