// Which segments are compacted, when, and which of them together.

#include "storage/compaction_plan.h"

#include "storage/retention.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace talosmq::storage {
namespace {

using testing::ElementsAre;

absl::Time At(int64_t hours) { return kEarliestCreation + absl::Hours(hours); }

/// Of 100 bytes each, at 0, 10, 20 and so on, created an hour after one another.
std::vector<ListedSegment> SegmentsOf(const std::vector<uint32_t>& generations) {
  std::vector<ListedSegment> segments;
  for (const uint32_t generation : generations) {
    const auto place = static_cast<int64_t>(segments.size());
    segments.push_back({.base = Offset(place * 10),
                        .created_ms = absl::ToUnixMillis(At(place)),
                        .bytes = 100,
                        .generation = generation});
  }
  return segments;
}

TEST(PlanCompactionTest, TakesWhatIsCompleteBehindWhatIsClean) {
  const auto segments = SegmentsOf({3, 0, 0, 0});
  EXPECT_EQ(PlanCompaction(segments, {}, Offset(40), At(9)),
            (SegmentRange{.first = 1, .count = 2}));
  EXPECT_EQ(PlanCompaction(segments, {}, Offset(29), At(9)), (SegmentRange{.first = 1, .count = 1}))
      << "not above the limit";
  EXPECT_EQ(PlanCompaction(SegmentsOf({3, 3, 0}), {}, Offset(40), At(9)), std::nullopt)
      << "never the last one";
}

TEST(PlanCompactionTest, WaitsForTheDirtyRatio) {
  const auto segments = SegmentsOf({1, 1, 1, 0, 0});
  EXPECT_EQ(PlanCompaction(segments, {.dirty_ratio_min = 0.26}, Offset(99), At(9)), std::nullopt);
  EXPECT_TRUE(PlanCompaction(segments, {.dirty_ratio_min = 0.25}, Offset(99), At(9)));
  const CompactionRules late{.dirty_ratio_min = 1, .lag_max = absl::Hours(6)};
  EXPECT_EQ(PlanCompaction(segments, late, Offset(99), At(8)), std::nullopt);
  EXPECT_TRUE(PlanCompaction(segments, late, Offset(99), At(9)));
}

TEST(PlanCompactionTest, RecordsStayForTheLag) {
  const auto segments = SegmentsOf({0, 0, 0});
  const CompactionRules rules{.lag_min = absl::Hours(3)};
  EXPECT_EQ(PlanCompaction(segments, rules, Offset(99), At(3)), std::nullopt);
  EXPECT_EQ(PlanCompaction(segments, rules, Offset(99), At(4)),
            (SegmentRange{.first = 0, .count = 1}));
}

TEST(PlanCompactionTest, ClockThatWasAheadPutsNothingOffForYears) {
  auto segments = SegmentsOf({0, 0, 0, 0});
  segments[2].created_ms = absl::ToUnixMillis(At(9'000));
  EXPECT_EQ(PlanCompaction(segments, {.lag_min = absl::Hours(2)}, Offset(99), At(5)),
            (SegmentRange{.first = 0, .count = 3}));
  segments[3].created_ms = absl::ToUnixMillis(At(9'000));
  EXPECT_EQ(PlanCompaction(segments, {}, Offset(99), At(5)),
            (SegmentRange{.first = 0, .count = 3}));
  segments[0].created_ms = absl::ToUnixMillis(At(9'000));
  const CompactionRules late{.dirty_ratio_min = 2, .lag_max = absl::Hours(3)};
  EXPECT_TRUE(PlanCompaction(segments, late, Offset(99), At(4)));
}

TEST(PlanCompactionTest, NeighboursGoTogetherUpToTheSizeOfASegment) {
  const auto segments = SegmentsOf({1, 1, 1, 0, 0, 0});
  EXPECT_THAT(
      GroupForCompaction(segments, 5, 200),
      ElementsAre(SegmentRange{.first = 0, .count = 2}, SegmentRange{.first = 2, .count = 2},
                  SegmentRange{.first = 4, .count = 1}));
  EXPECT_EQ(GroupForCompaction(segments, 5, 50).size(), 5U);
}

}  // namespace
}  // namespace talosmq::storage
