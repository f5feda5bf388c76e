#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "base/random.h"
#include "broker/group_call.h"
#include "broker/group_metrics.h"
#include "broker/messages.h"
#include "group/coordinator.h"
#include "group/offset_view.h"
#include "metadata/metadata_store.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace talosmq::broker {

/// Drives the Coordinator of one partition of __consumer_offsets that this broker leads: reads it
/// from view and log, appends its changes, lets its replies go once they are committed.
///
///   idle --Start, call--> loading --log is read--> active --append failed, or led anew--> idle
///
/// Invariants:
/// 1. One append is under way at a time; what follows from events meanwhile goes with the next.
///    One that is refused for now is tried again for kAppendPatience.
/// 2. No reply leaves and no lease ends unless the epoch was confirmed within kConfirmedFor, or by
///    an append: who is no leader any more would tell of a group that others have changed (G11).
/// 3. The view gets committed changes only, in their order. Without it everything works; the next
///    load takes longer.
/// Confined to the executor. Lives until Stop() has called back.
/// Crash: the log has everything; the view is a part of it.
class GroupCoordinator : public std::enable_shared_from_this<GroupCoordinator> {
 public:
  /// Half of the shortest lease.
  static constexpr absl::Duration kConfirmedFor = absl::Milliseconds(500);
  /// How long calls wait for that.
  static constexpr absl::Duration kConfirmPatience = absl::Seconds(1);
  static constexpr absl::Duration kAppendPatience = absl::Seconds(5);
  static constexpr absl::Duration kAppendPause = absl::Milliseconds(50);
  /// Between loads of what cannot be confirmed, or read, doubling.
  static constexpr absl::Duration kRestMin = absl::Milliseconds(200);
  static constexpr absl::Duration kRestMax = absl::Seconds(5);
  static constexpr size_t kWaitingCallsMax = 20'000;

  struct Dependencies {
    MessageService& messages;
    metadata::MetadataStore& metadata_store;
    group::OffsetViews& views;
    base::Executor& executor;
    base::Executor& views_executor;  ///< Where `views` is read and written.
    const base::Clock& clock;
    base::Random& random;
    GroupMetrics& metrics;
    group::CoordinatorOptions options;
    BrokerId self;
    /// As of now. Thread-safe.
    std::function<std::shared_ptr<const group::TopicCatalogue>()> topics;
  };

  GroupCoordinator(const TopicPartition& log, Dependencies dependencies);

  /// Reads the log, so that time passes for its groups whether or not anybody calls.
  void Start();
  void Handle(std::unique_ptr<GroupCall> call);
  /// Topics have changed.
  void OnTopics();
  void Expire(absl::Time wall);
  /// As Coordinator::OnLags.
  void OnLags(const std::map<std::string, std::map<TopicPartition, int64_t>>& by_group);
  /// Null unless it is active.
  const group::Coordinator* coordinator() const {
    return state_ == State::kActive ? coordinator_.get() : nullptr;
  }

  /// Refuses what waits, and every later call, with kShuttingDown; what is being appended is still
  /// answered as it ends.
  void Drain();
  /// Drains, waits for what is under way, then runs `done`.
  void Stop(base::Task done);

 private:
  /// Changes of one batch, and who waits for them.
  struct Append {
    std::vector<group::EncodedChange> changes = {};
    size_t bytes = 0;
    std::vector<group::PendingReply> replies = {};
    bool is_continuation = false;                       ///< Begins within the changes of an event.
    absl::Duration give_up = absl::InfiniteDuration();  ///< Trying it again; by Monotonic().
  };
  enum class State { kIdle, kLoading, kActive };

  group::Now Now() const;
  /// Runs `next` on the executor, unless it has failed or is stopped by then.
  template <typename Answer, typename Next>
  base::Callback<Answer> Back(Next next);

  // Loading.
  void Load();
  void OnView(absl::StatusOr<std::optional<group::LoadedView>> view);
  void JudgeView(const group::LoadedView& view, const HistoryOutcome& history);
  void Rebuild();
  void ReadOn(Offset from);
  void OnRead(FetchOutcome outcome);
  absl::Status Replay(const FetchOutcome& outcome, std::vector<group::EncodedChange>& changes,
                      LeaderEpoch& epoch);
  void Begin();

  // Active.
  void RunWaiting();
  bool IsConfirmed() const;
  void Emit(group::Output output);
  void SendNext();
  void Send();
  void OnAppended(AppendOutcome outcome);
  void OnAppendFailed(const absl::Status& why);
  void AnswerLast(const absl::Status& appended);
  void WriteView(std::vector<group::EncodedChange> changes, const group::ViewPoint& point);
  void TellOfView(const absl::Status& trouble);
  void SetTimer();
  /// Runs `next` once `delay` has passed, unless it has failed or goes by then.
  base::TimerId After(absl::Duration delay, void (GroupCoordinator::*next)());
  void OnTimer();
  void Confirm();
  void RefuseWaiting(const absl::Status& why);
  void OnConfirmed(absl::Status confirmed, absl::Duration asked);
  void OnConfirmOverdue();

  /// Back to idle: everything that waits is answered with `why`.
  void Fail(const absl::Status& why);
  void FinishStop();

  const TopicPartition log_;
  const Dependencies dependencies_;
  group::OffsetView view_;  ///< Confined to the views executor.
  State state_ = State::kIdle;
  std::unique_ptr<group::Coordinator> coordinator_;
  LeaderEpoch epoch_ = kNoEpoch;  ///< Under which it was read, or appended last.
  std::deque<std::unique_ptr<GroupCall>> waiting_;
  std::optional<Append> under_way_;
  std::optional<Append> last_;  ///< Under way when it was drained.
  /// An append has not been answered yet, whoever waits for it: until then the log may still grow.
  bool is_appending_ = false;
  group::CoordinatorCounts counted_;  ///< What the metrics know of coordinator_.
  uint64_t term_ = 0;  ///< Counts the failures: what was asked for in an older one is void.
  std::deque<Append> queue_;
  std::optional<absl::Duration> confirmed_;  ///< When it was asked for, by the monotonic clock.
  bool is_confirming_ = false;
  bool is_tick_due_ = false;
  bool are_topics_due_ = false;
  bool is_view_told_ = false;  ///< That it cannot be written.
  absl::Status trouble_;       ///< Why it failed last.
  absl::Duration rest_ = absl::ZeroDuration();
  absl::Duration rest_until_ = absl::ZeroDuration();  ///< By the monotonic clock.
  base::TimerId timer_ = base::TimerId::kNone;        ///< Of the next tick, or of the next load.
  absl::Duration timer_due_ = absl::InfiniteDuration();
  int64_t callbacks_ = 0;  ///< Under way elsewhere.
  bool is_draining_ = false;
  base::Task stop_done_;
};

}  // namespace talosmq::broker
