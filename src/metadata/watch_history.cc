#include "metadata/watch_history.h"

#include <algorithm>
#include <utility>

namespace talosmq::metadata {
namespace {

std::optional<WatchEvent> OnlyUnder(std::string_view prefix, const WatchEvent& event) {
  WatchEvent found{.revision = event.revision, .changes = {}};
  for (const WatchEvent::Change& change : event.changes) {
    if (change.key.starts_with(prefix)) found.changes.push_back(change);
  }
  if (found.changes.empty()) return std::nullopt;
  return found;
}

}  // namespace

void WatchHistory::Append(WatchEvent event) {
  end_ = event.revision;
  bytes_ += BytesOf(event);
  events_.push_back(std::move(event));
  while (events_.size() > options_.events_max || bytes_ > options_.bytes_max) {
    begin_ = events_.front().revision;
    bytes_ -= BytesOf(events_.front());
    events_.pop_front();
    if (events_.empty()) break;
  }
}

std::optional<WatchHistory::Page> WatchHistory::Read(Revision after, std::string_view prefix,
                                                     size_t limit) const {
  if (after < begin_) return std::nullopt;
  Page page{.events = {}, .next = std::max(after, end_)};
  const auto first = std::upper_bound(
      events_.begin(), events_.end(), after,
      [](Revision revision, const WatchEvent& event) { return revision < event.revision; });
  for (auto event = first; event != events_.end(); ++event) {
    std::optional<WatchEvent> found = OnlyUnder(prefix, *event);
    if (!found.has_value()) continue;
    page.events.push_back(*std::move(found));
    if (page.events.size() == limit) {
      page.next = event->revision;
      break;
    }
  }
  return page;
}

size_t WatchHistory::BytesOf(const WatchEvent& event) {
  size_t bytes = sizeof(WatchEvent);
  for (const WatchEvent::Change& change : event.changes) {
    bytes += sizeof(WatchEvent::Change) + 2 * change.key.size();
    if (change.entry.has_value()) bytes += change.entry->value.size();
  }
  return bytes;
}

}  // namespace talosmq::metadata
