#pragma once

#include "base/executor.h"
#include "base/gate.h"
#include "base/mutex.h"
#include "metadata/metadata_store.h"
#include "metadata/watch_history.h"

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace talosmq::metadata {

/// The watches of a store and the history they read from. Each has at most one delivery of at most
/// kDeliveryEventsMax events under way; it goes on from the history when that one has run.
///
/// Add, Remove and Close are thread-safe; the rest is confined to the store's executor, which
/// outlives the set. Held by shared_ptr, because deliveries lie in other executors when it goes.
class WatcherSet : public std::enable_shared_from_this<WatcherSet> {
 public:
  static constexpr size_t kDeliveryEventsMax = 100;
  using OnEvent = base::Callback<const absl::StatusOr<WatchEvent>&>;

  WatcherSet(WatchHistory::Options history, Revision begin, base::Executor& executor)
      : executor_(executor), history_(history, begin) {}

  /// A watch that gets nothing before Start().
  WatchId Add(std::string prefix, Revision after, base::Executor& on, OnEvent on_event);
  void Start(WatchId watch);
  /// Nothing begins to run on the watch's executor after this ran there.
  void Remove(WatchId watch);

  /// Committed and durable transactions, in order.
  void Publish(std::vector<WatchEvent> events);
  /// No watch gets anything any more.
  void Close();

 private:
  struct Watcher;

  std::shared_ptr<Watcher> Find(WatchId watch);
  void Deliver(const std::shared_ptr<Watcher>& watcher);
  void DeliverLoss(const std::shared_ptr<Watcher>& watcher);

  base::Executor& executor_;
  base::Gate gate_;  ///< Deliveries that come back to the executor.
  WatchHistory history_;
  base::Mutex mutex_;
  std::map<WatchId, std::shared_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_watch_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace talosmq::metadata
