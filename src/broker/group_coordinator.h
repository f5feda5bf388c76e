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
///   idle --call--> loading --log is read--> active --append failed, or led anew--> idle
///
/// Invariants:
/// 1. One append is under way at a time; what follows from events meanwhile goes with the next.
/// 2. Nothing is answered while active unless the epoch was confirmed within kConfirmedFor: who is
///    no leader any more would tell of a group that others have changed (G11).
/// 3. The view gets committed changes only, in their order.
/// Confined to the executor. Lives until Stop() has called back.
/// Crash: the log has everything; the view is a part of it.
class GroupCoordinator : public std::enable_shared_from_this<GroupCoordinator> {
 public:
  /// Half of the shortest lease.
  static constexpr absl::Duration kConfirmedFor = absl::Milliseconds(500);
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

  void Handle(std::unique_ptr<GroupCall> call);
  /// Topics have changed.
  void OnTopics();
  void Expire(absl::Time wall);
  /// As Coordinator::OnLags.
  void OnLags(const std::map<std::string, std::map<TopicPartition, int64_t>>& by_group);
  /// Null unless it is active.
  const group::Coordinator* coordinator() const { return coordinator_.get(); }

  /// Refuses what waits, and every later call, with kShuttingDown.
  void Drain();
  /// Drains, waits for what is under way, then runs `done`.
  void Stop(base::Task done);

 private:
  /// Changes of one batch, and who waits for them.
  struct Append {
    std::vector<group::Change> changes;
    size_t bytes = 0;
    std::vector<group::PendingReply> replies;
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
  absl::Status Replay(const FetchOutcome& outcome, std::vector<group::Change>& changes,
                      LeaderEpoch& epoch);
  void Begin();

  // Active.
  void RunWaiting();
  void Emit(group::Output output);
  void Send();
  void OnAppended(AppendOutcome outcome);
  void WriteView(std::vector<group::Change> changes, const group::ViewPoint& point);
  void SetTimer();
  void Confirm();
  void OnConfirmed(absl::Status confirmed, absl::Duration asked);

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
  /// An append has not been answered yet, whoever waits for it: until then the log may still grow.
  bool is_appending_ = false;
  group::CoordinatorCounts counted_;  ///< What the metrics know of coordinator_.
  uint64_t term_ = 0;  ///< Counts the failures: what was asked for in an older one is void.
  std::deque<Append> queue_;
  std::optional<absl::Duration> confirmed_;  ///< When it was asked for, by the monotonic clock.
  bool is_confirming_ = false;
  base::TimerId timer_ = base::TimerId::kNone;
  absl::Duration timer_due_ = absl::InfiniteDuration();
  int64_t callbacks_ = 0;  ///< Under way elsewhere.
  bool is_draining_ = false;
  base::Task stop_done_;
};

}  // namespace talosmq::broker
