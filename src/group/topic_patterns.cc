#include "group/topic_patterns.h"

#include "base/text.h"
#include "metadata/topic_name.h"
#include "talosmq/error.h"

#include <re2/re2.h>

#include <set>

namespace talosmq::group {
namespace {

constexpr size_t kShownMax = 100;

RE2::Options Quiet() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_never_capture(true);
  return options;
}

}  // namespace

absl::Status CheckSubscription(const Subscription& subscription) {
  const size_t names = subscription.topics.size() + subscription.patterns.size();
  if (names > kSubscribedNamesMax) {
    return MakeError(Reason::kInvalidArgument,
                     base::StrCat("a subscription names ", names, " topics and patterns; at most ",
                                  kSubscribedNamesMax, " are taken"));
  }
  size_t bytes = 0;
  for (const std::string& topic : subscription.topics) {
    bytes += topic.size();
    if (topic.size() > metadata::kTopicNameBytesMax) {
      return MakeError(Reason::kInvalidArgument,
                       base::StrCat("a topic name has ", topic.size(), " bytes; at most ",
                                    metadata::kTopicNameBytesMax, " are taken"));
    }
  }
  for (const std::string& pattern : subscription.patterns) bytes += pattern.size();
  if (bytes > kSubscriptionBytesMax) {
    return MakeError(Reason::kInvalidArgument,
                     base::StrCat("a subscription has ", bytes, " bytes of names and patterns; ",
                                  "at most ", kSubscriptionBytesMax, " are taken"));
  }
  for (const std::string& pattern : subscription.patterns) {
    if (pattern.size() > kPatternBytesMax) {
      return MakeError(Reason::kInvalidArgument,
                       base::StrCat("a topic pattern has ", pattern.size(), " bytes; at most ",
                                    kPatternBytesMax, " are taken"));
    }
    const RE2 expression(pattern, Quiet());
    if (!expression.ok()) {
      return MakeError(Reason::kInvalidArgument,
                       base::StrCat("topic pattern ", base::Printable(pattern, kShownMax),
                                    ": expected an RE2 expression, found: ", expression.error()));
    }
  }
  return absl::OkStatus();
}

std::vector<TopicId> SubscribedTopics(const std::vector<std::string>& names,
                                      const std::vector<std::string>& patterns,
                                      const TopicCatalogue& topics) {
  std::set<TopicId> subscribed;
  for (const std::string& name : names) {
    const auto topic = topics.by_name.find(name);
    if (topic != topics.by_name.end()) subscribed.insert(topic->second.id);
  }
  for (const std::string& pattern : patterns) {
    const RE2 expression(pattern, Quiet());
    for (const auto& [name, topic] : topics.by_name) {
      if (RE2::FullMatch(name, expression)) subscribed.insert(topic.id);
    }
  }
  return {subscribed.begin(), subscribed.end()};
}

const std::vector<TopicId>& SubscribedTopicsCache::Of(const MemberRecord& member) {
  const auto [known, is_new] = known_.try_emplace({member.topics, member.patterns});
  if (is_new) known->second = SubscribedTopics(member.topics, member.patterns, topics_);
  return known->second;
}

}  // namespace talosmq::group
