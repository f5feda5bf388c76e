// Where a log is read from when it is opened, and how what stands there is judged.

#include "storage/recovery_plan.h"

#include "gtest/gtest.h"

#include <vector>

namespace talosmq::storage {
namespace {

SegmentFacts Segment(int64_t base) { return {.base = Offset(base), .indexed_end = Offset(base)}; }
SegmentFacts Segment(int64_t base, int64_t indexed_end, uint64_t position) {
  return {.base = Offset(base), .indexed_end = Offset(indexed_end), .indexed_position = position};
}
FlushedPoint Point(int64_t end, int64_t segment, uint64_t position) {
  return {.log_start = Offset(0),
          .end_offset = Offset(end),
          .segment = Offset(segment),
          .position = position};
}

TEST(RecoveryPlanTest, ReadsFromTheEndOfTheIndex) {
  const std::vector<SegmentFacts> segments = {Segment(0, 70, 7000)};
  const RecoveryPlan plan = PlanRecovery(segments, Point(90, 0, 9000));
  EXPECT_EQ(plan.first_offset, Offset(70));
  EXPECT_EQ(plan.first_position, 7000U);
  EXPECT_EQ(plan.flushed, Point(90, 0, 9000));
  EXPECT_FALSE(plan.is_careful);
}

TEST(RecoveryPlanTest, AnIndexEntryProvesThatItsRunWasFlushed) {
  const std::vector<SegmentFacts> segments = {Segment(0), Segment(50, 70, 2000)};
  const RecoveryPlan plan = PlanRecovery(segments, Point(40, 0, 4000));
  EXPECT_EQ(plan.flushed, Point(70, 50, 2000));
  EXPECT_EQ(plan.first_segment, 1U);
}

TEST(RecoveryPlanTest, ALaterSegmentWithoutEntriesProvesNothing) {
  const std::vector<SegmentFacts> segments = {Segment(0, 30, 3000), Segment(50)};
  const RecoveryPlan plan = PlanRecovery(segments, Point(40, 0, 4000));
  EXPECT_EQ(plan.flushed, Point(40, 0, 4000));
  EXPECT_EQ(plan.first_segment, 0U);
}

TEST(RecoveryPlanTest, AYoungLogWithoutACheckpointIsJudgedAsTorn) {
  const std::vector<SegmentFacts> segments = {Segment(0)};
  EXPECT_FALSE(PlanRecovery(segments, std::nullopt).is_careful);
}

TEST(RecoveryPlanTest, ALogWithTwoSegmentsAndNoCheckpointIsNotYoung) {
  const std::vector<SegmentFacts> segments = {Segment(0), Segment(50)};
  EXPECT_TRUE(PlanRecovery(segments, std::nullopt).is_careful);
}

TEST(RecoveryPlanTest, AnUnknownPointIsJudgedWithCare) {
  const std::vector<SegmentFacts> segments = {Segment(0)};
  EXPECT_TRUE(PlanRecovery(segments, Point(-1, 0, 0)).is_careful);
}

TEST(RecoveryPlanTest, TheSegmentOfTheFlushedPointMayBeGone) {
  const std::vector<SegmentFacts> before = {Segment(0)};
  const RecoveryPlan nothing_to_read = PlanRecovery(before, Point(80, 50, 3000));
  EXPECT_TRUE(nothing_to_read.is_segment_missing);
  EXPECT_EQ(nothing_to_read.first_segment, 1U);
  EXPECT_EQ(nothing_to_read.first_offset, Offset(80));
  const std::vector<SegmentFacts> around = {Segment(0), Segment(90)};
  const RecoveryPlan later = PlanRecovery(around, Point(80, 50, 3000));
  EXPECT_TRUE(later.is_segment_missing);
  EXPECT_EQ(later.first_segment, 1U);
  EXPECT_EQ(later.first_offset, Offset(90));
}

class StopTest : public testing::Test {
 protected:
  StopKind Judge(uint64_t position, std::optional<int64_t> next, int64_t offset,
                 bool is_file_end = false) const {
    ScanStop stop{.segment = Offset(0),
                  .next_segment = std::nullopt,
                  .offset = Offset(offset),
                  .position = position,
                  .is_file_end = is_file_end};
    if (next) stop.next_segment = Offset(*next);
    return JudgeStop(plan_, stop);
  }
  RecoveryPlan plan_ = {.first_offset = Offset(0), .flushed = Point(40, 0, 4000)};
};

TEST_F(StopTest, TheNextSegmentGoesOn) {
  EXPECT_EQ(Judge(5000, 50, 50), StopKind::kSegmentEnd);
  EXPECT_EQ(Judge(5000, 50, 50, true), StopKind::kSegmentEnd);
}

TEST_F(StopTest, AWholeFileIsTheEndOfTheLog) {
  EXPECT_EQ(Judge(5000, std::nullopt, 50, true), StopKind::kLogEnd);
}

TEST_F(StopTest, BelowTheFlushedPointItIsCorruption) {
  EXPECT_EQ(Judge(3999, std::nullopt, 39), StopKind::kCorruption);
  EXPECT_EQ(Judge(3999, std::nullopt, 39, true), StopKind::kCorruption);
}

TEST_F(StopTest, FromTheFlushedPointOnTheLastSegmentMayBeTorn) {
  EXPECT_EQ(Judge(4000, std::nullopt, 40), StopKind::kUnclear);
}

TEST_F(StopTest, ASegmentWithALaterOneIsNeverTorn) {
  EXPECT_EQ(Judge(4000, 50, 40), StopKind::kCorruption);
  EXPECT_EQ(Judge(4000, 50, 40, true), StopKind::kCorruption);
}

TEST_F(StopTest, WhatCannotBeReadIsNeverTorn) {
  EXPECT_EQ(JudgeStop(plan_, {.segment = Offset(0),
                              .next_segment = std::nullopt,
                              .offset = Offset(50),
                              .position = 5000,
                              .is_unreadable = true}),
            StopKind::kCorruption);
}

TEST_F(StopTest, WhatLiesBehindTheNextSegmentsBaseIsNotRead) {
  EXPECT_EQ(Judge(5000, 50, 60), StopKind::kSegmentEnd);
}

}  // namespace
}  // namespace talosmq::storage
