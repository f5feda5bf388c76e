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
/// Changes of several events share a batch up to here.
constexpr size_t kBatchBytes = size_t{1} << 20;
/// A batch of so many records is more than one event can bring.
constexpr record::DecodeLimits kDecodeLimits{.inflated_bytes_max = int64_t{64} << 20};

absl::Status NotAvailable(const TopicPartition& log, std::string_view why) {
  return MakeError(Reason::kCoordinatorNotAvailable,
                   base::StrCat("the coordinator of ", group::kOffsetsTopic, "/",
                                log.partition.value(), " cannot answer now: ", why));
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

void GroupCoordinator::Handle(std::unique_ptr<GroupCall> call) {
  if (is_draining_) return call->Refuse(ShuttingDown());
  if (waiting_.size() >= kWaitingCallsMax) {
    return call->Refuse(MakeError(
        Reason::kOverloaded,
        base::StrCat("the coordinator of ", group::kOffsetsTopic, "/", log_.partition.value(), ": ",
                     kWaitingCallsMax, " calls wait already")));
  }
  waiting_.push_back(std::move(call));
  if (state_ == State::kIdle && !is_appending_) return Load();
  if (state_ == State::kActive) RunWaiting();
}

void GroupCoordinator::OnTopics() {
  if (state_ != State::kActive) return;
  Emit(coordinator_->OnTopics(dependencies_.topics(), Now()));
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
    if (!dropped.ok()) return Fail(dropped);
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
  std::vector<group::Change> changes;
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
                                      std::vector<group::Change>& changes, LeaderEpoch& epoch) {
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
        TALOSMQ_ASSIGN_OR_RETURN(group::Change change,
                                 group::Decode(record->key.value_or(""), record->value));
        coordinator_->Replay(change);
        changes.push_back(std::move(change));
      }
    }
  }
  return absl::OkStatus();
}

void GroupCoordinator::Begin() {
  state_ = State::kActive;
  Emit(coordinator_->Start(Now(), dependencies_.topics()));
  RunWaiting();
}

void GroupCoordinator::RunWaiting() {
  const absl::Duration now = dependencies_.clock.Monotonic();
  if (!confirmed_ || now - *confirmed_ >= kConfirmedFor) return Confirm();
  while (state_ == State::kActive && !waiting_.empty()) {
    const std::unique_ptr<GroupCall> call = std::move(waiting_.front());
    waiting_.pop_front();
    Emit(call->Run(*coordinator_, Now()));
  }
}

void GroupCoordinator::Confirm() {
  if (is_confirming_) return;
  is_confirming_ = true;
  const absl::Duration asked = dependencies_.clock.Monotonic();
  using Found = absl::StatusOr<std::optional<metadata::KeyValue>>;
  ++callbacks_;
  dependencies_.metadata_store.Get(
      metadata::PartitionStateKey(log_), dependencies_.executor, [this, asked](Found found) {
        --callbacks_;
        is_confirming_ = false;
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
  if (confirmed.ok()) {
    confirmed_ = asked;
    return RunWaiting();
  }
  const absl::Status why = NotAvailable(log_, base::FromAbsl(confirmed.message()));
  std::deque<std::unique_ptr<GroupCall>> refused;
  refused.swap(waiting_);
  for (const auto& call : refused) call->Refuse(why);
}

void GroupCoordinator::Emit(group::Output output) {
  dependencies_.metrics.Count(counted_, coordinator_->counts());
  counted_ = coordinator_->counts();
  if (!output.changes.empty()) {
    if (queue_.empty() || queue_.back().bytes >= kBatchBytes) queue_.emplace_back();
    Append& append = queue_.back();
    for (group::Change& change : output.changes) {
      const group::EncodedChange encoded = group::Encode(change);
      append.bytes += encoded.key.size() + encoded.value.value_or("").size();
      append.changes.push_back(std::move(change));
    }
  }
  if (!queue_.empty()) {
    std::ranges::move(output.replies, std::back_inserter(queue_.back().replies));
  } else if (under_way_) {
    std::ranges::move(output.replies, std::back_inserter(under_way_->replies));
  } else {
    for (group::PendingReply& reply : output.replies) reply(absl::OkStatus());
  }
  if (!under_way_ && !queue_.empty()) Send();
  SetTimer();
}

void GroupCoordinator::Send() {
  under_way_ = std::move(queue_.front());
  queue_.pop_front();
  record::BatchBuilder builder(record::Codec::kNone, under_way_->bytes * 2);
  const int64_t now_ms = absl::ToUnixMillis(dependencies_.clock.Now());
  for (const group::Change& change : under_way_->changes) {
    const group::EncodedChange encoded = group::Encode(change);
    builder.Append({.timestamp_ms = now_ms, .key = encoded.key, .value = encoded.value});
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
          if (stop_done_ != nullptr) return FinishStop();
          if (term == term_) return OnAppended(std::move(outcome));
          if (state_ == State::kIdle && !waiting_.empty()) Load();
        });
      });
}

void GroupCoordinator::OnAppended(AppendOutcome outcome) {
  if (!outcome.status.ok()) return Fail(outcome.status);
  epoch_ = outcome.epoch;
  Append done = *std::move(under_way_);
  under_way_.reset();
  WriteView(std::move(done.changes), {.next = outcome.last_offset + 1, .epoch = outcome.epoch});
  for (group::PendingReply& reply : done.replies) reply(absl::OkStatus());
  if (!under_way_ && !queue_.empty()) Send();
}

void GroupCoordinator::WriteView(std::vector<group::Change> changes,
                                 const group::ViewPoint& point) {
  auto next = Back<absl::Status>([this](const absl::Status& applied) {
    if (!applied.ok()) Fail(NotAvailable(log_, base::FromAbsl(applied.message())));
  });
  dependencies_.views_executor.Post(
      [this, changes = std::move(changes), point, next = std::move(next)]() mutable {
        next(view_.Apply(changes, point));
      });
}

void GroupCoordinator::SetTimer() {
  if (state_ != State::kActive) return;
  const absl::Duration due = coordinator_->next_tick();
  if (due == timer_due_) return;
  dependencies_.executor.Cancel(timer_);
  timer_due_ = due;
  if (due == absl::InfiniteDuration()) return;
  timer_ = dependencies_.executor.PostAfter(
      due - dependencies_.clock.Monotonic(), [weak = weak_from_this(), term = term_] {
        const std::shared_ptr<GroupCoordinator> self = weak.lock();
        if (self == nullptr || self->state_ != State::kActive || self->term_ != term) return;
        self->timer_due_ = absl::InfiniteDuration();
        self->Emit(self->coordinator_->Tick(self->Now()));
      });
}

void GroupCoordinator::Fail(const absl::Status& why) {
  if (!is_draining_) {
    base::LogWarning("broker", "the coordinator of ", log_.ToString(),
                     " begins anew: ", base::FromAbsl(why.message()));
  }
  const absl::Status refusal = ReasonOf(why) == Reason::kShuttingDown
                                   ? why
                                   : NotAvailable(log_, base::FromAbsl(why.message()));
  state_ = State::kIdle;
  ++term_;
  confirmed_.reset();
  dependencies_.executor.Cancel(timer_);
  timer_due_ = absl::InfiniteDuration();
  std::vector<group::PendingReply> replies;
  std::vector<group::PendingReply> undecided;
  if (under_way_) undecided = std::move(under_way_->replies);
  for (Append& append : queue_) std::ranges::move(append.replies, std::back_inserter(replies));
  under_way_.reset();
  queue_.clear();
  std::deque<std::unique_ptr<GroupCall>> refused;
  refused.swap(waiting_);
  const std::unique_ptr<group::Coordinator> coordinator = std::move(coordinator_);
  if (coordinator != nullptr) coordinator->Abandon(refusal);
  const absl::Status maybe = MakeError(
      Reason::kMaybeStored, base::StrCat("what follows from this call may be stored or not: ",
                                         base::FromAbsl(why.message())));
  for (group::PendingReply& reply : undecided) reply(maybe);
  for (group::PendingReply& reply : replies) reply(refusal);
  for (const auto& call : refused) call->Refuse(refusal);
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
