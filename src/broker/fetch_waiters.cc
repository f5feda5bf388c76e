#include "broker/fetch_waiters.h"

#include "base/check.h"

#include <utility>

namespace talosmq::broker {

FetchWaiters::FetchWaiters(base::Executor& shard, const base::Clock& clock, BrokerMetrics& metrics,
                           std::function<void(WaitingFetch)> on_expired)
    : shard_(shard), clock_(clock), metrics_(metrics), on_expired_(std::move(on_expired)) {}

FetchWaiters::~FetchWaiters() {
  TALOSMQ_CHECK(waiting_.empty()) << waiting_.size() << " fetches were never answered";
}

void FetchWaiters::Add(WaitingFetch fetch, absl::Duration until) {
  const FetchTicket ticket = fetch.ticket;
  const Offset offset = fetch.request.offset;
  Entry entry{.fetch = std::move(fetch)};
  if (until != absl::InfiniteDuration()) {
    entry.timer = shard_.PostAfter(until - clock_.Monotonic(), [this, ticket] {
      std::optional<WaitingFetch> expired = Take(ticket);
      if (expired.has_value()) on_expired_(*std::move(expired));
    });
  }
  const bool is_new = offset_of_.emplace(ticket, offset).second;
  TALOSMQ_CHECK(is_new) << "ticket " << static_cast<uint64_t>(ticket) << " waits twice";
  waiting_.emplace(Key(offset, ticket), std::move(entry));
  metrics_.AddWaitingFetches(1);
}

std::optional<WaitingFetch> FetchWaiters::Take(FetchTicket ticket) {
  const auto offset = offset_of_.find(ticket);
  if (offset == offset_of_.end()) return std::nullopt;
  return Remove(waiting_.find(Key(offset->second, ticket)));
}

std::vector<WaitingFetch> FetchWaiters::TakeBelow(Offset end) {
  std::vector<WaitingFetch> taken;
  while (!waiting_.empty() && waiting_.begin()->first.first < end) {
    taken.push_back(Remove(waiting_.begin()));
  }
  return taken;
}

std::vector<WaitingFetch> FetchWaiters::TakeAll() {
  std::vector<WaitingFetch> taken;
  while (!waiting_.empty()) taken.push_back(Remove(waiting_.begin()));
  return taken;
}

WaitingFetch FetchWaiters::Remove(std::map<Key, Entry>::iterator entry) {
  WaitingFetch fetch = std::move(entry->second.fetch);
  if (entry->second.timer != base::TimerId::kNone) shard_.Cancel(entry->second.timer);
  offset_of_.erase(fetch.ticket);
  waiting_.erase(entry);
  metrics_.AddWaitingFetches(-1);
  return fetch;
}

}  // namespace talosmq::broker
