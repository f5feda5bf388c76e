#pragma once

#include "group/group_requests.h"
#include "group/topic_catalogue.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::group {

inline constexpr size_t kSubscribedNamesMax = 1000;
inline constexpr size_t kPatternBytesMax = 1000;
/// Of all names and patterns: they stand in every record of the member.
inline constexpr size_t kSubscriptionBytesMax = 64 << 10;

/// kInvalidArgument: too many names or patterns, too long ones, or a pattern that is no RE2
/// expression.
absl::Status CheckSubscription(const Subscription& subscription);

/// The topics of the catalogue that a name says or a pattern matches, ascending by id.
std::vector<TopicId> SubscribedTopics(const std::vector<std::string>& names,
                                      const std::vector<std::string>& patterns,
                                      const TopicCatalogue& topics);

/// The topics of many members in one catalogue, which outlives it. Most members subscribe the same
/// as others, and a pattern is matched against every topic. Thread-compatible.
class SubscribedTopicsCache {
 public:
  explicit SubscribedTopicsCache(const TopicCatalogue& topics) : topics_(topics) {}

  const std::vector<TopicId>& Of(const MemberRecord& member);

 private:
  const TopicCatalogue& topics_;
  std::map<std::pair<std::vector<std::string>, std::vector<std::string>>, std::vector<TopicId>>
      known_;  ///< By names and patterns.
};

}  // namespace talosmq::group
