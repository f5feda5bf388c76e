#pragma once

#include "group/group_requests.h"
#include "group/topic_catalogue.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"

#include <vector>

namespace talosmq::group {

inline constexpr size_t kSubscribedNamesMax = 1000;
inline constexpr size_t kPatternBytesMax = 1000;

/// kInvalidArgument: too many names or patterns, or one that is no RE2 expression.
absl::Status CheckSubscription(const Subscription& subscription);

/// The topics of the catalogue that a name says or a pattern matches, ascending by id.
std::vector<TopicId> SubscribedTopics(const std::vector<std::string>& names,
                                      const std::vector<std::string>& patterns,
                                      const TopicCatalogue& topics);

}  // namespace talosmq::group
