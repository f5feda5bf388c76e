#include "group/assignment_problem.h"

#include <algorithm>
#include <utility>

namespace talosmq::group {
namespace {

size_t PartitionsOf(const TopicCatalogue& topics, const TopicId& id) {
  const auto name = topics.name_of.find(id);
  if (name == topics.name_of.end()) return 0;
  const auto topic = topics.by_name.find(name->second);
  return topic != topics.by_name.end() ? static_cast<size_t>(topic->second.partitions) : 0;
}

}  // namespace

AssignmentProblem::AssignmentProblem(const TopicCatalogue& topics,
                                     const std::vector<AssignedMember>& members,
                                     const Assignment& current,
                                     const std::map<TopicPartition, int64_t>& lags) {
  std::vector<const AssignedMember*> sorted;
  for (const AssignedMember& member : members) sorted.push_back(&member);
  std::ranges::sort(sorted, {}, &AssignedMember::id);
  for (const AssignedMember* member : sorted) member_ids_.push_back(member->id);
  AddTopics(topics, sorted);
  for (const Topic& topic : topics_) AddPartitions(topic, current, lags);
}

void AssignmentProblem::AddTopics(const TopicCatalogue& topics,
                                  const std::vector<const AssignedMember*>& members) {
  // Most members subscribe the same as others, often many topics.
  std::map<std::vector<TopicId>, std::vector<int>> by_subscription;
  for (size_t i = 0; i < members.size(); ++i) {
    by_subscription[members[i]->topics].push_back(static_cast<int>(i));
  }
  std::map<TopicId, std::vector<int>> subscribers;
  for (const auto& [subscription, who] : by_subscription) {
    for (const TopicId& topic : subscription) {
      std::vector<int>& all = subscribers[topic];
      all.insert(all.end(), who.begin(), who.end());
    }
  }
  std::map<std::vector<int>, size_t> audiences;
  size_t next = 0;
  for (auto& [id, who] : subscribers) {
    std::ranges::sort(who);
    const auto [audience, is_new] = audiences.try_emplace(std::move(who), audiences.size());
    if (is_new) audiences_.push_back(audience->first);
    const size_t partitions = PartitionsOf(topics, id);
    topics_.push_back(
        {.id = id, .first = next, .partitions = partitions, .audience = audience->second});
    next += partitions;
  }
}

void AssignmentProblem::AddPartitions(const Topic& topic, const Assignment& current,
                                      const std::map<TopicPartition, int64_t>& lags) {
  auto owned = current.lower_bound({.topic_id = topic.id, .partition = PartitionId(0)});
  auto lag = lags.lower_bound({.topic_id = topic.id, .partition = PartitionId(0)});
  for (size_t i = 0; i < topic.partitions; ++i) {
    const TopicPartition partition{.topic_id = topic.id,
                                   .partition = PartitionId(static_cast<int32_t>(i))};
    int owner = kNobody;
    if (owned != current.end() && owned->first == partition) {
      owner = SubscriberOf(topic, owned->second);
      ++owned;
    }
    int64_t weight = 1;
    if (lag != lags.end() && lag->first == partition) {
      weight += std::clamp<int64_t>(lag->second, 0, kWeightMax - 1);
      ++lag;
    }
    current_.push_back(owner);
    weights_.push_back(weight);
  }
}

int AssignmentProblem::SubscriberOf(const Topic& topic, const std::string& member_id) const {
  const auto id = std::ranges::lower_bound(member_ids_, member_id);
  if (id == member_ids_.end() || *id != member_id) return kNobody;
  const int member = static_cast<int>(id - member_ids_.begin());
  return std::ranges::binary_search(SubscribersOf(topic), member) ? member : kNobody;
}

Assignment AssignmentProblem::ToAssignment(const std::vector<int>& owners) const {
  Assignment assignment;
  for (const Topic& topic : topics_) {
    for (size_t i = 0; i < topic.partitions; ++i) {
      const int owner = owners[topic.first + i];
      if (owner == kNobody) continue;
      assignment.emplace_hint(
          assignment.end(),
          TopicPartition{.topic_id = topic.id, .partition = PartitionId(static_cast<int32_t>(i))},
          member_ids_[static_cast<size_t>(owner)]);
    }
  }
  return assignment;
}

}  // namespace talosmq::group
