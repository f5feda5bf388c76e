// Which segments go by their age and by the size of the log.

#include "storage/retention.h"

#include "gtest/gtest.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace talosmq::storage {
namespace {

/// The hours of these tests count from a time at which there may be segments.
absl::Time At(int64_t hours) { return kEarliestCreation + absl::Hours(hours); }

/// Of 100 bytes each, created at these hours; their bases are 0, 10, 20 and so on.
std::vector<ListedSegment> CreatedAt(const std::vector<int64_t>& hours) {
  std::vector<ListedSegment> segments;
  for (const int64_t hour : hours) {
    segments.push_back({.base = Offset(static_cast<int64_t>(segments.size()) * 10),
                        .created_ms = absl::ToUnixMillis(At(hour)),
                        .bytes = 100});
  }
  return segments;
}

RetentionLimits ByAge(int64_t hours) {
  return {.age_max = absl::Hours(hours), .bytes_max = std::nullopt};
}
RetentionLimits BySize(int64_t bytes) { return {.age_max = std::nullopt, .bytes_max = bytes}; }

TEST(PlanRetentionTest, NothingGoesWithoutLimits) {
  const RetentionPlan plan = PlanRetention(CreatedAt({1, 2, 3}), {}, At(100'000));
  EXPECT_EQ(plan.log_start, Offset(0));
  EXPECT_FALSE(plan.must_roll);
}

TEST(PlanRetentionTest, AgeCountsFromTheLastAppendToASegment) {
  const auto segments = CreatedAt({1, 5, 9});
  EXPECT_EQ(PlanRetention(segments, ByAge(3), At(7)).log_start, Offset(0));
  EXPECT_EQ(PlanRetention(segments, ByAge(3), At(8)).log_start, Offset(10));
  EXPECT_EQ(PlanRetention(segments, ByAge(3), At(12)).log_start, Offset(20));
}

TEST(PlanRetentionTest, LastSegmentIsCompletedAndStays) {
  const auto segments = CreatedAt({1});
  EXPECT_FALSE(PlanRetention(segments, ByAge(3), At(3)).must_roll);
  const RetentionPlan plan = PlanRetention(segments, ByAge(3), At(4));
  EXPECT_TRUE(plan.must_roll);
  EXPECT_EQ(plan.log_start, Offset(0));
}

TEST(PlanRetentionTest, EmptyLastSegmentIsLeftAlone) {
  auto segments = CreatedAt({1, 2});
  segments.back().bytes = 0;
  const RetentionPlan plan = PlanRetention(segments, ByAge(3), At(100));
  EXPECT_FALSE(plan.must_roll);
  EXPECT_EQ(plan.log_start, Offset(10));
}

TEST(PlanRetentionTest, SizeLeavesAtLeastTheLimit) {
  const auto segments = CreatedAt({1, 2, 3});
  EXPECT_EQ(PlanRetention(segments, BySize(300), At(4)).log_start, Offset(0));
  EXPECT_EQ(PlanRetention(segments, BySize(201), At(4)).log_start, Offset(0));
  EXPECT_EQ(PlanRetention(segments, BySize(200), At(4)).log_start, Offset(10));
  EXPECT_EQ(PlanRetention(segments, BySize(0), At(4)).log_start, Offset(20));
}

TEST(PlanRetentionTest, TheStricterLimitHolds) {
  const auto segments = CreatedAt({1, 2, 3});
  RetentionLimits limits = ByAge(1);
  limits.bytes_max = 200;
  EXPECT_EQ(PlanRetention(segments, limits, At(2)).log_start, Offset(10)) << "size";
  limits.bytes_max = 1'000;
  EXPECT_EQ(PlanRetention(segments, limits, At(4)).log_start, Offset(20)) << "age";
}

TEST(PlanRetentionTest, ClockThatWasAheadKeepsNothingForYears) {
  // The second was begun while the clock was a year ahead.
  const auto segments = CreatedAt({1, 9'000, 3, 4});
  EXPECT_EQ(PlanRetention(segments, ByAge(5), At(8)).log_start, Offset(20));
}

TEST(PlanRetentionTest, ClockThatWentBackDeletesNothing) {
  const auto segments = CreatedAt({9'000, 9'001, 9'002});
  const RetentionPlan plan = PlanRetention(segments, ByAge(5), At(8));
  EXPECT_EQ(plan.log_start, Offset(0));
  EXPECT_FALSE(plan.must_roll);
}

// A server that begins before NTP has set its clock may roll in 1970.
TEST(PlanRetentionTest, SegmentOfAnImpossibleTimeTakesNoOlderOneAlong) {
  auto segments = CreatedAt({100, 101, 0, 102});
  segments[2].created_ms = 7'000;
  EXPECT_EQ(PlanRetention(segments, ByAge(5), At(103)).log_start, Offset(0));
  EXPECT_EQ(PlanRetention(segments, ByAge(5), At(106)).log_start, Offset(10)) << "by the second";
  EXPECT_EQ(PlanRetention(segments, ByAge(5), At(107)).log_start, Offset(30));
  segments.pop_back();
  const RetentionPlan plan = PlanRetention(segments, ByAge(5), At(103));
  EXPECT_EQ(plan.log_start, Offset(0));
  EXPECT_TRUE(plan.must_roll) << "else nobody would ever know";
}

TEST(PlanRetentionTest, NothingGoesByAgeWhileNobodyKnowsTheTime) {
  RetentionLimits limits = ByAge(0);
  const RetentionPlan by_age = PlanRetention(CreatedAt({1, 2, 3}), limits, absl::InfinitePast());
  EXPECT_EQ(by_age.log_start, Offset(0));
  EXPECT_FALSE(by_age.must_roll);
  limits.bytes_max = 100;
  EXPECT_EQ(PlanRetention(CreatedAt({1, 2, 3}), limits, absl::InfinitePast()).log_start,
            Offset(20));
}

}  // namespace
}  // namespace talosmq::storage
