#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "broker/broker_metrics.h"
#include "broker/messages.h"
#include "talosmq/ids.h"

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace talosmq::broker {

/// A fetch that has not been answered yet.
struct WaitingFetch {
  FetchTicket ticket{};
  FetchRequest request;
  base::Callback<FetchOutcome> done;
};

/// The fetches of one partition that wait: for a record at their offset, or for the log to open.
///
/// Invariant: a fetch is here until it is taken; whoever takes it answers it.
/// Confined to the shard. Cancels its timers when a fetch is taken; empty when destroyed.
class FetchWaiters {
 public:
  /// `on_expired` is given each fetch whose wait is over.
  FetchWaiters(base::Executor& shard, const base::Clock& clock, BrokerMetrics& metrics,
               std::function<void(WaitingFetch)> on_expired);
  ~FetchWaiters();

  /// Waits until `until` by the monotonic clock; InfiniteDuration: until taken.
  void Add(WaitingFetch fetch, absl::Duration until);
  std::optional<WaitingFetch> Take(FetchTicket ticket);
  /// Those that ask for an offset below `end`, lowest first.
  std::vector<WaitingFetch> TakeBelow(Offset end);
  std::vector<WaitingFetch> TakeAll();
  size_t size() const { return waiting_.size(); }

 private:
  using Key = std::pair<Offset, FetchTicket>;
  struct Entry {
    WaitingFetch fetch;
    base::TimerId timer = base::TimerId::kNone;
  };

  WaitingFetch Remove(std::map<Key, Entry>::iterator entry);

  base::Executor& shard_;
  const base::Clock& clock_;
  BrokerMetrics& metrics_;
  const std::function<void(WaitingFetch)> on_expired_;
  std::map<Key, Entry> waiting_;
  absl::flat_hash_map<FetchTicket, Offset> offset_of_;
};

}  // namespace talosmq::broker
