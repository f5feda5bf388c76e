#include "broker/pending_appends.h"

#include "base/check.h"

#include <algorithm>
#include <utility>

namespace talosmq::broker {

PendingAppends::PendingAppends(base::Executor& shard, const base::Clock& clock,
                               BrokerMetrics& metrics,
                               std::function<void(std::unique_ptr<PendingAppend>)> on_expired)
    : shard_(shard), clock_(clock), metrics_(metrics), on_expired_(std::move(on_expired)) {}

PendingAppends::~PendingAppends() {
  TALOSMQ_CHECK(waiting_.empty()) << waiting_.size() << " appends wait";
}

void PendingAppends::Push(std::unique_ptr<PendingAppend> append) {
  const absl::Duration deadline = append->request.deadline;
  waiting_.push_back(std::move(append));
  metrics_.AddWaitingAppends(1);
  SetTimer(deadline);
}

std::unique_ptr<PendingAppend> PendingAppends::Pop() {
  if (waiting_.empty()) return nullptr;
  std::unique_ptr<PendingAppend> oldest = std::move(waiting_.front());
  waiting_.pop_front();
  metrics_.AddWaitingAppends(-1);
  if (waiting_.empty()) StopTimer();
  return oldest;
}

std::deque<std::unique_ptr<PendingAppend>> PendingAppends::TakeAll() {
  StopTimer();
  metrics_.AddWaitingAppends(-static_cast<int64_t>(waiting_.size()));
  return std::exchange(waiting_, {});
}

void PendingAppends::SetTimer(absl::Duration due) {
  if (due >= timer_due_) return;
  StopTimer();
  timer_due_ = due;
  timer_ = shard_.PostAfter(due - clock_.Monotonic(), [this] { Expire(); });
}

void PendingAppends::StopTimer() {
  timer_due_ = absl::InfiniteDuration();
  if (timer_ != base::TimerId::kNone) shard_.Cancel(std::exchange(timer_, base::TimerId::kNone));
}

void PendingAppends::Expire() {
  const absl::Duration now = clock_.Monotonic();
  const auto first_expired =
      std::stable_partition(waiting_.begin(), waiting_.end(),
                            [now](const auto& append) { return append->request.deadline > now; });
  std::vector<std::unique_ptr<PendingAppend>> expired(std::make_move_iterator(first_expired),
                                                      std::make_move_iterator(waiting_.end()));
  waiting_.erase(first_expired, waiting_.end());
  metrics_.AddWaitingAppends(-static_cast<int64_t>(expired.size()));
  StopTimer();
  absl::Duration earliest = absl::InfiniteDuration();
  for (const auto& append : waiting_) earliest = std::min(earliest, append->request.deadline);
  SetTimer(earliest);
  for (auto& append : expired) on_expired_(std::move(append));
}

}  // namespace talosmq::broker
