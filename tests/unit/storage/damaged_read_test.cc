// What a read of damaged bytes refuses, and what it serves around them.

#include "base/bytes.h"
#include "storage/log_reader.h"
#include "storage/salvage_read.h"
#include "storage/segment.h"
#include "support/storage_world.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <optional>
#include <string>
#include <vector>

namespace talosmq::storage {
namespace {

using support::StorageWorld;
using testing::ElementsAre;
using testing::HasSubstr;

/// Ten thousand bytes of values hold a run's smallest size twice, a hundred are far from it.
constexpr size_t kRunBytes = 5'000;
constexpr size_t kSmallBytes = 100;

class DamagedReadTest : public testing::Test {
 protected:
  DamagedReadTest() { EXPECT_TRUE(world_.Start().ok()); }

  void Append(int count, size_t value_bytes = kRunBytes) {
    for (int i = 0; i < count; ++i) {
      const auto appended = world_.AppendDurably(
          {.values = {std::string(value_bytes, 'v')}, .timestamp_ms = 1'000 + next_++});
      ASSERT_TRUE(appended.ok()) << appended.status();
    }
  }
  /// Everything is recorded, and the cache knows nothing any more.
  RecoveryReport Restart() {
    world_.Advance(absl::Seconds(2));
    world_.Run();
    world_.Kill();
    EXPECT_TRUE(world_.Start().ok());
    const auto report = world_.Open();
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(RecoveryReport());
  }
  /// While the file of the index is not to be opened, and not longer.
  void ExpectPassingErrorOfTheIndex() {
    world_.disk().SetFaultHook([index = Index()](support::DiskCall call, const std::string& path) {
      return call == support::DiskCall::kOpen && path == index
                 ? support::MemoryFileSystem::IoError(path)
                 : absl::OkStatus();
    });
    EXPECT_EQ(ReasonOf(world_.Read(Offset(0)).status()), Reason::kInternal);
    EXPECT_EQ(ReasonOf(world_.FindOffset(1'001).status()), Reason::kInternal);
    world_.disk().SetFaultHook(nullptr);
    EXPECT_THAT(RefusedFrom(0, 3), ElementsAre("", "", ""));
    EXPECT_EQ(*world_.FindOffset(1'001), Offset(1));
  }
  std::string Segment(int64_t base = 0) const {
    return world_.Path(OffsetFileName(Offset(base), kSegmentSuffix));
  }
  std::string Index(int64_t base = 0) const {
    return world_.Path(OffsetFileName(Offset(base), kIndexSuffix));
  }
  uint64_t PositionOf(int64_t offset, int64_t segment = 0) {
    const std::string content = world_.ReadFile(Segment(segment));
    uint64_t position = 0;
    while (true) {
      const auto header = record::ParseHeader(base::AsBytes(content).subspan(position));
      EXPECT_TRUE(header.ok()) << offset;
      if (!header.ok() || header->base_offset == Offset(offset)) return position;
      position += header->size();
    }
  }
  /// One bit of the values of the batch.
  void Damage(int64_t offset, int64_t segment = 0) {
    world_.FlipBit(Segment(segment), PositionOf(offset, segment) + 80);
  }
  /// "A..B", B being the next readable one; "" when the offset can be read.
  std::string Refused(int64_t offset) {
    const auto read = world_.Read(Offset(offset), 10);
    if (read.ok()) {
      EXPECT_GT(read->next_offset, Offset(offset));
      return "";
    }
    EXPECT_EQ(ReasonOf(read.status()), Reason::kCorruptData) << read.status();
    const auto range = CorruptRangeOf(read.status());
    if (!range) return "no range";
    return std::to_string(range->first.value()) + ".." + std::to_string(range->next.value());
  }
  std::vector<std::string> RefusedFrom(int64_t begin, int64_t end) {
    std::vector<std::string> refused;
    for (int64_t offset = begin; offset < end; ++offset) refused.push_back(Refused(offset));
    return refused;
  }

  StorageWorld world_;
  int next_ = 0;
};

TEST_F(DamagedReadTest, FirstRunIsRefusedAlone) {
  Append(4);
  Restart();
  Damage(0);
  EXPECT_THAT(RefusedFrom(0, 4), ElementsAre("0..1", "", "", ""));
}

TEST_F(DamagedReadTest, RunInTheMiddleIsRefusedAlone) {
  Append(4);
  Restart();
  Damage(2);
  EXPECT_THAT(RefusedFrom(0, 4), ElementsAre("", "", "2..3", ""));
}

TEST_F(DamagedReadTest, BehindTheLastRunTheEndOfTheLogIsTheNextReadableOffset) {
  Append(4);
  Restart();
  Damage(3);
  EXPECT_THAT(RefusedFrom(0, 4), ElementsAre("", "", "", "3..4"));
  Append(1);
  EXPECT_EQ(Refused(4), "");
}

TEST_F(DamagedReadTest, AdjoiningRunsAreOneRange) {
  Append(6);
  Restart();
  Damage(2);
  Damage(3);
  EXPECT_THAT(RefusedFrom(1, 6), ElementsAre("", "2..4", "3..4", "", ""));
}

TEST_F(DamagedReadTest, DamageThatGoesOnInTheNextSegmentIsOneRange) {
  world_.log_options().segment_bytes = 20'000;
  Append(8);
  Restart();
  ASSERT_TRUE(world_.Exists(Segment(3)));
  Damage(2);
  Damage(3, 3);
  EXPECT_THAT(RefusedFrom(1, 5), ElementsAre("", "2..4", "3..4", ""));
}

TEST_F(DamagedReadTest, LastRunOfASegmentEndsWhereTheNextSegmentBegins) {
  world_.log_options().segment_bytes = 20'000;
  Append(8);
  Restart();
  Damage(2);
  EXPECT_THAT(RefusedFrom(1, 4), ElementsAre("", "2..3", ""));
}

TEST_F(DamagedReadTest, MissingSegmentIsRefusedAndTheRestServed) {
  world_.log_options().segment_bytes = 20'000;
  Append(10);
  Restart();
  world_.RemoveFile(Segment(3));
  EXPECT_THAT(RefusedFrom(2, 7), ElementsAre("", "3..6", "3..6", "3..6", ""));
  EXPECT_THAT(std::string(world_.Read(Offset(4)).status().message()),
              testing::AllOf(HasSubstr(Segment(3)), HasSubstr("no file")));
}

TEST_F(DamagedReadTest, SegmentThatWasMissingAtTheStartIsRefusedAndTheRestServed) {
  world_.log_options().segment_bytes = 20'000;
  Append(10);
  world_.RemoveFile(Segment(3));
  Restart();
  EXPECT_THAT(RefusedFrom(2, 7), ElementsAre("", "3..6", "3..6", "3..6", ""));
}

TEST_F(DamagedReadTest, MissingFirstSegmentIsRefusedUpToTheNextOne) {
  world_.log_options().segment_bytes = 20'000;
  Append(10);
  world_.RemoveFile(Segment());
  const RecoveryReport report = Restart();
  ASSERT_EQ(report.damages.size(), 1U);
  EXPECT_EQ(CorruptRangeOf(report.damages[0]),
            (CorruptRange{.first = Offset(0), .next = Offset(3)}));
  EXPECT_THAT(RefusedFrom(0, 4), ElementsAre("0..3", "1..3", "2..3", ""));
  EXPECT_EQ(*world_.FindOffset(1'001), Offset(0)) << "the damage is met, not passed over";
  EXPECT_EQ(*world_.FindOffset(1'005), Offset(5));
}

TEST_F(DamagedReadTest, MissingLastSegmentIsRefusedUpToTheEndOfTheLog) {
  world_.log_options().segment_bytes = 20'000;
  Append(8);
  world_.RemoveFile(Segment(6));
  const RecoveryReport report = Restart();
  ASSERT_EQ(report.damages.size(), 1U);
  EXPECT_EQ(CorruptRangeOf(report.damages[0]),
            (CorruptRange{.first = Offset(6), .next = Offset(8)}));
  EXPECT_THAT(RefusedFrom(5, 8), ElementsAre("", "6..8", "6..8"));
}

TEST_F(DamagedReadTest, SmallBatchesAreRefusedWithTheirWholeRun) {
  Append(60, kSmallBytes);
  Restart();
  Damage(30);
  const auto range = CorruptRangeOf(world_.Read(Offset(30), 10).status());
  ASSERT_TRUE(range.has_value());
  EXPECT_LE(range->first, Offset(30));
  EXPECT_GT(range->next, Offset(30));
  EXPECT_LT(range->next, Offset(60));
  EXPECT_EQ(Refused(range->first.value() - 1), "");
  EXPECT_EQ(Refused(range->next.value()), "");
}

TEST_F(DamagedReadTest, BatchesThatNoIndexEntryHoldsAreRefusedUpToTheEndOfTheLog) {
  Append(2);
  Append(3, kSmallBytes);
  Restart();
  Damage(3);
  EXPECT_THAT(RefusedFrom(1, 5), ElementsAre("", "", "3..5", "3..5"));
}

TEST_F(DamagedReadTest, WhatWasLeftOutWhenTheIndexWasMadeAgainIsRefused) {
  world_.log_options().segment_bytes = 40'000;
  Append(12);
  const uint64_t position = PositionOf(3);
  Restart();
  Damage(3);
  world_.RemoveFile(Index());
  const RecoveryReport report = Restart();
  ASSERT_EQ(report.indexes_rebuilt, 1);
  ASSERT_EQ(report.damages.size(), 1U);
  EXPECT_EQ(CorruptRangeOf(report.damages[0]),
            (CorruptRange{.first = Offset(3), .next = Offset(4)}));
  EXPECT_THAT(RefusedFrom(2, 5), ElementsAre("", "3..4", ""));
  EXPECT_THAT(std::string(world_.Read(Offset(3)).status().message()),
              HasSubstr("damaged at position " + std::to_string(position)));
}

TEST_F(DamagedReadTest, RefusalSaysWhereWhatAndHowToGoOn) {
  Append(6);
  Restart();
  Damage(2);
  Damage(3);
  EXPECT_THAT(std::string(world_.Read(Offset(2), 10).status().message()),
              testing::AllOf(HasSubstr(Segment()), HasSubstr("position"), HasSubstr("expected"),
                             HasSubstr("found"),
                             HasSubstr("; offsets 2 to 3 cannot be read, the next readable one is "
                                       "4")));
}

TEST_F(DamagedReadTest, MoreDamageThanIsLookedAtIsRefusedPieceByPiece) {
  const int damaged = LogReader::kDamagedRunsMax + 10;
  Append(damaged + 2);
  Restart();
  for (int offset = 1; offset <= damaged; ++offset) Damage(offset);
  const auto first = CorruptRangeOf(world_.Read(Offset(1), 10).status());
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->next, Offset(1 + 1 + LogReader::kDamagedRunsMax));
  EXPECT_EQ(Refused(first->next.value()),
            std::to_string(first->next.value()) + ".." + std::to_string(damaged + 1));
  EXPECT_EQ(Refused(damaged + 1), "");
}

TEST_F(DamagedReadTest, TimeThatMayLieInDamageIsFoundWhereTheDamageBegins) {
  world_.log_options().segment_bytes = 20'000;
  Append(10);
  Restart();
  Damage(1);
  world_.RemoveFile(Segment(3));
  EXPECT_EQ(*world_.FindOffset(1'000), Offset(0));
  EXPECT_EQ(*world_.FindOffset(1'001), Offset(1)) << "the damage is met, not passed over";
  EXPECT_EQ(*world_.FindOffset(1'002), Offset(2));
  EXPECT_EQ(*world_.FindOffset(1'004), Offset(3)) << "the segment that is gone may hold it";
}

// A rebuilt index has no entries for damage. The search passed over such holes, so that its answer
// lay behind the damage.
TEST_F(DamagedReadTest, TimeThatMayLieInAHoleOfARebuiltIndexIsFoundWhereTheHoleBegins) {
  world_.log_options().segment_bytes = 40'000;
  Append(12);
  ASSERT_TRUE(world_.Exists(Segment(7)));
  Restart();
  Damage(0);
  Damage(3);
  Damage(6);
  world_.RemoveFile(Index());
  ASSERT_EQ(Restart().indexes_rebuilt, 1);
  EXPECT_EQ(*world_.FindOffset(1'000), Offset(0));
  EXPECT_EQ(*world_.FindOffset(1'001), Offset(0)) << "the first run may not be the first with it";
  EXPECT_EQ(*world_.FindOffset(1'002), Offset(2));
  EXPECT_EQ(*world_.FindOffset(1'003), Offset(3));
  EXPECT_EQ(*world_.FindOffset(1'004), Offset(3)) << "the hole right before may hold it";
  EXPECT_EQ(*world_.FindOffset(1'005), Offset(5));
  EXPECT_EQ(*world_.FindOffset(1'006), Offset(6)) << "the hole at the end of the segment";
  EXPECT_EQ(*world_.FindOffset(1'007), Offset(6));
  EXPECT_EQ(*world_.FindOffset(1'008), Offset(8));
}

TEST_F(DamagedReadTest, TimeThatMayLieInASegmentWithoutAnyRunIsFoundWhereItBegins) {
  world_.log_options().segment_bytes = 20'000;
  Append(10);
  Restart();
  for (const int64_t offset : {3, 4, 5}) Damage(offset, 3);
  world_.RemoveFile(Index(3));
  ASSERT_EQ(Restart().indexes_rebuilt, 1);
  EXPECT_EQ(*world_.FindOffset(1'002), Offset(2));
  EXPECT_EQ(*world_.FindOffset(1'004), Offset(3));
  EXPECT_EQ(*world_.FindOffset(1'006), Offset(3));
  EXPECT_EQ(*world_.FindOffset(1'007), Offset(7));
}

// A failed read was an internal error, without a range that anybody could pass over.
TEST_F(DamagedReadTest, SectorThatCannotBeReadHidesOnlyItsRun) {
  Append(6);
  Restart();
  const uint64_t sector = PositionOf(3) / kSalvageBlockBytes * kSalvageBlockBytes;
  ASSERT_GT(sector, PositionOf(2));
  world_.disk().MakeUnreadable(Segment(), sector - 1'000, sector - 500);
  EXPECT_THAT(RefusedFrom(1, 6), ElementsAre("", "2..3", "", "", ""));
  EXPECT_THAT(std::string(world_.Read(Offset(2)).status().message()),
              testing::AllOf(HasSubstr(Segment()), HasSubstr("EIO"), HasSubstr("offsets 2 to 2")));
  EXPECT_EQ(*world_.FindOffset(1'002), Offset(2));
}

TEST_F(DamagedReadTest, SectorThatCannotBeReadBehindTheLastRunHidesUpToTheEndOfTheLog) {
  Append(2);
  Append(3, kSmallBytes);
  Restart();
  world_.disk().MakeUnreadable(Segment(), PositionOf(3), PositionOf(3) + 1);
  EXPECT_EQ(Refused(1), "");
  EXPECT_EQ(Refused(4), "2..5") << "the whole block is gone";
}

TEST_F(DamagedReadTest, IndexThatCannotBeReadIsMadeAgain) {
  world_.log_options().segment_bytes = 20'000;
  Append(10);
  Restart();
  world_.disk().MakeUnreadable(Index(), 0, kSalvageBlockBytes);
  EXPECT_THAT(RefusedFrom(0, 4), ElementsAre("", "", "", ""));
}

// What the index did not give was refused as damage, until the next checkpoint.
TEST_F(DamagedReadTest, IndexOfTheLastSegmentThatCannotBeReadIsAPassingError) {
  Append(2);
  Restart();
  Append(1);
  ExpectPassingErrorOfTheIndex();
}

TEST_F(DamagedReadTest, IndexThatTheCheckpointHasToFinishAndThatCannotBeReadIsAPassingError) {
  world_.log_options().segment_bytes = 20'000;
  Append(2);
  Restart();
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(
        world_.Append({.values = {std::string(kRunBytes, 'v')}, .timestamp_ms = 1'000 + next_++})
            .ok());
  }
  world_.RunWithoutCheckpoint();
  ASSERT_TRUE(world_.Exists(Segment(3))) << "the segment before it is complete";
  ExpectPassingErrorOfTheIndex();
}

TEST_F(DamagedReadTest, RecoveryNamesTheOffsetsThatDamageHides) {
  Append(3, kSmallBytes);
  world_.Advance(absl::Seconds(2));
  world_.Run();
  Damage(1);
  const RecoveryReport report = Restart();
  ASSERT_EQ(report.damages.size(), 1U);
  EXPECT_EQ(CorruptRangeOf(report.damages[0]),
            (CorruptRange{.first = Offset(1), .next = Offset(2)}));
  EXPECT_THAT(RefusedFrom(0, 3), ElementsAre("", "1..2", ""));
}

TEST_F(DamagedReadTest, FileThatBecameShorterHidesUpToTheFlushedPoint) {
  Append(4);
  const uint64_t position = PositionOf(2);
  Restart();
  world_.Resize(Segment(), position + 100);
  world_.RemoveFile(Index());
  const RecoveryReport report = Restart();
  ASSERT_EQ(report.damages.size(), 1U);
  EXPECT_EQ(CorruptRangeOf(report.damages[0]),
            (CorruptRange{.first = Offset(2), .next = Offset(4)}));
  EXPECT_THAT(RefusedFrom(1, 4), ElementsAre("", "2..4", "2..4"));
}

}  // namespace
}  // namespace talosmq::storage
