// How long does a coordinator deal the partitions of a group? Arguments: members, partitions (over
// ten topics). One member of a balanced group has just left; items are partitions.

#include "group/assignment.h"

#include "benchmark/benchmark.h"

#include <map>
#include <string>
#include <vector>

namespace talosmq::group {
namespace {

constexpr int32_t kTopics = 10;

/// A group that was balanced before its first member left.
struct LeftGroup {
  LeftGroup(Assignor assignor, int64_t members_count, int64_t partitions_count) {
    for (uint8_t i = 0; i < kTopics; ++i) {
      const TopicId id({i});
      const std::string name = "topic-" + std::to_string(i);
      const auto partitions = static_cast<int32_t>(partitions_count / kTopics);
      topics.by_name[name] = {.id = id, .partitions = partitions};
      topics.name_of[id] = name;
      for (int32_t j = 0; j < partitions; ++j) {
        lags[{.topic_id = id, .partition = PartitionId(j)}] = (j * int64_t{7919}) % 100'000;
      }
    }
    std::vector<TopicId> all;
    for (const auto& [id, name] : topics.name_of) all.push_back(id);
    for (int64_t i = 0; i < members_count; ++i) {
      members.push_back({.id = "member-" + std::to_string(i), .topics = all});
    }
    current = Assign(assignor, topics, members, {}, lags);
    members.erase(members.begin());
  }

  TopicCatalogue topics;
  std::vector<AssignedMember> members;
  Assignment current;
  std::map<TopicPartition, int64_t> lags;
};

template <Assignor kAssignor>
void AfterALeave(benchmark::State& state) {
  const LeftGroup group(kAssignor, state.range(0), state.range(1));
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        Assign(kAssignor, group.topics, group.members, group.current, group.lags));
  }
  state.SetItemsProcessed(state.iterations() * state.range(1));
}

BENCHMARK(AfterALeave<Assignor::kSticky>)
    ->Args({100, 1'000})
    ->Args({1'000, 10'000})
    ->Args({10'000, 10'000})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(AfterALeave<Assignor::kLagAware>)
    ->Args({100, 1'000})
    ->Args({1'000, 10'000})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(AfterALeave<Assignor::kRange>)->Args({1'000, 10'000})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace talosmq::group
