#include "metadata/watcher_set.h"

#include "base/text.h"
#include "talosmq/error.h"

#include <optional>
#include <utility>

namespace talosmq::metadata {

struct WatcherSet::Watcher {
  WatchId id{};
  std::string prefix;
  base::Executor* on = nullptr;
  OnEvent on_event;  ///< Touched on `on` only.
  std::atomic<bool> is_removed = false;
  // Confined to the store's executor:
  Revision position = Revision::kNone;  ///< Everything up to it was delivered or passed over.
  bool is_delivering = false;
};

WatchId WatcherSet::Add(std::string prefix, Revision after, base::Executor& on, OnEvent on_event) {
  auto watcher = std::make_shared<Watcher>();
  watcher->prefix = std::move(prefix);
  watcher->on = &on;
  watcher->on_event = std::move(on_event);
  watcher->position = after;
  watcher->is_delivering = true;  // Until Start().
  const base::MutexLock lock(mutex_);
  watcher->id = WatchId{++last_watch_};
  watchers_.emplace(watcher->id, watcher);
  return watcher->id;
}

void WatcherSet::Start(WatchId watch) {
  const std::shared_ptr<Watcher> watcher = Find(watch);
  if (watcher == nullptr) return;
  watcher->is_delivering = false;
  Deliver(watcher);
}

void WatcherSet::Remove(WatchId watch) {
  std::shared_ptr<Watcher> removed;  // Goes after the lock: what its callback holds may call us.
  const base::MutexLock lock(mutex_);
  const auto entry = watchers_.find(watch);
  if (entry == watchers_.end()) return;
  removed = std::move(entry->second);
  removed->is_removed.store(true);
  watchers_.erase(entry);
}

std::shared_ptr<WatcherSet::Watcher> WatcherSet::Find(WatchId watch) {
  const base::MutexLock lock(mutex_);
  const auto entry = watchers_.find(watch);
  return entry == watchers_.end() ? nullptr : entry->second;
}

void WatcherSet::Publish(std::vector<WatchEvent> events) {
  for (WatchEvent& event : events) history_.Append(std::move(event));
  std::vector<std::shared_ptr<Watcher>> watchers;
  {
    const base::MutexLock lock(mutex_);
    for (const auto& [id, watcher] : watchers_) watchers.push_back(watcher);
  }
  for (const std::shared_ptr<Watcher>& watcher : watchers) Deliver(watcher);
}

void WatcherSet::Deliver(const std::shared_ptr<Watcher>& watcher) {
  if (watcher->is_delivering || watcher->is_removed.load()) return;
  std::optional<WatchHistory::Page> page =
      history_.Read(watcher->position, watcher->prefix, kDeliveryEventsMax);
  if (!page.has_value()) return DeliverLoss(watcher);
  watcher->position = page->next;
  if (page->events.empty()) return;
  watcher->is_delivering = true;
  watcher->on->Post(
      [self = shared_from_this(), watcher, events = std::move(page->events)]() mutable {
        for (WatchEvent& event : events) {
          if (watcher->is_removed.load()) return;
          watcher->on_event(std::move(event));
        }
        const std::optional<base::Gate::Pass> pass = self->gate_.Enter();
        if (!pass.has_value()) return;
        self->executor_.Post([self, watcher] {
          const std::optional<base::Gate::Pass> running = self->gate_.Enter();
          if (!running.has_value()) return;
          watcher->is_delivering = false;
          self->Deliver(watcher);
        });
      });
}

void WatcherSet::DeliverLoss(const std::shared_ptr<Watcher>& watcher) {
  watcher->is_delivering = true;  // For good.
  const absl::Status loss = MakeError(
      Reason::kOffsetOutOfRange,
      base::StrCat("metadata history after revision ", static_cast<int64_t>(watcher->position),
                   " is gone: it begins after ", static_cast<int64_t>(history_.begin())));
  watcher->on->Post([self = shared_from_this(), watcher, loss] {
    if (watcher->is_removed.load()) return;
    watcher->on_event(loss);
    self->Remove(watcher->id);
  });
}

void WatcherSet::Close() {
  gate_.CloseAndWait();
  std::map<WatchId, std::shared_ptr<Watcher>> removed;
  {
    const base::MutexLock lock(mutex_);
    removed.swap(watchers_);
  }
  for (const auto& [id, watcher] : removed) watcher->is_removed.store(true);
}

}  // namespace talosmq::metadata
