#include "group/sticky_assignment.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <queue>
#include <set>
#include <tuple>
#include <utility>

namespace talosmq::group {
namespace {

using Load = std::pair<int64_t, int>;  ///< Weight of all that a member has, and the member.

class Dealer {
 public:
  Dealer(const AssignmentProblem& problem, const std::vector<int64_t>& weights)
      : problem_(problem),
        weights_(weights),
        is_even_(std::ranges::adjacent_find(weights, std::not_equal_to()) == weights.end()),
        owners_(problem.partitions_count(), AssignmentProblem::kNobody),
        loads_(problem.members_count()),
        held_(problem.members_count()) {}

  std::vector<int> Deal() {
    Keep();
    DealFree();
    while (LevelOut()) {
    }
    return std::move(owners_);
  }

 private:
  struct Move {
    size_t topic = 0;
    size_t at = 0;  ///< Place in the giver's list of the topic.
    int to = 0;
    // The better move has the greater of these, the first one first.
    int64_t gain =
        0;  ///< By how much the two come closer, at most the half of what is between them.
    bool is_new_here = false;  ///< The giver did not have it before.
    int64_t gap = 0;
    auto rank() const { return std::tie(gain, is_new_here, gap); }
  };

  void Give(size_t topic, size_t partition, int to) {
    const auto member = static_cast<size_t>(to);
    owners_[partition] = to;
    loads_[member] += weights_[partition];
    held_[member][topic].push_back(partition);
  }

  void Keep() {
    for (size_t topic = 0; topic < problem_.topics().size(); ++topic) {
      const AssignmentProblem::Topic& t = problem_.topics()[topic];
      for (size_t partition = t.first; partition < t.first + t.partitions; ++partition) {
        const int owner = problem_.current()[partition];
        if (owner != AssignmentProblem::kNobody) Give(topic, partition, owner);
      }
    }
  }

  /// What nobody has goes to whoever has least: first what few may have, the heaviest first.
  void DealFree() {
    std::vector<std::vector<std::pair<size_t, size_t>>> free(problem_.audiences().size());
    for (size_t topic = 0; topic < problem_.topics().size(); ++topic) {
      const AssignmentProblem::Topic& t = problem_.topics()[topic];
      for (size_t partition = t.first; partition < t.first + t.partitions; ++partition) {
        if (owners_[partition] != AssignmentProblem::kNobody) continue;
        free[t.audience].emplace_back(topic, partition);
      }
    }
    std::vector<size_t> order(free.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(
        order, {}, [this](size_t audience) { return problem_.audiences()[audience].size(); });
    for (const size_t audience : order) DealFreeTo(problem_.audiences()[audience], free[audience]);
  }

  void DealFreeTo(const std::vector<int>& audience, std::vector<std::pair<size_t, size_t>>& free) {
    if (free.empty()) return;
    std::ranges::stable_sort(free, std::greater(),
                             [this](const auto& entry) { return weights_[entry.second]; });
    std::priority_queue<Load, std::vector<Load>, std::greater<>> least;
    for (const int member : audience) least.emplace(loads_[static_cast<size_t>(member)], member);
    for (const auto& [topic, partition] : free) {
      const int to = least.top().second;
      least.pop();
      Give(topic, partition, to);
      least.emplace(loads_[static_cast<size_t>(to)], to);
    }
  }

  /// Lets whoever has most give, until nobody can any more; false when nothing moved. A giver that
  /// is passed over may become able to give by a later move, hence the next round.
  bool LevelOut() {
    std::set<Load> givers;
    for (size_t member = 0; member < loads_.size(); ++member) {
      givers.emplace(loads_[member], static_cast<int>(member));
    }
    const size_t moves_before = moves_;
    while (!givers.empty() && moves_ < kMovesMaxPerPartition * owners_.size()) {
      const Load most = *givers.rbegin();
      givers.erase(most);
      const std::optional<Move> move = BestMoveOf(most.second);
      if (!move) continue;
      const bool was_giver = givers.erase({loads_[static_cast<size_t>(move->to)], move->to}) == 1;
      Apply(most.second, *move);
      givers.emplace(loads_[static_cast<size_t>(most.second)], most.second);
      if (was_giver) givers.emplace(loads_[static_cast<size_t>(move->to)], move->to);
    }
    return moves_ > moves_before && moves_ < kMovesMaxPerPartition * owners_.size();
  }

  std::optional<Move> BestMoveOf(int giver) {
    std::optional<Move> best;
    for (const auto& [topic, partitions] : held_[static_cast<size_t>(giver)]) {
      const size_t audience = problem_.topics()[topic].audience;
      const int least = LeastOf(audience);
      const int64_t gap = loads_[static_cast<size_t>(giver)] - loads_[static_cast<size_t>(least)];
      // With equal weights the last one, which is not an old one unless all are, is as good as any.
      for (size_t at = is_even_ ? partitions.size() - 1 : 0; at < partitions.size(); ++at) {
        const int64_t weight = weights_[partitions[at]];
        if (weight >= gap) continue;
        const Move move{.topic = topic,
                        .at = at,
                        .to = least,
                        .gain = std::min(weight, gap - weight),
                        .is_new_here = problem_.current()[partitions[at]] != giver,
                        .gap = gap};
        if (!best || move.rank() > best->rank()) best = move;
      }
    }
    return best;
  }

  int LeastOf(size_t audience) {
    const auto [least, is_new] = least_of_.try_emplace(audience, AssignmentProblem::kNobody);
    if (is_new) {
      least->second = *std::ranges::min_element(
          problem_.audiences()[audience], {},
          [this](int member) { return loads_[static_cast<size_t>(member)]; });
    }
    return least->second;
  }

  void Apply(int giver, const Move& move) {
    const auto from = static_cast<size_t>(giver);
    const auto list = held_[from].find(move.topic);
    const size_t partition = list->second[move.at];
    list->second[move.at] = list->second.back();
    list->second.pop_back();
    if (list->second.empty()) held_[from].erase(list);
    loads_[from] -= weights_[partition];
    Give(move.topic, partition, move.to);
    least_of_.clear();
    ++moves_;
  }

  const AssignmentProblem& problem_;
  const std::vector<int64_t>& weights_;
  const bool is_even_;
  std::vector<int> owners_;
  std::vector<int64_t> loads_;
  /// By member and topic; what it had before stands first. No list is empty.
  std::vector<std::map<size_t, std::vector<size_t>>> held_;
  size_t moves_ = 0;
  std::map<size_t, int> least_of_;  ///< Who has least, by audience, since the last move.
};

}  // namespace

std::vector<int> StickyAssignment(const AssignmentProblem& problem,
                                  const std::vector<int64_t>& weights) {
  return Dealer(problem, weights).Deal();
}

}  // namespace talosmq::group
