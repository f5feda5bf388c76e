#include "broker/corrupt_ranges.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <string>
#include <vector>

namespace talosmq::broker {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

CorruptRange Range(int64_t first, int64_t next) {
  return {.first = Offset(first), .next = Offset(next)};
}

class CorruptRangesTest : public testing::Test {
 protected:
  void Note(int64_t first, int64_t next) {
    ranges_.Note(MakeCorruptData(std::to_string(first), Range(first, next)));
  }
  static std::vector<CorruptRange> RangesOf(const std::vector<CorruptRanges::Known>& known) {
    std::vector<CorruptRange> ranges;
    for (const CorruptRanges::Known& one : known) ranges.push_back(one.range);
    return ranges;
  }
  std::vector<CorruptRange> Known() const { return RangesOf(ranges_.known()); }

  CorruptRanges ranges_;
};

TEST_F(CorruptRangesTest, OtherErrorsAreNoDamage) {
  ranges_.Note(MakeError(Reason::kCorruptData, "names no offsets"));
  ranges_.Note(MakeError(Reason::kOverloaded, "later"));
  EXPECT_THAT(Known(), IsEmpty());
  EXPECT_EQ(ranges_.LastBelow(Offset(100)), nullptr);
}

TEST_F(CorruptRangesTest, RangesAscendHoweverTheyAreMet) {
  Note(8, 9);
  Note(2, 4);
  Note(5, 6);
  EXPECT_THAT(Known(), ElementsAre(Range(2, 4), Range(5, 6), Range(8, 9)));
}

TEST_F(CorruptRangesTest, DamageThatIsMetAgainIsKnownOnce) {
  Note(2, 6);
  Note(2, 6);
  Note(4, 6);
  EXPECT_THAT(Known(), ElementsAre(Range(2, 6)));
  EXPECT_EQ(ranges_.known().front().what, "2");
}

TEST_F(CorruptRangesTest, WiderRangeReplacesTheOnesThatItHolds) {
  Note(2, 4);
  Note(5, 6);
  Note(1, 7);
  EXPECT_THAT(Known(), ElementsAre(Range(1, 7)));
  EXPECT_EQ(ranges_.known().front().what, "1");
}

TEST_F(CorruptRangesTest, RangesThatOverlapBecomeOne) {
  Note(2, 5);
  Note(4, 8);
  EXPECT_THAT(Known(), ElementsAre(Range(2, 8)));
  EXPECT_EQ(ranges_.known().front().what, "2");
}

TEST_F(CorruptRangesTest, NoMoreThanTheBoundAreKept) {
  for (size_t i = 0; i < CorruptRanges::kRangesMax + 5; ++i) {
    const auto first = static_cast<int64_t>(2 * i);
    Note(first, first + 1);
  }
  EXPECT_EQ(Known().size(), CorruptRanges::kRangesMax);
  Note(0, 3);
  EXPECT_EQ(Known().front(), Range(0, 3)) << "known ones still change";
}

TEST_F(CorruptRangesTest, LastBelowIsTheNearestThatBeginsBelow) {
  Note(2, 4);
  Note(8, 9);
  EXPECT_EQ(ranges_.LastBelow(Offset(2)), nullptr);
  EXPECT_EQ(ranges_.LastBelow(Offset(3))->range, Range(2, 4));
  EXPECT_EQ(ranges_.LastBelow(Offset(8))->range, Range(2, 4));
  EXPECT_EQ(ranges_.LastBelow(Offset(9))->range, Range(8, 9));
}

TEST_F(CorruptRangesTest, DecidedRangesAndThoseBelowTheLogStartAreNotOpen) {
  Note(2, 4);
  Note(8, 9);
  Note(12, 16);
  const std::vector<CorruptRange> skipped = {Range(7, 10), Range(12, 15)};
  EXPECT_THAT(RangesOf(ranges_.Open(Offset(0), skipped)), ElementsAre(Range(2, 4), Range(12, 16)));
  EXPECT_THAT(RangesOf(ranges_.Open(Offset(4), skipped)), ElementsAre(Range(12, 16)));
}

TEST(SkippedRangesTest, RangesThatTouchBecomeOne) {
  std::vector<CorruptRange> skipped;
  AddSkipped(skipped, Range(8, 9));
  AddSkipped(skipped, Range(2, 4));
  EXPECT_EQ(skipped, (std::vector{Range(2, 4), Range(8, 9)}));
  AddSkipped(skipped, Range(4, 6));
  EXPECT_EQ(skipped, (std::vector{Range(2, 6), Range(8, 9)}));
  AddSkipped(skipped, Range(3, 8));
  EXPECT_EQ(skipped, (std::vector{Range(2, 9)}));
  AddSkipped(skipped, Range(3, 8));
  EXPECT_EQ(skipped, (std::vector{Range(2, 9)}));
}

TEST(SkippedRangesTest, ReadersInsideGoOnBehind) {
  const std::vector<CorruptRange> skipped = {Range(2, 4), Range(8, 9)};
  EXPECT_EQ(PassSkipped(skipped, Offset(1)), Offset(1));
  EXPECT_EQ(PassSkipped(skipped, Offset(2)), Offset(4));
  EXPECT_EQ(PassSkipped(skipped, Offset(3)), Offset(4));
  EXPECT_EQ(PassSkipped(skipped, Offset(4)), Offset(4));
  EXPECT_EQ(PassSkipped(skipped, Offset(8)), Offset(9));
}

}  // namespace
}  // namespace talosmq::broker
