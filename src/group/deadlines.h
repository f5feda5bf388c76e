#pragma once

#include "absl/time/time.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace talosmq::group {

/// Named moments by the monotonic clock, at most one a name. Those of the same moment are due in
/// the order of their names. Thread-compatible.
class Deadlines {
 public:
  /// Sets the one of this name, or moves it.
  void Set(const std::string& name, absl::Duration at) {
    Clear(name);
    by_name_.emplace(name, at);
    by_time_.emplace(at, name);
  }
  void Clear(std::string_view name) {
    const auto deadline = by_name_.find(name);
    if (deadline == by_name_.end()) return;
    by_time_.erase({deadline->second, deadline->first});
    by_name_.erase(deadline);
  }

  bool Has(std::string_view name) const { return by_name_.contains(name); }
  size_t size() const { return by_name_.size(); }
  /// The next one; InfiniteDuration without any.
  absl::Duration first() const {
    return by_time_.empty() ? absl::InfiniteDuration() : by_time_.begin()->first;
  }
  /// Takes out the first one that is due; nothing when none is.
  std::optional<std::string> TakeDue(absl::Duration now) {
    if (first() > now || by_time_.empty()) return std::nullopt;
    std::string name = by_time_.begin()->second;
    Clear(name);
    return name;
  }

 private:
  std::map<std::string, absl::Duration, std::less<>> by_name_;
  std::set<std::pair<absl::Duration, std::string>> by_time_;
};

}  // namespace talosmq::group
