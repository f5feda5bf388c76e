#include "support/faulty_metadata_store.h"

#include "talosmq/error.h"

#include <utility>

namespace talosmq::support {

using metadata::CommitResult;

void FaultyMetadataStore::FailCommit(uint64_t nth, CommitFault fault) {
  const base::MutexLock lock(mutex_);
  plan_ = Plan{.at = commits_ + nth, .fault = fault, .then = Then::kFail};
}

void FaultyMetadataStore::DieInCommit(uint64_t nth, CommitFault fault) {
  const base::MutexLock lock(mutex_);
  plan_ = Plan{.at = commits_ + nth, .fault = fault, .then = Then::kDie};
}

uint64_t FaultyMetadataStore::commits() const {
  const base::MutexLock lock(mutex_);
  return commits_;
}

bool FaultyMetadataStore::is_dead() const {
  const base::MutexLock lock(mutex_);
  return is_dead_;
}

std::optional<FaultyMetadataStore::Plan> FaultyMetadataStore::NextCommit() {
  const base::MutexLock lock(mutex_);
  ++commits_;
  if (!plan_.has_value() || plan_->at != commits_) return std::nullopt;
  is_dead_ = plan_->then == Then::kDie;
  return std::exchange(plan_, std::nullopt);
}

void FaultyMetadataStore::Commit(metadata::Transaction transaction, base::Executor& on,
                                 base::Callback<absl::StatusOr<CommitResult>> done) {
  if (is_dead()) return;
  const std::optional<Plan> plan = NextCommit();
  if (!plan.has_value()) return store_.Commit(std::move(transaction), on, std::move(done));
  // The dead do not hear.
  auto fail = [then = plan->then, fault = plan->fault, done = std::move(done)]() mutable {
    if (then == Then::kDie) return;
    done(fault == CommitFault::kRefused
             ? MakeError(Reason::kOverloaded, "too many calls wait")
             : MakeError(Reason::kMetadataUnavailable, "the reply was lost"));
  };
  switch (plan->fault) {
    case CommitFault::kLostRequest:
    case CommitFault::kRefused:
      return on.Post(std::move(fail));
    case CommitFault::kLostReply:
      return store_.Commit(
          std::move(transaction), on,
          [fail = std::move(fail)](const absl::StatusOr<CommitResult>&) mutable { fail(); });
  }
}

void FaultyMetadataStore::Get(
    std::string key, base::Executor& on,
    base::Callback<absl::StatusOr<std::optional<metadata::KeyValue>>> done) {
  if (!is_dead()) store_.Get(std::move(key), on, std::move(done));
}

void FaultyMetadataStore::List(std::string prefix, std::string from, base::Executor& on,
                               base::Callback<absl::StatusOr<metadata::ListResult>> done) {
  if (!is_dead()) store_.List(std::move(prefix), std::move(from), on, std::move(done));
}

metadata::WatchId FaultyMetadataStore::Watch(
    std::string prefix, metadata::Revision after, base::Executor& on,
    base::Callback<const absl::StatusOr<metadata::WatchEvent>&> on_event) {
  return store_.Watch(std::move(prefix), after, on, std::move(on_event));
}

void FaultyMetadataStore::Unwatch(metadata::WatchId watch) { store_.Unwatch(watch); }

void FaultyMetadataStore::GrantLease(absl::Duration time_to_live, base::Executor& on,
                                     base::Callback<absl::StatusOr<metadata::LeaseId>> done) {
  if (!is_dead()) store_.GrantLease(time_to_live, on, std::move(done));
}

void FaultyMetadataStore::KeepAlive(metadata::LeaseId lease, base::Executor& on,
                                    base::Callback<absl::Status> done) {
  if (!is_dead()) store_.KeepAlive(lease, on, std::move(done));
}

void FaultyMetadataStore::RevokeLease(metadata::LeaseId lease, base::Executor& on,
                                      base::Callback<absl::Status> done) {
  if (!is_dead()) store_.RevokeLease(lease, on, std::move(done));
}

}  // namespace talosmq::support
