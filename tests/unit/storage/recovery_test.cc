// Opening a log after a power cut or a kill: loss classes R01 to R08.

#include "base/bytes.h"
#include "storage/checkpoint.h"
#include "storage/segment.h"
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

using support::DiskCall;
using support::MemoryFileSystem;
using support::PowerCut;
using support::StorageWorld;
using testing::HasSubstr;

TEST_F(RecoveryTest, WhatWasAcknowledgedSurvivesAPowerCut) {
  Append(5);
  world_.CutPower(PowerCut::DropUnsynced());
  ASSERT_TRUE(world_.Start().ok());
  ASSERT_TRUE(world_.Open().ok());
  ExpectDense(5);
}

TEST_F(RecoveryTest, ZerosOfThePreallocatedTailAreCut) {
  Append(5);
  const uint64_t end = Positions(Segment()).back();
  ASSERT_GT(world_.ReadFile(Segment()).size(), end);
  const RecoveryReport report = ReopenWell();
  EXPECT_GT(report.truncated_bytes, 0);
  EXPECT_EQ(world_.ReadFile(Segment()).size(), end);
  ExpectDense(5);
}

TEST_F(RecoveryTest, TornBatchIsCutAtEveryByte) {
  Append(2);
  Record();
  Append(1, 40);
  const std::vector<uint64_t> positions = Positions(Segment());
  ASSERT_EQ(positions.size(), 4U);
  const std::string whole = world_.ReadFile(Segment());
  for (uint64_t size = positions[2]; size < positions[3]; ++size) {
    world_.Kill();
    world_.WriteFile(Segment(), whole.substr(0, size));
    const RecoveryReport report = ReopenWell();
    EXPECT_EQ(report.truncated_bytes, static_cast<int64_t>(size - positions[2]));
    EXPECT_EQ(world_.log().log_end(), Offset(2)) << size;
    EXPECT_EQ(world_.ReadFile(Segment()).size(), positions[2]);
  }
  ExpectDense(2);
}

TEST_F(RecoveryTest, TornBatchBeforeZerosIsCutAtEveryByte) {
  Append(2);
  Record();
  Append(1, 40);
  const std::vector<uint64_t> positions = Positions(Segment());
  const std::string whole = world_.ReadFile(Segment());
  // The last byte of the batch is a zero of its own, so one missing byte there misses nothing.
  for (uint64_t size = positions[2]; size + 1 < positions[3]; ++size) {
    world_.Kill();
    std::string torn = whole.substr(0, size);
    torn.resize(whole.size());
    world_.WriteFile(Segment(), torn);
    ReopenWell();
    EXPECT_EQ(world_.log().log_end(), Offset(2)) << size;
  }
}

TEST_F(RecoveryTest, AnyFlippedBitAboveTheFlushedPointCutsThere) {
  Append(2);
  Record();
  Append(2, 20);
  const std::vector<uint64_t> positions = Positions(Segment());
  const std::string whole = world_.ReadFile(Segment());
  for (uint64_t position = positions[2]; position < positions[3]; ++position) {
    world_.Kill();
    world_.WriteFile(Segment(), whole);
    world_.FlipBit(Segment(), position, static_cast<int>(position % 8));
    ReopenWell();
    EXPECT_EQ(world_.log().log_end(), Offset(2)) << position - positions[2];
  }
}

TEST_F(RecoveryTest, StaleBlockBehindTheEndIsNotABatchOfTheLog) {
  Append(3);
  Record();
  const std::vector<uint64_t> positions = Positions(Segment());
  world_.Kill();
  std::string content = world_.ReadFile(Segment());
  // An old block: the log's own first batch once more, whole and with a right CRC.
  content.replace(positions[3], positions[1], content.substr(0, positions[1]));
  world_.WriteFile(Segment(), content);
  ReopenWell();
  ExpectDense(3);
}

// An epoch is on the disk before its first batch, so that what was cut under an older one cannot be
// taken up again (R05).
TEST_F(RecoveryTest, BatchThatWasCutAndComesBackAsAStaleBlockIsNotABatchOfTheLog) {
  Append(2);
  Record();
  Append(1);
  const std::vector<uint64_t> positions = Positions(Segment());
  const std::string whole = world_.ReadFile(Segment());
  world_.Kill();
  world_.Resize(Segment(), positions[2] + 10);
  ReopenWell();
  ASSERT_EQ(world_.log().log_end(), Offset(2));
  world_.disk().SetFaultHook([](DiskCall call, const std::string& path) {
    const bool is_meant = call == DiskCall::kWrite && path.ends_with(kSegmentSuffix);
    return is_meant ? MemoryFileSystem::IoError(path) : absl::OkStatus();
  });
  EXPECT_FALSE(world_.AppendDurably({.values = {"of the next epoch"}}).ok());
  world_.disk().SetFaultHook(nullptr);
  world_.Kill();
  world_.WriteFile(Segment(), whole);
  ReopenWell();
  ExpectDense(2);
}

TEST_F(RecoveryTest, BatchOfAnOlderEpochIsRejected) {
  Append(2);
  Record();
  ASSERT_TRUE(world_.log().BeginEpoch(LeaderEpoch(9)).ok());
  Append(1);
  const std::vector<uint64_t> positions = Positions(Segment());
  world_.Kill();
  std::string content = world_.ReadFile(Segment());
  base::StoreBigEndian(
      reinterpret_cast<std::byte*>(content.data()) + positions[2] + record::kEpochPosition,
      int32_t{1});
  world_.WriteFile(Segment(), content);
  ReopenWell();
  EXPECT_EQ(world_.log().log_end(), Offset(2));
}

TEST_F(RecoveryTest, WhatWasFoundAboveTheFlushedPointIsDurableOnceOpen) {
  Append(1);
  // Written and never synced, as after kill -9 in the middle of a group.
  world_.disk().FailNth(DiskCall::kSync, 1, MemoryFileSystem::IoError("disk"));
  ASSERT_FALSE(world_.AppendDurably({.values = {"1"}}).ok());
  ReopenWell();
  const Offset end = world_.log().durable_end();
  ASSERT_EQ(end, Offset(2)) << "the whole batch was in the page cache";
  world_.CutPower(PowerCut::DropUnsynced());
  ASSERT_TRUE(world_.Start().ok());
  ASSERT_TRUE(world_.Open().ok());
  EXPECT_EQ(world_.log().log_end(), end) << "it was readable, so it must not disappear (R01)";
}

TEST_F(RecoveryTest, WorkIsProportionalToWhatLiesAboveTheFlushedPoint) {
  Append(50, 3000);
  Record();
  Append(3, 3000);
  const RecoveryReport report = ReopenWell();
  EXPECT_LT(report.scanned_bytes, 4 * 3200);
  EXPECT_GT(report.scanned_bytes, 3 * 3000);
  ExpectDense(53);
}

TEST_F(RecoveryTest, TornGroupBeforeTheFirstCheckpointIsCut) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(world_.Append({.values = {std::string(100, 'v')}}).ok());
  }
  world_.RunWithoutCheckpoint();
  const std::vector<uint64_t> positions = Positions(Segment());
  world_.Kill();
  // As a power cut within their flush leaves it: the last one reached the disk, the second did not.
  world_.FlipBit(Segment(), positions[1] + 70);
  const RecoveryReport report = ReopenWell();
  EXPECT_EQ(report.damages.size(), 0U);
  ExpectDense(1);
}

TEST_F(RecoveryTest, WithoutACheckpointNothingIsLost) {
  Append(5, 100);
  Record();
  world_.Kill();
  world_.RemoveFile("data/checkpoint");
  const RecoveryReport report = ReopenWell();
  EXPECT_THAT(report.notes, testing::Contains(HasSubstr("no flushed point is recorded")));
  ExpectDense(5);
}

TEST_F(RecoveryTest, WithoutACheckpointABrokenBatchBeforeWholeOnesIsCorruption) {
  Append(5, 100);
  Record();
  const std::vector<uint64_t> positions = Positions(Segment());
  world_.Kill();
  world_.RemoveFile("data/checkpoint");
  world_.FlipBit(Segment(), positions[2] + 70);
  const RecoveryReport report = ReopenWell();
  EXPECT_EQ(report.damages.size(), 1U);
  EXPECT_EQ(world_.log().log_end(), Offset(5));
  EXPECT_TRUE(world_.Read(Offset(1), 10).ok());
  EXPECT_EQ(ReasonOf(world_.Read(Offset(2), 10).status()), Reason::kCorruptData);
}

TEST_F(RecoveryTest, WithoutACheckpointATornTailIsStillCut) {
  Append(5, 100);
  Record();
  const std::vector<uint64_t> positions = Positions(Segment());
  world_.Kill();
  world_.RemoveFile("data/checkpoint");
  world_.Resize(Segment(), positions[4] + 30);
  ReopenWell();
  ExpectDense(4);
}

TEST_F(RecoveryTest, EpochWhoseBatchesWereCutIsNotForgotten) {
  Append(2);
  Record();
  ASSERT_TRUE(world_.log().BeginEpoch(LeaderEpoch(7)).ok());
  Append(1);
  const std::vector<uint64_t> positions = Positions(Segment());
  world_.Kill();
  world_.Resize(Segment(), positions[1] + (positions[2] - positions[1]) + 10);
  ReopenWell();
  ASSERT_EQ(world_.log().log_end(), Offset(2));
  EXPECT_EQ(world_.log().epochs().back().epoch, LeaderEpoch(7));
  EXPECT_EQ(world_.log().epochs().back().start_offset, Offset(2));
  EXPECT_EQ(ReasonOf(world_.log().BeginEpoch(LeaderEpoch(7))), Reason::kFencedEpoch);
}

TEST_F(RecoveryTest, ProducersSurviveRollsAndPowerCuts) {
  world_.log_options().segment_bytes = 3000;
  for (int i = 0; i < 20; ++i) {
    const record::ProducerStamp producer{
        .producer_id = ProducerId(7), .producer_epoch = 0, .base_sequence = i};
    ASSERT_TRUE(
        world_.AppendDurably({.values = {std::string(500, 'x')}, .producer = producer}).ok());
  }
  world_.CutPower(PowerCut::DropUnsynced());
  ReopenWell();
  const record::ProducerStamp repeated{
      .producer_id = ProducerId(7), .producer_epoch = 0, .base_sequence = 17};
  const auto again = world_.Append({.values = {std::string(500, 'x')}, .producer = repeated});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->is_duplicate);
  EXPECT_EQ(again->base_offset, Offset(17));
  const record::ProducerStamp next{
      .producer_id = ProducerId(7), .producer_epoch = 0, .base_sequence = 20};
  EXPECT_TRUE(world_.AppendDurably({.values = {"y"}, .producer = next}).ok());
}

TEST_F(RecoveryTest, RollInsideOfAGroupLeavesNothingUnsynced) {
  world_.log_options().segment_bytes = 3000;
  ASSERT_TRUE(world_.Append({.values = {std::string(2000, 'a')}}).ok());
  ASSERT_TRUE(world_.Append({.values = {std::string(2000, 'b')}}).ok());
  world_.RunWithoutCheckpoint();
  ASSERT_EQ(world_.log().durable_end(), Offset(2));
  world_.CutPower(PowerCut::DropUnsynced());
  ReopenWell();
  ExpectDense(2);
}

TEST_F(RecoveryTest, SegmentWhoseNameWasNotSyncedIsNotBuiltUponUnsynced) {
  ASSERT_TRUE(world_.Open().ok());
  // The folder is synced for the epoch file, then for the segment, which fails and leaves the name
  // where everybody sees it.
  int syncs = 0;
  const std::string folder = LogDirectory(StorageWorld::kDirectory, StorageWorld::kLog);
  world_.disk().SetFaultHook([&](DiskCall call, const std::string& path) {
    const bool is_meant = call == DiskCall::kSyncDirectory && path == folder;
    return is_meant && ++syncs == 2 ? MemoryFileSystem::IoError(path) : absl::OkStatus();
  });
  ASSERT_FALSE(world_.AppendDurably({.values = {"lost"}}).ok());
  world_.disk().SetFaultHook(nullptr);
  ASSERT_TRUE(world_.Exists(Segment()));
  ReopenWell();
  Append(2);
  world_.CutPower(PowerCut::DropUnsynced());
  ReopenWell();
  EXPECT_GE(world_.log().log_end(), Offset(2));
}

TEST_F(RecoveryTest, EpochFileWhoseNameWasNotSyncedIsNotBuiltUponUnsynced) {
  Append(1);
  Record();
  Append(1);
  ReopenWell();
  Append(1);
  const std::vector<uint64_t> positions = Positions(Segment());
  world_.Kill();
  world_.Resize(Segment(), positions[1] + 10);
  // Opening moves the second epoch down in a new epoch file, and dies before the folder is synced.
  bool is_renamed = false;
  world_.disk().SetFaultHook([&](DiskCall call, const std::string& path) {
    if (is_renamed && call == DiskCall::kSyncDirectory) return MemoryFileSystem::IoError(path);
    is_renamed = is_renamed || (call == DiskCall::kRename && path.find("epochs") != path.npos);
    return absl::OkStatus();
  });
  ASSERT_FALSE(Reopen().ok());
  world_.disk().SetFaultHook(nullptr);
  ReopenWell();
  ASSERT_EQ(world_.log().log_end(), Offset(1));
  Append(1);
  world_.CutPower(PowerCut::DropUnsynced());
  const RecoveryReport report = ReopenWell();
  EXPECT_EQ(report.damages.size(), 0U);
  ExpectDense(2);
}

TEST_F(RecoveryTest, IndexWhoseSyncFailedIsWrittenAnewWhenTheLogIsOpenedAgain) {
  Append(3, 5000);
  world_.disk().SetFaultHook([](DiskCall call, const std::string& path) {
    const bool is_meant = call == DiskCall::kSync && path.ends_with(kIndexSuffix);
    return is_meant ? MemoryFileSystem::IoError(path) : absl::OkStatus();
  });
  Record();
  EXPECT_FALSE(world_.last_told().ok()) << "the log is fenced by its checkpoint as well";
  world_.disk().SetFaultHook(nullptr);
  EXPECT_FALSE(world_.Close().ok());
  ASSERT_TRUE(world_.Open().ok());
  Append(2, 5000);
  Record();
  world_.CutPower(PowerCut::DropUnsynced());
  const RecoveryReport report = ReopenWell();
  EXPECT_EQ(report.indexes_rebuilt, 0);
  ExpectDense(5);
}

TEST_F(RecoveryTest, LeftoversOfAtomicWritesAreRemovedAndForeignFilesKept) {
  Append(1);
  world_.Kill();
  world_.WriteFile(world_.Path("epochs.tmp"), "half");
  world_.WriteFile(world_.Path("notes.txt"), "mine");
  ReopenWell();
  EXPECT_FALSE(world_.Exists(world_.Path("epochs.tmp")));
  EXPECT_TRUE(world_.Exists(world_.Path("notes.txt")));
}

TEST_F(RecoveryTest, SyncThatFailsWhileOpeningIsAnErrorOfOpening) {
  Append(2);
  world_.Kill();
  ASSERT_TRUE(world_.Start().ok());
  world_.disk().FailNth(DiskCall::kSync, 1, MemoryFileSystem::IoError("disk"));
  EXPECT_FALSE(world_.Open().ok());
  ASSERT_TRUE(world_.Open().ok());
  ExpectDense(2);
}

}  // namespace
}  // namespace talosmq::storage
