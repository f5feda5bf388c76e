#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "broker/broker_metrics.h"
#include "broker/pending_append.h"

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace talosmq::broker {

/// The appends of one partition that wait for its log and its epoch, in the order they came.
///
/// Invariant: an append is here until it is taken, or handed to `on_expired` at the moment its
/// deadline passes; whoever gets it answers it.
/// Confined to the shard. Empty when destroyed.
class PendingAppends {
 public:
  PendingAppends(base::Executor& shard, const base::Clock& clock, BrokerMetrics& metrics,
                 std::function<void(std::unique_ptr<PendingAppend>)> on_expired);
  ~PendingAppends();

  void Push(std::unique_ptr<PendingAppend> append);
  /// The oldest; null when none waits.
  std::unique_ptr<PendingAppend> Pop();
  std::deque<std::unique_ptr<PendingAppend>> TakeAll();
  size_t size() const { return waiting_.size(); }

 private:
  /// Sets the timer to `due`, unless it is due before.
  void SetTimer(absl::Duration due);
  void StopTimer();
  void Expire();

  base::Executor& shard_;
  const base::Clock& clock_;
  BrokerMetrics& metrics_;
  const std::function<void(std::unique_ptr<PendingAppend>)> on_expired_;
  std::deque<std::unique_ptr<PendingAppend>> waiting_;
  base::TimerId timer_ = base::TimerId::kNone;
  /// Of timer_, InfiniteDuration without one. Not after any deadline of those that wait; before all
  /// of them when the append that it was set for has been taken.
  absl::Duration timer_due_ = absl::InfiniteDuration();
};

}  // namespace talosmq::broker
