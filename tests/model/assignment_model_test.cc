// Random groups, whose members, topics and subscriptions come and go, through all assignors: what
// was dealt must be complete, balanced, the same for any order of the members, and with equal
// subscriptions have moved as little as can be.

#include "group/assignment.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::group {
namespace {

constexpr uint64_t kGroups = 1'000;
constexpr uint64_t kGroupsLong = 10'000;
constexpr int kSteps = 6;

class RandomGroup {
 public:
  explicit RandomGroup(uint64_t seed) : random_(seed), has_equal_subscriptions_(Choose(2) == 0) {
    for (size_t i = 1 + Choose(6); i > 0; --i) AddTopic();
    for (size_t i = 1 + Choose(12); i > 0; --i) AddMember();
    if (has_equal_subscriptions_) SubscribeAll();
  }

  void Change() {
    switch (Choose(6)) {
      case 0:
        return AddTopic();
      case 1:
        return AddMember();
      case 2:
        return RemoveMember();
      case 3:
        return RemoveTopic();
      case 4:
        return Grow();
      default:
        return Resubscribe();
    }
  }

  /// Deals anew and checks what came out.
  void Deal(Assignor assignor) {
    if (has_equal_subscriptions_) SubscribeAll();
    DrawLags();
    const Assignment dealt = Assign(assignor, topics_, members_, current_, lags_);
    ExpectComplete(dealt);
    std::vector<AssignedMember> shuffled = members_;
    std::ranges::shuffle(shuffled, random_);
    EXPECT_EQ(Assign(assignor, topics_, shuffled, current_, lags_), dealt) << "by another order";
    EXPECT_EQ(Assign(assignor, topics_, members_, dealt, lags_), dealt) << "dealt again";
    if (assignor == Assignor::kSticky) {
      ExpectBalanced(dealt, [](const TopicPartition&) { return 1; });
      if (has_equal_subscriptions_) ExpectFewestMoves(dealt);
    }
    if (assignor == Assignor::kLagAware) {
      ExpectBalanced(dealt, [this](const TopicPartition& p) { return lags_.at(p) + 1; });
    }
    if (assignor == Assignor::kRange) ExpectEvenByTopic(dealt);
    current_ = dealt;
  }

 private:
  size_t Choose(size_t below) { return random_() % below; }

  void AddTopic() {
    std::array<uint8_t, 16> bytes{};
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random_());
    const TopicId id(bytes);
    const std::string name = "t" + std::to_string(++names_);
    topics_.by_name[name] = {.id = id, .partitions = static_cast<int32_t>(1 + Choose(15))};
    topics_.name_of[id] = name;
  }

  void RemoveTopic() {
    if (topics_.name_of.empty()) return;
    const auto topic =
        std::next(topics_.name_of.begin(), static_cast<ptrdiff_t>(Choose(topics_.name_of.size())));
    for (AssignedMember& member : members_) std::erase(member.topics, topic->first);
    topics_.by_name.erase(topic->second);
    topics_.name_of.erase(topic);
  }

  void Grow() {
    if (topics_.by_name.empty()) return;
    std::next(topics_.by_name.begin(), static_cast<ptrdiff_t>(Choose(topics_.by_name.size())))
        ->second.partitions += static_cast<int32_t>(1 + Choose(5));
  }

  void AddMember() {
    members_.push_back(
        {.id = std::to_string(random_() % 100) + "-" + std::to_string(++names_), .topics = {}});
    Subscribe(members_.back());
  }

  void RemoveMember() {
    if (members_.empty()) return;
    members_.erase(members_.begin() + static_cast<ptrdiff_t>(Choose(members_.size())));
  }

  void Resubscribe() {
    if (!members_.empty()) Subscribe(members_[Choose(members_.size())]);
  }

  void Subscribe(AssignedMember& member) {
    member.topics.clear();
    for (const auto& [id, name] : topics_.name_of) {
      if (Choose(2) == 0) member.topics.push_back(id);
    }
  }

  void SubscribeAll() {
    for (AssignedMember& member : members_) {
      member.topics.clear();
      for (const auto& [id, name] : topics_.name_of) member.topics.push_back(id);
    }
  }

  void DrawLags() {
    lags_.clear();
    for (const auto& [name, topic] : topics_.by_name) {
      for (int32_t i = 0; i < topic.partitions; ++i) {
        lags_[{.topic_id = topic.id, .partition = PartitionId(i)}] =
            static_cast<int64_t>(Choose(2) == 0 ? Choose(10) : Choose(1'000'000));
      }
    }
  }

  bool Reads(const AssignedMember& member, const TopicId& topic) const {
    return std::ranges::binary_search(member.topics, topic);
  }

  void ExpectComplete(const Assignment& dealt) {
    size_t expected = 0;
    for (const auto& [name, topic] : topics_.by_name) {
      const bool is_read = std::ranges::any_of(
          members_, [&](const AssignedMember& member) { return Reads(member, topic.id); });
      for (int32_t i = 0; is_read && i < topic.partitions; ++i, ++expected) {
        const auto owner = dealt.find({.topic_id = topic.id, .partition = PartitionId(i)});
        ASSERT_NE(owner, dealt.end()) << name << "/" << i;
        EXPECT_TRUE(std::ranges::any_of(members_,
                                        [&](const AssignedMember& member) {
                                          return member.id == owner->second &&
                                                 Reads(member, topic.id);
                                        }))
            << name << "/" << i;
      }
    }
    EXPECT_EQ(dealt.size(), expected);
  }

  /// Nobody could be given a partition that weighs less than what its owner has more than he.
  void ExpectBalanced(const Assignment& dealt,
                      const std::function<int64_t(const TopicPartition&)>& weight) {
    std::map<std::string, int64_t> loads;
    for (const auto& [partition, owner] : dealt) loads[owner] += weight(partition);
    for (const auto& [partition, owner] : dealt) {
      for (const AssignedMember& member : members_) {
        if (!Reads(member, partition.topic_id)) continue;
        EXPECT_LE(loads[owner] - loads[member.id], weight(partition))
            << partition.ToString() << " of " << owner << " could go to " << member.id;
      }
    }
  }

  /// Of P partitions each of N members may keep P / N, and P % N of them one more.
  void ExpectFewestMoves(const Assignment& dealt) {
    if (members_.empty()) return;
    std::map<std::string, size_t> had;
    size_t kept = 0;
    for (const auto& [partition, owner] : dealt) {
      const auto before = current_.find(partition);
      if (before == current_.end()) continue;
      if (IsMember(before->second)) ++had[before->second];
      kept += before->second == owner ? 1U : 0U;
    }
    size_t with_one_more = dealt.size() % members_.size();
    const size_t share = dealt.size() / members_.size();
    size_t could_keep = 0;
    for (const auto& [member, count] : had) {
      could_keep += std::min(count, share);
      if (count > share && with_one_more > 0) {
        --with_one_more;
        ++could_keep;
      }
    }
    EXPECT_EQ(kept, could_keep);
  }

  bool IsMember(const std::string& id) const {
    return std::ranges::find(members_, id, &AssignedMember::id) != members_.end();
  }

  void ExpectEvenByTopic(const Assignment& dealt) {
    for (const auto& [id, name] : topics_.name_of) {
      std::map<std::string, int> counts;
      for (const AssignedMember& member : members_) {
        if (Reads(member, id)) counts[member.id] = 0;
      }
      for (const auto& [partition, owner] : dealt)
        counts[owner] += partition.topic_id == id ? 1 : 0;
      std::erase_if(counts, [&](const auto& entry) {
        return !Reads(*std::ranges::find(members_, entry.first, &AssignedMember::id), id);
      });
      const auto [least, most] =
          std::ranges::minmax_element(counts, {}, [](const auto& entry) { return entry.second; });
      if (least == counts.end()) continue;
      EXPECT_LE(most->second - least->second, 1) << name;
    }
  }

  std::mt19937_64 random_;
  const bool has_equal_subscriptions_;
  TopicCatalogue topics_;
  std::vector<AssignedMember> members_;
  Assignment current_;
  std::map<TopicPartition, int64_t> lags_;
  int names_ = 0;
};

TEST(AssignmentModelTest, GroupsThatChangeAreDealtFairly) {
  const char* const chosen = std::getenv("TALOSMQ_TEST_SEED");
  const uint64_t first = chosen != nullptr ? std::strtoull(chosen, nullptr, 10) : 1;
  const char* const length = std::getenv("TALOSMQ_TEST_LENGTH");
  const bool is_long = length != nullptr && std::string_view(length) == "long";
  const uint64_t seeds = chosen != nullptr ? 1 : is_long ? kGroupsLong : kGroups;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    for (const Assignor assignor :
         {Assignor::kSticky, Assignor::kRange, Assignor::kRoundRobin, Assignor::kLagAware}) {
      SCOPED_TRACE("TALOSMQ_TEST_SEED=" + std::to_string(seed) + " assignor " +
                   std::to_string(static_cast<int>(assignor)));
      RandomGroup group(seed);
      for (int step = 0; step < kSteps; ++step) {
        group.Deal(assignor);
        if (HasFailure()) return;
        group.Change();
      }
    }
  }
}

}  // namespace
}  // namespace talosmq::group
