#pragma once

#include "metadata/metadata_store.h"

#include <cstddef>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

namespace talosmq::metadata {

/// The newest transactions of a store, as far back as its bounds allow: what watches read.
///
/// Invariant: it holds every transaction after begin(), and no other.
/// Thread-compatible.
class WatchHistory {
 public:
  struct Options {
    size_t events_max = 0;
    size_t bytes_max = 0;
  };

  /// Empty as of revision `begin`.
  WatchHistory(Options options, Revision begin) : options_(options), begin_(begin), end_(begin) {}

  Revision begin() const { return begin_; }

  /// Drops the oldest ones beyond the bounds.
  void Append(WatchEvent event);

  struct Page {
    std::vector<WatchEvent> events;   ///< Only changes under the prefix; none without such.
    Revision next = Revision::kNone;  ///< Where to go on.
  };
  /// Up to `limit` events after `after`; nothing when that part of the history is gone.
  std::optional<Page> Read(Revision after, std::string_view prefix, size_t limit) const;

 private:
  static size_t BytesOf(const WatchEvent& event);

  const Options options_;
  Revision begin_;
  Revision end_;  ///< Of the newest transaction.
  std::deque<WatchEvent> events_;
  size_t bytes_ = 0;
};

}  // namespace talosmq::metadata
