#include "broker/group_coordinator.h"

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "metadata/codec.h"
#include "metadata/keys.h"
#include "record/batch.h"
#include "talosmq/error.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace talosmq::broker {
namespace {

constexpr int64_t kReadBytes = int64_t{1} << 20;
/// A batch takes changes, of several events or a part of those of one, up to here.
constexpr size_t kBatchBytes = size_t{1} << 20;
constexpr record::DecodeLimits kDecodeLimits{.inflated_bytes_max = int64_t{64} << 20};

absl::Status NotAvailable(const TopicPartition& log, std::string_view why) {
  return MakeError(Reason::kCoordinatorNotAvailable,
                   base::StrCat("the coordinator of ", group::kOffsetsTopic, "/",
                                log.partition.value(), " cannot answer now: ", why));
}

absl::Status Undecided(const absl::Status& why) {
  return MakeError(Reason::kMaybeStored,
                   base::StrCat("what follows from this call may be stored or not: ",
                                base::FromAbsl(why.message())));
}

absl::Status ShuttingDown() { return MakeError(Reason::kShuttingDown, "the broker is stopping"); }

}  // namespace

GroupCoordinator::GroupCoordinator(const TopicPartition& log, Dependencies dependencies)
    : log_(log), dependencies_(std::move(dependencies)), view_(dependencies_.views.Of(log)) {}

group::Now GroupCoordinator::Now() const {
  return {.monotonic = dependencies_.clock.Monotonic(), .wall = dependencies_.clock.Now()};
}

template <typename Answer, typename Next>
base::Callback<Answer> GroupCoordinator::Back(Next next) {
  ++callbacks_;
  return [this, term = term_, next = std::move(next)](Answer answer) mutable {
    dependencies_.executor.Post(
        [this, term, next = std::move(next), answer = std::move(answer)]() mutable {
          --callbacks_;
          if (stop_done_ != nullptr) return FinishStop();
          if (term == term_) next(std::move(answer));
        });
  };
}

void GroupCoordinator::Start() {
  if (state_ == State::kIdle && !is_appending_ && !is_draining_) Load();
}

void GroupCoordinator::Handle(std::unique_ptr<GroupCall> call) {
  if (is_draining_) return call->Refuse(ShuttingDown());
  const bool is_resting = dependencies_.clock.Monotonic() < rest_until_;
  if (state_ == State::kIdle && is_resting) return call->Refuse(trouble_);
  if (waiting_.size() >= kWaitingCallsMax) {
    return call->Refuse(MakeError(
        Reason::kOverloaded,
        base::StrCat("the coordinator of ", group::kOffsetsTopic, "/", log_.partition.value(), ": ",
                     kWaitingCallsMax, " calls wait already")));
  }
  waiting_.push_back(std::move(call));
  if (state_ == State::kActive) return RunWaiting();
  Start();
}

void GroupCoordinator::OnTopics() {
  are_topics_due_ = true;
  if (state_ == State::kActive) RunWaiting();
}

void GroupCoordinator::Expire(absl::Time wall) {
  if (state_ == State::kActive) Emit(coordinator_->Expire(wall));
}

void GroupCoordinator::OnLags(
    const std::map<std::string, std::map<TopicPartition, int64_t>>& by_group) {
  if (state_ == State::kActive) coordinator_->OnLags(by_group);
}

void GroupCoordinator::Load() {
  state_ = State::kLoading;
  dependencies_.executor.Cancel(timer_);
  counted_ = {};
  coordinator_ = std::make_unique<group::Coordinator>(dependencies_.options, dependencies_.random);
  using View = absl::StatusOr<std::optional<group::LoadedView>>;
  dependencies_.views_executor.Post([this, next = Back<View>([this](View view) {
                                             OnView(std::move(view));
                                           })]() mutable { next(view_.Load()); });
}

void GroupCoordinator::OnView(absl::StatusOr<std::optional<group::LoadedView>> view) {
  if (!view.ok()) {
    base::LogWarning("broker", "the view of ", log_.ToString(),
                     " is made anew: ", base::FromAbsl(view.status().message()));
    return Rebuild();
  }
  if (!*view) return Rebuild();
  dependencies_.messages.FindHistory(
      {.source = log_, .epoch = (*view)->point.epoch},
      Back<HistoryOutcome>([this, view = **std::move(view)](const HistoryOutcome& history) {
        JudgeView(view, history);
      }));
}

void GroupCoordinator::JudgeView(const group::LoadedView& view, const HistoryOutcome& history) {
  if (!history.status.ok()) return Fail(history.status);
  const Offset next = view.point.next;
  const bool is_of_this_log = history.epoch_end && next <= *history.epoch_end;
  if (!is_of_this_log || next < history.compacted_end) return Rebuild();
  for (const group::Change& change : view.changes) coordinator_->Replay(change);
  ReadOn(next);
}

void GroupCoordinator::Rebuild() {
  auto next = Back<absl::Status>([this](const absl::Status& dropped) {
    if (!dropped.ok()) TellOfView(dropped);
    dependencies_.messages.FindOffset({.source = log_, .spec = FromStart()},
                                      Back<OffsetOutcome>([this](OffsetOutcome outcome) {
                                        if (!outcome.status.ok()) return Fail(outcome.status);
                                        ReadOn(outcome.offset);
                                      }));
  });
  dependencies_.views_executor.Post(
      [this, next = std::move(next)]() mutable { next(view_.Drop()); });
}

void GroupCoordinator::ReadOn(Offset from) {
  dependencies_.messages.Fetch(
      {.source = log_, .offset = from, .bytes_max = kReadBytes},
      Back<FetchOutcome>([this](FetchOutcome outcome) { OnRead(std::move(outcome)); }));
}

void GroupCoordinator::OnRead(FetchOutcome outcome) {
  if (!outcome.status.ok()) return Fail(outcome.status);
  std::vector<group::EncodedChange> changes;
  LeaderEpoch epoch = kNoEpoch;
  const absl::Status replayed = Replay(outcome, changes, epoch);
  if (!replayed.ok()) return Fail(replayed);
  epoch_ = outcome.epoch;
  if (epoch != kNoEpoch) {
    WriteView(std::move(changes), {.next = outcome.next_offset, .epoch = epoch});
  }
  if (outcome.next_offset < outcome.high_watermark) return ReadOn(outcome.next_offset);
  Begin();
}

absl::Status GroupCoordinator::Replay(const FetchOutcome& outcome,
                                      std::vector<group::EncodedChange>& changes,
                                      LeaderEpoch& epoch) {
  for (const base::Buffer& chunk : outcome.chunks) {
    base::ByteSpan rest = chunk.bytes();
    while (!rest.empty()) {
      TALOSMQ_ASSIGN_OR_RETURN(const record::BatchHeader header, record::ParseHeader(rest));
      TALOSMQ_ASSIGN_OR_RETURN(auto batch,
                               record::BatchReader::Open(rest.first(header.size()), kDecodeLimits));
      rest = rest.subspan(header.size());
      epoch = header.epoch;
      while (true) {
        TALOSMQ_ASSIGN_OR_RETURN(const auto record, batch.Next());
        if (!record) break;
        const std::string_view key = record->key.value_or("");
        TALOSMQ_ASSIGN_OR_RETURN(const group::Change change, group::Decode(key, record->value));
        coordinator_->Replay(change);
        changes.push_back(
            {.key = std::string(key), .value = std::optional<std::string>(record->value)});
      }
    }
  }
  return absl::OkStatus();
}

void GroupCoordinator::Begin() {
  state_ = State::kActive;
  are_topics_due_ = false;
  Emit(coordinator_->Start(Now(), dependencies_.topics()));
  RunWaiting();
}

bool GroupCoordinator::IsConfirmed() const {
  return confirmed_ && dependencies_.clock.Monotonic() - *confirmed_ < kConfirmedFor;
}

void GroupCoordinator::RunWaiting() {
  if (!IsConfirmed()) return Confirm();
  while (state_ == State::kActive && !waiting_.empty()) {
    const std::unique_ptr<GroupCall> call = std::move(waiting_.front());
    waiting_.pop_front();
    Emit(call->Run(*coordinator_, Now()));
  }
  if (state_ == State::kActive && std::exchange(are_topics_due_, false)) {
    Emit(coordinator_->OnTopics(dependencies_.topics(), Now()));
  }
  // Behind the calls, which may renew leases.
  if (state_ == State::kActive && std::exchange(is_tick_due_, false)) {
    Emit(coordinator_->Tick(Now()));
  }
}

void GroupCoordinator::Confirm() {
  if (is_confirming_) return;
  is_confirming_ = true;
  const absl::Duration asked = dependencies_.clock.Monotonic();
  const base::TimerId patience = After(kConfirmPatience, &GroupCoordinator::OnConfirmOverdue);
  using Found = absl::StatusOr<std::optional<metadata::KeyValue>>;
  ++callbacks_;
  dependencies_.metadata_store.Get(
      metadata::PartitionStateKey(log_), dependencies_.executor,
      [this, asked, patience](Found found) {
        --callbacks_;
        is_confirming_ = false;
        dependencies_.executor.Cancel(patience);
        if (stop_done_ != nullptr) return FinishStop();
        if (state_ != State::kActive) return;
        if (!found.ok()) return OnConfirmed(found.status(), asked);
        if (!*found) return OnConfirmed(absl::OkStatus(), asked);  // Nobody has led it yet.
        const auto state = metadata::Decode<metadata::PartitionStateRecord>(**found);
        if (!state.ok()) return OnConfirmed(state.status(), asked);
        const bool is_newer = state->epoch > epoch_ && !under_way_;
        if (state->leader != dependencies_.self || is_newer) {
          return Fail(NotAvailable(
              log_, base::StrCat("expected epoch ", epoch_.value(), " of broker ",
                                 dependencies_.self.value(), ", found epoch ", state->epoch.value(),
                                 " of broker ", state->leader.value())));
        }
        OnConfirmed(absl::OkStatus(), asked);
      });
}

void GroupCoordinator::OnConfirmed(absl::Status confirmed, absl::Duration asked) {
  if (!confirmed.ok()) return RefuseWaiting(confirmed);
  confirmed_ = asked;
  RunWaiting();
}

void GroupCoordinator::OnConfirmOverdue() {
  RefuseWaiting(MakeError(Reason::kMetadataUnavailable,
                          base::StrCat("the metadata store has not said within ",
                                       absl::FormatDuration(kConfirmPatience), " who leads it")));
}

void GroupCoordinator::RefuseWaiting(const absl::Status& why) {
  const absl::Status answer = NotAvailable(log_, base::FromAbsl(why.message()));
  for (const auto& call : std::exchange(waiting_, {})) call->Refuse(answer);
}

void GroupCoordinator::Emit(group::Output output) {
  dependencies_.metrics.Count(counted_, coordinator_->counts());
  counted_ = coordinator_->counts();
  const group::Change* const first = output.changes.data();
  for (const group::Change& change : output.changes) {
    if (queue_.empty() || queue_.back().bytes >= kBatchBytes) {
      queue_.push_back({.is_continuation = &change != first});
    }
    group::EncodedChange encoded = group::Encode(change);
    queue_.back().bytes += encoded.key.size() + encoded.value.value_or("").size();
    queue_.back().changes.push_back(std::move(encoded));
  }
  if (!queue_.empty()) {
    std::ranges::move(output.replies, std::back_inserter(queue_.back().replies));
  } else if (under_way_) {
    std::ranges::move(output.replies, std::back_inserter(under_way_->replies));
  } else {
    for (group::PendingReply& reply : output.replies) reply(absl::OkStatus());
  }
  SendNext();
  SetTimer();
}

void GroupCoordinator::SendNext() {
  if (under_way_ || queue_.empty()) return;
  under_way_ = std::move(queue_.front());
  queue_.pop_front();
  under_way_->give_up = dependencies_.clock.Monotonic() + kAppendPatience;
  Send();
}

void GroupCoordinator::Send() {
  record::BatchBuilder builder(record::Codec::kNone, under_way_->bytes * 2);
  const int64_t now_ms = absl::ToUnixMillis(dependencies_.clock.Now());
  for (const group::EncodedChange& change : under_way_->changes) {
    builder.Append({.timestamp_ms = now_ms, .key = change.key, .value = change.value});
  }
  auto batch = builder.Finish({});
  if (!batch.ok()) return Fail(batch.status());
  is_appending_ = true;
  ++callbacks_;
  dependencies_.messages.Append(
      {.target = log_, .acks = Acks::kAll, .origin = Origin::kSystem, .batch = *std::move(batch)},
      [this, term = term_](AppendOutcome outcome) {
        dependencies_.executor.Post([this, term, outcome = std::move(outcome)]() mutable {
          --callbacks_;
          is_appending_ = false;
          if (last_) AnswerLast(outcome.status);
          if (stop_done_ != nullptr) return FinishStop();
          if (term == term_) return OnAppended(std::move(outcome));
          if (!waiting_.empty()) Start();
        });
      });
}

void GroupCoordinator::OnAppended(AppendOutcome outcome) {
  if (!outcome.status.ok()) return OnAppendFailed(outcome.status);
  epoch_ = outcome.epoch;
  Append done = *std::move(under_way_);
  under_way_.reset();
  WriteView(std::move(done.changes), {.next = outcome.last_offset + 1, .epoch = outcome.epoch});
  for (group::PendingReply& reply : done.replies) reply(absl::OkStatus());
  SendNext();
}

void GroupCoordinator::OnAppendFailed(const absl::Status& why) {
  const Reason reason = ReasonOf(why);
  const bool is_stored_nowhere = reason == Reason::kStorageFull || reason == Reason::kOverloaded;
  if (is_stored_nowhere) {
    if (dependencies_.clock.Monotonic() < under_way_->give_up) {
      After(kAppendPause, &GroupCoordinator::Send);
      return;
    }
    if (!under_way_->is_continuation) {
      for (group::PendingReply& reply : std::exchange(under_way_->replies, {})) reply(why);
    }
  }
  Fail(why);
}

void GroupCoordinator::AnswerLast(const absl::Status& appended) {
  const absl::Status answer = appended.ok() ? appended : Undecided(appended);
  for (group::PendingReply& reply : last_->replies) reply(answer);
  last_.reset();
}

void GroupCoordinator::WriteView(std::vector<group::EncodedChange> changes,
                                 const group::ViewPoint& point) {
  auto next = Back<absl::Status>([this](const absl::Status& applied) {
    if (!applied.ok()) TellOfView(applied);
  });
  dependencies_.views_executor.Post(
      [this, changes = std::move(changes), point, next = std::move(next)]() mutable {
        next(view_.Apply(std::move(changes), point));
      });
}

void GroupCoordinator::TellOfView(const absl::Status& trouble) {
  if (std::exchange(is_view_told_, true)) return;
  base::LogWarning(
      "broker", "the view of ", log_.ToString(),
      " stays behind its log until it is read again: ", base::FromAbsl(trouble.message()));
}

void GroupCoordinator::SetTimer() {
  if (state_ != State::kActive) return;
  const absl::Duration due = coordinator_->next_tick();
  if (due == timer_due_) return;
  dependencies_.executor.Cancel(timer_);
  timer_due_ = due;
  if (due == absl::InfiniteDuration()) return;
  timer_ = After(due - dependencies_.clock.Monotonic(), &GroupCoordinator::OnTimer);
}

base::TimerId GroupCoordinator::After(absl::Duration delay, void (GroupCoordinator::*next)()) {
  return dependencies_.executor.PostAfter(delay, [weak = weak_from_this(), term = term_, next] {
    const std::shared_ptr<GroupCoordinator> self = weak.lock();
    if (self != nullptr && self->term_ == term) (self.get()->*next)();
  });
}

void GroupCoordinator::OnTimer() {
  timer_due_ = absl::InfiniteDuration();
  is_tick_due_ = true;
  RunWaiting();
}

void GroupCoordinator::Fail(const absl::Status& why) {
  if (!is_draining_ && trouble_ != why) {
    base::LogWarning("broker", "the coordinator of ", log_.ToString(),
                     " begins anew: ", base::FromAbsl(why.message()));
  }
  trouble_ = why;
  const absl::Status refusal = is_draining_ || ReasonOf(why) == Reason::kShuttingDown
                                   ? ShuttingDown()
                                   : NotAvailable(log_, base::FromAbsl(why.message()));
  rest_ = confirmed_ ? absl::ZeroDuration() : std::clamp(rest_ * 2, kRestMin, kRestMax);
  rest_until_ = dependencies_.clock.Monotonic() + rest_;
  state_ = State::kIdle;
  ++term_;
  confirmed_.reset();
  is_tick_due_ = false;
  dependencies_.executor.Cancel(timer_);
  timer_due_ = absl::InfiniteDuration();
  if (is_draining_ && is_appending_) last_ = std::exchange(under_way_, std::nullopt);
  std::vector<group::PendingReply> undecided;
  if (under_way_) undecided = std::move(under_way_->replies);
  under_way_.reset();
  std::vector<group::PendingReply> replies;
  for (Append& append : std::exchange(queue_, {})) {
    std::ranges::move(append.replies, std::back_inserter(replies));
  }
  const std::deque<std::unique_ptr<GroupCall>> refused = std::exchange(waiting_, {});
  const std::unique_ptr<group::Coordinator> coordinator = std::move(coordinator_);
  if (coordinator != nullptr) coordinator->Abandon(refusal);
  for (group::PendingReply& reply : undecided) reply(Undecided(why));
  for (group::PendingReply& reply : replies) reply(refusal);
  for (const auto& call : refused) call->Refuse(refusal);
  if (!is_draining_) timer_ = After(std::max(rest_, kRestMin), &GroupCoordinator::Start);
}

void GroupCoordinator::Drain() {
  if (is_draining_) return;
  is_draining_ = true;
  Fail(ShuttingDown());
}

void GroupCoordinator::Stop(base::Task done) {
  Drain();
  stop_done_ = std::move(done);
  FinishStop();
}

void GroupCoordinator::FinishStop() {
  if (callbacks_ == 0 && stop_done_ != nullptr) std::exchange(stop_done_, nullptr)();
}

}  // namespace talosmq::broker
