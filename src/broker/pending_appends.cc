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
  if (timer_ == base::TimerId::kNone || deadline < timer_due_) SetTimer();
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

void PendingAppends::SetTimer() {
  StopTimer();
  timer_due_ = absl::InfiniteDuration();
  for (const auto& append : waiting_) timer_due_ = std::min(timer_due_, append->request.deadline);
  if (timer_due_ == absl::InfiniteDuration()) return;
  timer_ = shard_.PostAfter(timer_due_ - clock_.Monotonic(), [this] { Expire(); });
}

void PendingAppends::StopTimer() {
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
  SetTimer();
  for (auto& append : expired) on_expired_(std::move(append));
}

}  // namespace talosmq::broker
