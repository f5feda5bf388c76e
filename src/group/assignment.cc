#include "group/assignment.h"

#include "group/assignment_problem.h"
#include "group/sticky_assignment.h"

#include <algorithm>
#include <cstddef>

namespace talosmq::group {
namespace {

/// Each topic on its own, in runs of neighbours; the first members get one more. So members that
/// read the same topics get the same partitions of all of them.
std::vector<int> Range(const AssignmentProblem& problem) {
  std::vector<int> owners(problem.partitions_count(), AssignmentProblem::kNobody);
  for (const AssignmentProblem::Topic& topic : problem.topics()) {
    const std::vector<int>& subscribers = problem.SubscribersOf(topic);
    const size_t members = subscribers.size();
    const size_t share = topic.partitions / members;
    const size_t larger = topic.partitions % members;
    size_t partition = topic.first;
    for (size_t i = 0; i < members; ++i) {
      const size_t end = partition + share + (i < larger ? 1 : 0);
      for (; partition < end; ++partition) owners[partition] = subscribers[i];
    }
  }
  return owners;
}

/// All partitions in order, to the members in turn; who does not read the topic is passed over.
std::vector<int> RoundRobin(const AssignmentProblem& problem) {
  std::vector<int> owners(problem.partitions_count(), AssignmentProblem::kNobody);
  int turn = 0;
  for (const AssignmentProblem::Topic& topic : problem.topics()) {
    const std::vector<int>& subscribers = problem.SubscribersOf(topic);
    for (size_t i = 0; i < topic.partitions; ++i) {
      const auto next = std::ranges::lower_bound(subscribers, turn);
      const int owner = next != subscribers.end() ? *next : subscribers.front();
      owners[topic.first + i] = owner;
      turn = owner + 1;
    }
  }
  return owners;
}

std::vector<int> Owners(Assignor assignor, const AssignmentProblem& problem) {
  switch (assignor) {
    case Assignor::kSticky:
      return StickyAssignment(problem, std::vector<int64_t>(problem.partitions_count(), 1));
    case Assignor::kRange:
      return Range(problem);
    case Assignor::kRoundRobin:
      return RoundRobin(problem);
    case Assignor::kLagAware:
      return StickyAssignment(problem, problem.weights());
  }
  return {};
}

}  // namespace

Assignment Assign(Assignor assignor, const TopicCatalogue& topics,
                  const std::vector<AssignedMember>& members, const Assignment& current,
                  const std::map<TopicPartition, int64_t>& lags) {
  const AssignmentProblem problem(topics, members, current, lags);
  return problem.ToAssignment(Owners(assignor, problem));
}

}  // namespace talosmq::group
