#include "metadata/store_engine.h"

#include "base/gate.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/status.h"
#include "base/text.h"
#include "metadata/key_space.h"
#include "metadata/store_call.h"
#include "metadata/watcher_set.h"

#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace talosmq::metadata {
namespace {

/// A round ends when it has this many calls or has changed this many bytes.
constexpr size_t kRoundCallsMax = 1000;
constexpr size_t kRoundBytesMax = size_t{4} << 20;

/// etcd counts whole seconds.
absl::Duration WholeSeconds(absl::Duration duration) {
  return absl::Ceil(duration, absl::Seconds(1));
}

absl::Status LeaseHasEnded(LeaseId lease) {
  return MakeError(Reason::kConflict,
                   base::StrCat("metadata lease ", static_cast<int64_t>(lease), " has ended"));
}

}  // namespace

/// Queue and state behind the engine. Submit and Enqueue are thread-safe; the rest is confined to
/// the executor.
class StoreEngine::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(WatchHistory::Options history, StoreState state, std::unique_ptr<StateWriter> writer,
       base::Executor& executor);

  /// Lets the time of the leases found begin; apart from the constructor, for it needs weak_ptr.
  void Begin();
  /// Calls from outside: bounded. A few more may come in at the bound when several threads call.
  void Submit(std::unique_ptr<StoreCall> call);
  /// What must not be refused, bounded by the number of leases.
  void Enqueue(std::unique_ptr<StoreCall> call);
  /// In no round, as it needs nothing written: a round of a failed store would leave it out.
  void StartWatch(WatchId watch);
  void Close();
  absl::Status health() const {
    const base::MutexLock lock(mutex_);
    return failure_;
  }
  WatcherSet& watchers() { return *watchers_; }

  absl::StatusOr<std::optional<KeyValue>> Get(const std::string& key) const;
  absl::StatusOr<CommitResult> Commit(Transaction transaction);
  ListResult List(const std::string& prefix, const std::string& from) const {
    return keys_.List(prefix, from, kListEntriesMax);
  }
  absl::StatusOr<LeaseId> Grant(absl::Duration time_to_live);
  absl::Status KeepAlive(LeaseId lease);
  absl::Status Revoke(LeaseId lease);

 private:
  struct Lease {
    absl::Duration time_to_live;
    base::TimerId timer = base::TimerId::kNone;
    uint64_t renewals = 0;  ///< Tells a timer that ran late from the one that counts.
  };

  bool TryEnqueue(std::unique_ptr<StoreCall>& call);
  void RunRound();
  std::deque<std::unique_ptr<StoreCall>> WorkOutRound();
  std::unique_ptr<StoreCall> TakeCall();
  absl::Status WriteRound();
  void SetFailure(const absl::Status& failure);
  void ReloadLater();
  void Reload();
  void ScheduleNext();
  void Apply(std::vector<Operation> operations);
  void StartTimer(LeaseId id, Lease& lease);
  void Expire(LeaseId id, uint64_t renewals);

  base::Executor& executor_;
  base::Gate gate_;  ///< Rounds and starts of watches under way.
  const std::unique_ptr<StateWriter> writer_;
  const std::shared_ptr<WatcherSet> watchers_;

  KeySpace keys_;
  std::map<LeaseId, Lease> leases_;
  LeaseId last_lease_;
  StoreChanges changes_;      ///< Of the round under way.
  size_t changed_bytes_ = 0;  ///< Of the round under way.
  StoreChanges failed_;       ///< Of the round that could not be written.

  mutable base::Mutex mutex_;
  /// Not OK: a write has failed, and every call does. Changed by the executor only.
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::unique_ptr<StoreCall>> waiting_ ABSL_GUARDED_BY(mutex_);
  bool is_scheduled_ ABSL_GUARDED_BY(mutex_) = false;
};

StoreEngine::Core::Core(WatchHistory::Options history, StoreState state,
                        std::unique_ptr<StateWriter> writer, base::Executor& executor)
    : executor_(executor),
      writer_(std::move(writer)),
      watchers_(std::make_shared<WatcherSet>(history, state.revision, executor)),
      keys_(state.revision, std::move(state.entries)),
      last_lease_(state.last_lease) {
  for (const StoredLease& lease : state.leases) {
    leases_.emplace(lease.id, Lease{.time_to_live = lease.time_to_live});
  }
}

void StoreEngine::Core::Begin() {
  for (auto& [id, lease] : leases_) StartTimer(id, lease);
}

void StoreEngine::Core::SetFailure(const absl::Status& failure) {
  const base::MutexLock lock(mutex_);
  failure_ = failure;
}

void StoreEngine::Core::ReloadLater() {
  executor_.PostAfter(kReloadInterval, [weak = weak_from_this()] {
    const std::shared_ptr<Core> self = weak.lock();
    if (self != nullptr) self->Reload();
  });
}

void StoreEngine::Core::Reload() {
  const std::optional<base::Gate::Pass> pass = gate_.Enter();
  if (!pass.has_value()) return;
  absl::StatusOr<StoreState> state = writer_->Reload();
  if (!state.ok()) return ReloadLater();
  for (const auto& [id, lease] : leases_) executor_.Cancel(lease.timer);
  leases_.clear();
  for (const StoredLease& lease : state->leases) {
    leases_.emplace(lease.id, Lease{.time_to_live = lease.time_to_live});
  }
  Begin();
  keys_ = KeySpace(state->revision, std::move(state->entries));
  last_lease_ = state->last_lease;
  // The failed write may have been done all the same.
  if (state->revision == failed_.revision) watchers_->Publish(std::move(failed_.events));
  failed_ = {};
  SetFailure(absl::OkStatus());
  base::LogInfo("metadata", "the metadata store goes on");
}

void StoreEngine::Core::Submit(std::unique_ptr<StoreCall> call) {
  if (!TryEnqueue(call)) {
    call->Answer(MakeError(Reason::kOverloaded,
                           base::StrCat("metadata store: ", kWaitingCallsMax, " calls wait")));
  }
}

bool StoreEngine::Core::TryEnqueue(std::unique_ptr<StoreCall>& call) {
  {
    const base::MutexLock lock(mutex_);
    if (waiting_.size() >= kWaitingCallsMax) return false;
  }
  Enqueue(std::move(call));
  return true;
}

void StoreEngine::Core::Enqueue(std::unique_ptr<StoreCall> call) {
  {
    const base::MutexLock lock(mutex_);
    waiting_.push_back(std::move(call));
    if (std::exchange(is_scheduled_, true)) return;
  }
  executor_.Post([self = shared_from_this()] { self->RunRound(); });
}

void StoreEngine::Core::StartWatch(WatchId watch) {
  executor_.Post([self = shared_from_this(), watch] {
    const std::optional<base::Gate::Pass> pass = self->gate_.Enter();
    if (pass.has_value()) self->watchers_->Start(watch);
  });
}

void StoreEngine::Core::RunRound() {
  const std::optional<base::Gate::Pass> pass = gate_.Enter();
  if (!pass.has_value()) return;
  absl::Status failure = health();
  const std::deque<std::unique_ptr<StoreCall>> round = WorkOutRound();
  if (failure.ok()) failure = WriteRound();
  for (const std::unique_ptr<StoreCall>& call : round) call->Answer(failure);
  if (failure.ok()) watchers_->Publish(std::move(changes_.events));
  if (!changes_.empty() && !failure.ok()) failed_ = std::move(changes_);
  changes_ = {};
  changed_bytes_ = 0;
  ScheduleNext();
}

std::deque<std::unique_ptr<StoreCall>> StoreEngine::Core::WorkOutRound() {
  const bool is_failed = !health().ok();
  std::deque<std::unique_ptr<StoreCall>> round;
  while (round.size() < kRoundCallsMax && changed_bytes_ < kRoundBytesMax) {
    std::unique_ptr<StoreCall> call = TakeCall();
    if (call == nullptr) break;
    if (!is_failed) call->Work();
    round.push_back(std::move(call));
  }
  return round;
}

std::unique_ptr<StoreCall> StoreEngine::Core::TakeCall() {
  const base::MutexLock lock(mutex_);
  if (waiting_.empty()) return nullptr;
  std::unique_ptr<StoreCall> call = std::move(waiting_.front());
  waiting_.pop_front();
  return call;
}

absl::Status StoreEngine::Core::WriteRound() {
  if (changes_.empty()) return absl::OkStatus();
  changes_.revision = keys_.revision();
  changes_.last_lease = last_lease_;
  const absl::Status written = writer_->Write(changes_);
  if (written.ok()) return absl::OkStatus();
  absl::Status failure = MakeError(Reason::kMetadataUnavailable,
                                   base::StrCat("metadata store: shut after a failed write: ",
                                                base::FromAbsl(written.message())));
  base::LogError("metadata", base::FromAbsl(failure.message()));
  SetFailure(failure);
  ReloadLater();
  return failure;
}

void StoreEngine::Core::ScheduleNext() {
  {
    const base::MutexLock lock(mutex_);
    is_scheduled_ = !waiting_.empty();
    if (!is_scheduled_) return;
  }
  executor_.Post([self = shared_from_this()] { self->RunRound(); });
}

void StoreEngine::Core::Close() {
  gate_.CloseAndWait();
  watchers_->Close();
  for (const auto& [id, lease] : leases_) executor_.Cancel(lease.timer);
  const absl::Status closed = MakeError(Reason::kShuttingDown, "metadata store: closed");
  while (const std::unique_ptr<StoreCall> call = TakeCall()) call->Answer(closed);
}

absl::StatusOr<std::optional<KeyValue>> StoreEngine::Core::Get(const std::string& key) const {
  if (key.empty()) return MakeError(Reason::kInvalidArgument, "metadata store: a key is empty");
  const KeyValue* entry = keys_.Find(key);
  return entry == nullptr ? std::nullopt : std::optional(*entry);
}

absl::StatusOr<CommitResult> StoreEngine::Core::Commit(Transaction transaction) {
  TALOSMQ_RETURN_IF_ERROR(CheckTransaction(transaction));
  if (!keys_.Holds(transaction.compares)) {
    return CommitResult{.succeeded = false, .revision = keys_.revision()};
  }
  for (const Operation& operation : transaction.operations) {
    const bool has_lease = operation.value.has_value() && operation.lease != LeaseId::kNone;
    if (has_lease && !leases_.contains(operation.lease)) return LeaseHasEnded(operation.lease);
  }
  Apply(std::move(transaction.operations));
  return CommitResult{.succeeded = true, .revision = keys_.revision()};
}

void StoreEngine::Core::Apply(std::vector<Operation> operations) {
  for (const Operation& operation : operations) {
    changed_bytes_ += operation.key.size();
    if (operation.value.has_value()) changed_bytes_ += operation.value->size();
  }
  std::optional<WatchEvent> event = keys_.Apply(std::move(operations));
  if (event.has_value()) changes_.events.push_back(*std::move(event));
}

absl::StatusOr<LeaseId> StoreEngine::Core::Grant(absl::Duration time_to_live) {
  if (time_to_live < kLeaseTimeMin || time_to_live > kLeaseTimeMax) {
    return MakeError(Reason::kInvalidArgument,
                     base::StrCat("metadata lease: expected a time to live from ",
                                  absl::FormatDuration(kLeaseTimeMin), " to ",
                                  absl::FormatDuration(kLeaseTimeMax), ", found ",
                                  absl::FormatDuration(time_to_live)));
  }
  last_lease_ = static_cast<LeaseId>(static_cast<int64_t>(last_lease_) + 1);
  Lease& lease = leases_[last_lease_];
  lease.time_to_live = WholeSeconds(time_to_live);
  StartTimer(last_lease_, lease);
  changes_.granted.push_back({.id = last_lease_, .time_to_live = lease.time_to_live});
  return last_lease_;
}

absl::Status StoreEngine::Core::KeepAlive(LeaseId lease) {
  const auto entry = leases_.find(lease);
  if (entry == leases_.end()) return LeaseHasEnded(lease);
  executor_.Cancel(entry->second.timer);
  ++entry->second.renewals;
  StartTimer(lease, entry->second);
  return absl::OkStatus();
}

absl::Status StoreEngine::Core::Revoke(LeaseId lease) {
  const auto entry = leases_.find(lease);
  if (entry == leases_.end()) return LeaseHasEnded(lease);
  executor_.Cancel(entry->second.timer);
  leases_.erase(entry);
  changes_.ended.push_back(lease);
  std::vector<Operation> deletes;
  for (std::string& key : keys_.KeysOf(lease)) deletes.push_back({.key = std::move(key)});
  Apply(std::move(deletes));
  return absl::OkStatus();
}

void StoreEngine::Core::StartTimer(LeaseId id, Lease& lease) {
  lease.timer = executor_.PostAfter(
      lease.time_to_live, [weak = weak_from_this(), id, renewals = lease.renewals] {
        const std::shared_ptr<Core> self = weak.lock();
        if (self == nullptr) return;
        // Through the queue, so that it is written with a round like any other change.
        self->Enqueue(std::make_unique<SilentCall>(
            [core = self.get(), id, renewals] { core->Expire(id, renewals); }));
      });
}

void StoreEngine::Core::Expire(LeaseId id, uint64_t renewals) {
  const auto entry = leases_.find(id);
  if (entry == leases_.end() || entry->second.renewals != renewals) return;
  base::LogInfo("metadata", "lease ", static_cast<int64_t>(id), " ended unrenewed");
  Revoke(id).IgnoreError();  // It was found a moment ago.
}

StoreEngine::StoreEngine(WatchHistory::Options history, StoreState state,
                         std::unique_ptr<StateWriter> writer, base::Executor& executor)
    : core_(std::make_shared<Core>(history, std::move(state), std::move(writer), executor)) {
  core_->Begin();
}

StoreEngine::~StoreEngine() { core_->Close(); }

// The actions below are kept by the core's queue, which empties before the core goes; hence the
// plain pointers.

absl::Status StoreEngine::health() const { return core_->health(); }

void StoreEngine::Get(std::string key, base::Executor& on,
                      base::Callback<absl::StatusOr<std::optional<KeyValue>>> done) {
  core_->Submit(std::make_unique<AnsweredCall<absl::StatusOr<std::optional<KeyValue>>>>(
      [core = core_.get(), key = std::move(key)] { return core->Get(key); }, on, std::move(done)));
}

void StoreEngine::List(std::string prefix, std::string from, base::Executor& on,
                       base::Callback<absl::StatusOr<ListResult>> done) {
  core_->Submit(std::make_unique<AnsweredCall<absl::StatusOr<ListResult>>>(
      [core = core_.get(), prefix = std::move(prefix), from = std::move(from)] {
        return core->List(prefix, from);
      },
      on, std::move(done)));
}

void StoreEngine::Commit(Transaction transaction, base::Executor& on,
                         base::Callback<absl::StatusOr<CommitResult>> done) {
  core_->Submit(std::make_unique<AnsweredCall<absl::StatusOr<CommitResult>>>(
      [core = core_.get(), transaction = std::move(transaction)]() mutable {
        return core->Commit(std::move(transaction));
      },
      on, std::move(done)));
}

WatchId StoreEngine::Watch(std::string prefix, Revision after, base::Executor& on,
                           base::Callback<const absl::StatusOr<WatchEvent>&> on_event) {
  const WatchId watch = core_->watchers().Add(std::move(prefix), after, on, std::move(on_event));
  core_->StartWatch(watch);
  return watch;
}

void StoreEngine::Unwatch(WatchId watch) { core_->watchers().Remove(watch); }

void StoreEngine::GrantLease(absl::Duration time_to_live, base::Executor& on,
                             base::Callback<absl::StatusOr<LeaseId>> done) {
  core_->Submit(std::make_unique<AnsweredCall<absl::StatusOr<LeaseId>>>(
      [core = core_.get(), time_to_live] { return core->Grant(time_to_live); }, on,
      std::move(done)));
}

void StoreEngine::KeepAlive(LeaseId lease, base::Executor& on, base::Callback<absl::Status> done) {
  core_->Submit(std::make_unique<AnsweredCall<absl::Status>>(
      [core = core_.get(), lease] { return core->KeepAlive(lease); }, on, std::move(done)));
}

void StoreEngine::RevokeLease(LeaseId lease, base::Executor& on,
                              base::Callback<absl::Status> done) {
  core_->Submit(std::make_unique<AnsweredCall<absl::Status>>(
      [core = core_.get(), lease] { return core->Revoke(lease); }, on, std::move(done)));
}

}  // namespace talosmq::metadata
