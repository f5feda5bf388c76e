#include "group/assignment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <string>
#include <vector>

namespace talosmq::group {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

constexpr Assignor kAll[] = {Assignor::kSticky, Assignor::kRange, Assignor::kRoundRobin,
                             Assignor::kLagAware};

TopicId Topic(uint8_t number) { return TopicId({number}); }
TopicPartition P(uint8_t topic, int32_t partition) {
  return {.topic_id = Topic(topic), .partition = PartitionId(partition)};
}

/// Topics 1, 2, ... with so many partitions.
TopicCatalogue Topics(const std::vector<int32_t>& partitions) {
  TopicCatalogue topics;
  for (size_t i = 0; i < partitions.size(); ++i) {
    const TopicId id = Topic(static_cast<uint8_t>(i + 1));
    const std::string name = "topic-" + std::to_string(i + 1);
    topics.by_name[name] = {.id = id, .partitions = partitions[i]};
    topics.name_of[id] = name;
  }
  return topics;
}

std::map<std::string, std::vector<TopicPartition>> ByMember(const Assignment& assignment) {
  std::map<std::string, std::vector<TopicPartition>> by_member;
  for (const auto& [partition, member] : assignment) by_member[member].push_back(partition);
  return by_member;
}

TEST(AssignmentTest, WithoutMembersNobodyGetsAnything) {
  for (const Assignor assignor : kAll) {
    EXPECT_THAT(Assign(assignor, Topics({3}), {}, {{P(1, 0), "gone"}}, {}), IsEmpty());
  }
}

TEST(AssignmentTest, TopicsThatNobodyReadsAreLeftOut) {
  for (const Assignor assignor : kAll) {
    EXPECT_THAT(Assign(assignor, Topics({3, 2}), {{.id = "a", .topics = {Topic(2)}}},
                       {{P(1, 0), "a"}}, {{P(1, 0), 7}}),
                ElementsAre(Pair(P(2, 0), "a"), Pair(P(2, 1), "a")));
  }
}

TEST(AssignmentTest, TopicsOutsideTheCatalogueAreLeftOut) {
  for (const Assignor assignor : kAll) {
    EXPECT_THAT(Assign(assignor, Topics({1}), {{.id = "a", .topics = {Topic(1), Topic(9)}}},
                       {{P(9, 0), "a"}}, {}),
                ElementsAre(Pair(P(1, 0), "a")));
  }
}

TEST(AssignmentTest, MoreMembersThanPartitionsLeaveSomeWithNothing) {
  const std::vector<AssignedMember> members = {{.id = "a", .topics = {Topic(1)}},
                                               {.id = "b", .topics = {Topic(1)}},
                                               {.id = "c", .topics = {Topic(1)}}};
  for (const Assignor assignor : kAll) {
    const Assignment assignment = Assign(assignor, Topics({2}), members, {}, {});
    EXPECT_THAT(assignment, SizeIs(2));
    EXPECT_THAT(ByMember(assignment), SizeIs(2));
  }
}

TEST(AssignmentTest, PartitionsThatAreNoMoreAreForgotten) {
  const Assignment current = {{P(1, 0), "a"}, {P(1, 7), "a"}, {P(2, 0), "a"}};
  EXPECT_THAT(
      Assign(Assignor::kSticky, Topics({1}), {{.id = "a", .topics = {Topic(1)}}}, current, {}),
      ElementsAre(Pair(P(1, 0), "a")));
}

TEST(AssignmentTest, WhoNoLongerSubscribesKeepsNothing) {
  const Assignment current = {{P(1, 0), "a"}, {P(2, 0), "a"}};
  EXPECT_THAT(
      Assign(Assignor::kSticky, Topics({1, 1}),
             {{.id = "a", .topics = {Topic(1)}}, {.id = "b", .topics = {Topic(1), Topic(2)}}},
             current, {}),
      ElementsAre(Pair(P(1, 0), "a"), Pair(P(2, 0), "b")));
}

TEST(RangeTest, NeighboursStayTogetherAndTheFirstGetMore) {
  EXPECT_THAT(
      Assign(Assignor::kRange, Topics({5}),
             {{.id = "b", .topics = {Topic(1)}}, {.id = "a", .topics = {Topic(1)}}}, {}, {}),
      ElementsAre(Pair(P(1, 0), "a"), Pair(P(1, 1), "a"), Pair(P(1, 2), "a"), Pair(P(1, 3), "b"),
                  Pair(P(1, 4), "b")));
}

TEST(RangeTest, SamePartitionsOfAllTopicsGoToTheSameMember) {
  const std::vector<AssignedMember> members = {{.id = "a", .topics = {Topic(1), Topic(2)}},
                                               {.id = "b", .topics = {Topic(1), Topic(2)}}};
  const Assignment assignment = Assign(Assignor::kRange, Topics({4, 4}), members, {}, {});
  for (int32_t i = 0; i < 4; ++i) EXPECT_EQ(assignment.at(P(1, i)), assignment.at(P(2, i)));
}

TEST(RoundRobinTest, WhoDoesNotReadATopicIsPassedOver) {
  const std::vector<AssignedMember> members = {{.id = "a", .topics = {Topic(1)}},
                                               {.id = "b", .topics = {Topic(2)}},
                                               {.id = "c", .topics = {Topic(1), Topic(2)}}};
  EXPECT_THAT(Assign(Assignor::kRoundRobin, Topics({3, 2}), members, {}, {}),
              ElementsAre(Pair(P(1, 0), "a"), Pair(P(1, 1), "c"), Pair(P(1, 2), "a"),
                          Pair(P(2, 0), "b"), Pair(P(2, 1), "c")));
}

TEST(StickyTest, OnlyWhatANewcomerNeedsMoves) {
  const std::vector<TopicId> topics = {Topic(1)};
  const Assignment current = {{P(1, 0), "a"}, {P(1, 1), "a"}, {P(1, 2), "a"},
                              {P(1, 3), "b"}, {P(1, 4), "b"}, {P(1, 5), "b"}};
  const Assignment assignment = Assign(
      Assignor::kSticky, Topics({6}),
      {{.id = "a", .topics = topics}, {.id = "b", .topics = topics}, {.id = "c", .topics = topics}},
      current, {});
  int moved = 0;
  for (const auto& [partition, member] : assignment) moved += member != current.at(partition);
  EXPECT_EQ(moved, 2);
  EXPECT_THAT(ByMember(assignment).at("c"), SizeIs(2));
}

TEST(StickyTest, WhatWasDealtOutAnewMovesBeforeWhatSomebodyHas) {
  // "a" alone reads topic 1 and has all of topic 2, of which it may keep what "b" does not need.
  const Assignment current = {{P(2, 0), "a"}, {P(2, 1), "a"}, {P(2, 2), "a"}, {P(2, 3), "a"}};
  const Assignment assignment =
      Assign(Assignor::kSticky, Topics({2, 4}),
             {{.id = "a", .topics = {Topic(1), Topic(2)}}, {.id = "b", .topics = {Topic(2)}}},
             current, {});
  EXPECT_THAT(ByMember(assignment).at("a"), SizeIs(3));
  EXPECT_THAT(ByMember(assignment).at("b"), SizeIs(3));
}

TEST(LagAwareTest, WhatWaitsIsSpreadEvenlyNotThePartitions) {
  const std::vector<AssignedMember> members = {{.id = "a", .topics = {Topic(1)}},
                                               {.id = "b", .topics = {Topic(1)}}};
  const std::map<TopicPartition, int64_t> lags = {
      {P(1, 0), 900}, {P(1, 1), 300}, {P(1, 2), 300}, {P(1, 3), 299}};
  const Assignment assignment = Assign(Assignor::kLagAware, Topics({4}), members, {}, lags);
  const std::string heavy = assignment.at(P(1, 0));
  for (int32_t i = 1; i < 4; ++i) EXPECT_NE(assignment.at(P(1, i)), heavy);
}

TEST(LagAwareTest, PartitionsWithoutLagAreSpreadToo) {
  const std::vector<AssignedMember> members = {{.id = "a", .topics = {Topic(1)}},
                                               {.id = "b", .topics = {Topic(1)}}};
  const auto by_member = ByMember(Assign(Assignor::kLagAware, Topics({10}), members, {}, {}));
  EXPECT_THAT(by_member.at("a"), SizeIs(5));
  EXPECT_THAT(by_member.at("b"), SizeIs(5));
}

TEST(LagAwareTest, LagsThatCannotBeDoNoHarm) {
  const std::vector<AssignedMember> members = {{.id = "a", .topics = {Topic(1)}},
                                               {.id = "b", .topics = {Topic(1)}}};
  std::map<TopicPartition, int64_t> lags;
  for (int32_t i = 0; i < 4; ++i) lags[P(1, i)] = std::numeric_limits<int64_t>::max();
  lags[P(1, 4)] = -5;
  EXPECT_THAT(Assign(Assignor::kLagAware, Topics({5}), members, {}, lags), SizeIs(5));
}

}  // namespace
}  // namespace talosmq::group
