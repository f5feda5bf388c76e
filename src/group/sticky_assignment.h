#pragma once

#include "group/assignment_problem.h"

#include <cstdint>
#include <vector>

namespace talosmq::group {

/// The owner of each partition, kNobody where nobody subscribes: who has it keeps it, except what
/// has to move until nobody could be given a partition that weighs less than what its owner has
/// more than he; so with weights of 1 a partition of somebody who has two more. `weights` by
/// partition, each 1 to AssignmentProblem::kWeightMax. Pure.
///
/// With equal weights it moves as few as possible where all members subscribe the same topics.
/// With others it ends after kMovesMaxPerPartition moves for each partition, balanced or not.
std::vector<int> StickyAssignment(const AssignmentProblem& problem,
                                  const std::vector<int64_t>& weights);

inline constexpr size_t kMovesMaxPerPartition = 16;

}  // namespace talosmq::group
