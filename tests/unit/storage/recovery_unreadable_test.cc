// Opening a log of which the disk does not give some sectors any more.

#include "storage/segment_index.h"
#include "support/storage_world.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/storage/recovery_fixture.h"

#include <string>
#include <vector>

namespace talosmq::storage {
namespace {

using testing::HasSubstr;

// No write that a crash has torn leaves a sector that cannot be read. The whole log was not
// available.
TEST_F(RecoveryTest, SectorOfTheTailThatCannotBeReadIsCorruption) {
  Append(2, 100);
  Record();
  Append(3, 10'000);
  const std::vector<uint64_t> positions = Positions(Segment());
  world_.disk().MakeUnreadable(Segment(), positions[3] + 5'000, positions[3] + 5'001);
  for (int start = 0; start < 2; ++start) {
    const RecoveryReport report = ReopenWell();
    EXPECT_EQ(world_.log().log_end(), Offset(5));
    if (start == 0) {
      ASSERT_EQ(report.damages.size(), 1U);
      EXPECT_THAT(std::string(report.damages[0].message()), HasSubstr("EIO"));
    }
    EXPECT_TRUE(world_.Read(Offset(2), 10).ok());
    EXPECT_EQ(CorruptRangeOf(world_.Read(Offset(3), 10).status()),
              (CorruptRange{.first = Offset(3), .next = Offset(4)}));
    EXPECT_TRUE(world_.Read(Offset(4), 10).ok());
  }
}

TEST_F(RecoveryTest, LastBatchThatCannotBeReadKeepsItsOffsets) {
  Append(2, 100);
  Record();
  Append(1, 10'000);
  const std::vector<uint64_t> positions = Positions(Segment());
  world_.disk().MakeUnreadable(Segment(), positions[2] + 5'000, positions[2] + 5'001);
  const RecoveryReport report = ReopenWell();
  ASSERT_EQ(report.damages.size(), 1U);
  EXPECT_EQ(CorruptRangeOf(report.damages[0]),
            (CorruptRange{.first = Offset(2), .next = Offset(3)}));
  EXPECT_EQ(world_.log().log_end(), Offset(3));
  EXPECT_GE(world_.disk().Open(Segment(), io::OpenMode::kRead).value()->Size().value(),
            positions[3]);
  Append(1, 100);
  ReopenWell();
  EXPECT_EQ(ReasonOf(world_.Read(Offset(2), 10).status()), Reason::kCorruptData);
  EXPECT_TRUE(world_.Read(Offset(3), 10).ok());
}

TEST_F(RecoveryTest, SegmentThatCannotBeReadAtAllHidesAnOffsetAtLeast) {
  Append(2, 100);
  world_.disk().MakeUnreadable(Segment(), 0, 1 << 20);
  const RecoveryReport report = ReopenWell();
  EXPECT_EQ(report.damages.size(), 1U);
  EXPECT_GE(world_.log().log_end(), Offset(1));
  EXPECT_EQ(ReasonOf(world_.Read(Offset(0), 10).status()), Reason::kCorruptData);
  EXPECT_TRUE(world_.AppendDurably({.values = {"goes on"}}).ok());
}

TEST_F(RecoveryTest, NewestIndexThatCannotBeReadIsMadeAgain) {
  Append(10, 5000);
  Record();
  world_.disk().MakeUnreadable(Index(), 0, kIndexHeaderBytes);
  EXPECT_EQ(ReopenWell().indexes_rebuilt, 1);
  ExpectDense(10);
}

TEST_F(RecoveryTest, EpochFileThatCannotBeReadKeepsTheLogClosedAndSaysSo) {
  Append(2);
  Record();
  const std::string path = world_.Path("epochs");
  world_.disk().MakeUnreadable(path, 0, 1);
  const auto report = Reopen();
  ASSERT_FALSE(report.ok());
  EXPECT_THAT(std::string(report.status().message()),
              testing::AllOf(HasSubstr("stays closed, since its epoch file cannot be read"),
                             HasSubstr(path), HasSubstr("EIO")));
}

}  // namespace
}  // namespace talosmq::storage
