#pragma once

#include "group/assignment.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace talosmq::group {

/// What Assign() is asked, with members and partitions as small numbers: members in the order of
/// their ids, partitions in the order of TopicPartition. Immutable.
class AssignmentProblem {
 public:
  static constexpr int kNobody = -1;
  /// Of one partition; the sum over all of them stays far from the end of int64_t.
  static constexpr int64_t kWeightMax = int64_t{1} << 40;

  struct Topic {
    TopicId id;
    size_t first = 0;       ///< Number of its partition 0.
    size_t partitions = 0;  ///< Have the numbers [first, first + partitions).
    size_t audience = 0;    ///< Number of the set of its subscribers.
  };

  AssignmentProblem(const TopicCatalogue& topics, const std::vector<AssignedMember>& members,
                    const Assignment& current, const std::map<TopicPartition, int64_t>& lags);

  size_t members_count() const { return member_ids_.size(); }
  size_t partitions_count() const { return current_.size(); }
  /// Those that somebody subscribes, ascending.
  const std::vector<Topic>& topics() const { return topics_; }
  /// The different sets of members that subscribe a topic, none empty, each ascending.
  const std::vector<std::vector<int>>& audiences() const { return audiences_; }
  const std::vector<int>& SubscribersOf(const Topic& topic) const {
    return audiences_[topic.audience];
  }
  /// By partition, who has it and may keep it; or kNobody.
  const std::vector<int>& current() const { return current_; }
  /// By partition, the records that wait and one more, at most kWeightMax.
  const std::vector<int64_t>& weights() const { return weights_; }

  /// `owners` by partition; kNobody is left out.
  Assignment ToAssignment(const std::vector<int>& owners) const;

 private:
  void AddTopics(const TopicCatalogue& topics, const std::vector<const AssignedMember*>& members);
  void AddPartitions(const Topic& topic, const Assignment& current,
                     const std::map<TopicPartition, int64_t>& lags);
  /// kNobody when there is none of that id among the subscribers of `topic`.
  int SubscriberOf(const Topic& topic, const std::string& member_id) const;

  std::vector<std::string> member_ids_;
  std::vector<Topic> topics_;
  std::vector<std::vector<int>> audiences_;
  std::vector<int> current_;
  std::vector<int64_t> weights_;
};

}  // namespace talosmq::group
