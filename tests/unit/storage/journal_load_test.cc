// A journal that takes more than is written back: who waits for what.

#include "storage/allocation.h"
#include "storage/disk_reserve.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/storage/journal_fixture.h"

#include <string>

namespace talosmq::storage {
namespace {

using support::DiskCall;
using support::MemoryFileSystem;
using support::StorageWorld;
using testing::ElementsAre;

TEST_F(JournalTest, FullHoldMakesTheNextGroupWaitForTheWriteBack) {
  world_.Kill();
  world_.store_options().tail_cache_bytes_max = 40'000;
  ASSERT_TRUE(world_.Start().ok());
  int acknowledged = 0;
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(world_.Append({.values = {std::string(3'000, 'v')}}).ok()) << i;
    world_.RunWithoutWriteBack();
    acknowledged = static_cast<int>(world_.log().durable_end().value());
  }
  EXPECT_GE(acknowledged, 6);
  EXPECT_LT(acknowledged, 12) << "half of the cache holds at most 20,000 bytes";
  world_.Run();
  EXPECT_EQ(world_.log().durable_end(), Offset(12));
  EXPECT_EQ(Values().size(), 12U);
}

/// A journal of which at most 200,000 bytes may be held; three quarters of that are load.
class LoadedJournalTest : public JournalTest {
 protected:
  void SetUp() override {
    world_.Kill();
    world_.store_options().tail_cache_bytes_max = 400'000;
    world_.store_options().awaited_bytes_min = 10'000;
    world_.reserve_options().bytes = kReserveBytes;
    world_.disk().SetCapacity(kReserveBytes * DiskReserve::kShareOfDisk);
    ASSERT_TRUE(world_.Start().ok());
    ASSERT_TRUE(world_.Open(kOther).ok());
    for (int i = 0; i < kBeforeLoad; ++i) AppendWithoutWriteBack(std::string(30'000, 'v'));
    ASSERT_EQ(world_.log().durable_end(), Offset(kBeforeLoad));
  }
  void AppendWithoutWriteBack(const std::string& value,
                              const TopicPartition& id = StorageWorld::kLog) {
    ASSERT_TRUE(world_.Append({.values = {value}}, id).ok());
    world_.RunWithoutWriteBack();
  }

  void EndInterval() {
    world_.Advance(world_.store_options().space_interval);
    world_.Run();
  }
  size_t SegmentSize(const TopicPartition& id, const char* name = "00000000000000000000.log") {
    return world_.ReadFile(world_.Path(name, id)).size();
  }

  static constexpr int kBeforeLoad = 5;
  static constexpr int64_t kReserveBytes = 640 << 10;
};

TEST_F(LoadedJournalTest, WhatIsLargeIsDurableWithItsWriteBack) {
  const uint64_t before = Groups().back().group.sequence;
  AppendWithoutWriteBack(std::string(30'000, 'w'));
  EXPECT_EQ(world_.log().durable_end(), Offset(kBeforeLoad));
  EXPECT_EQ(Groups().back().group.sequence, before);
  world_.Run();
  EXPECT_EQ(world_.log().durable_end(), Offset(kBeforeLoad + 1));
  CutPowerAndStart();
  EXPECT_EQ(Values().size(), kBeforeLoad + 1U);
}

TEST_F(LoadedJournalTest, WhatIsSmallIsJournaledUnlessItFollowsWhatIsAwaited) {
  AppendWithoutWriteBack(std::string(30'000, 'w'));
  AppendWithoutWriteBack("small");
  AppendWithoutWriteBack("other", kOther);
  EXPECT_EQ(world_.log().durable_end(), Offset(kBeforeLoad));
  EXPECT_EQ(world_.log(kOther).durable_end(), Offset(1));
  CutPowerAndStart();
  EXPECT_EQ(Values().size(), size_t{kBeforeLoad}) << "of the rest nobody was told";
  EXPECT_THAT(Values(kOther), ElementsAre("other"));
  EXPECT_TRUE(world_.store().health().ok());
}

TEST_F(LoadedJournalTest, LongQueueIsLoadHoweverLittleIsHeld) {
  world_.Run();
  world_.Kill();
  world_.store_options().flush_group_bytes_max = 30'000;
  ASSERT_TRUE(world_.Start().ok());
  const uint64_t before = Groups().back().group.sequence;
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(world_.Append({.values = {std::string(29'000, 'w')}}).ok());
  world_.RunWithoutWriteBack();
  EXPECT_EQ(Groups().back().group.sequence, before);
  EXPECT_EQ(world_.log().durable_end(), Offset(kBeforeLoad));
  world_.Run();
  EXPECT_EQ(world_.log().durable_end(), Offset(kBeforeLoad + 3));
}

// Its catalogue entry comes before the sync of its folder: a power cut made it a lost log.
TEST_F(LoadedJournalTest, FirstBatchOfALogIsJournaledAlsoUnderLoad) {
  AppendWithoutWriteBack(std::string(30'000, 'n'), kOther);
  EXPECT_EQ(world_.log(kOther).durable_end(), Offset(1));
  world_.disk().FailNth(DiskCall::kSyncVolume, 2, MemoryFileSystem::IoError("disk"));
  world_.Run();
  CutPowerAndStart();
  EXPECT_EQ(Values(kOther).size(), 1U);
}

// What a client sends comes in bursts, and each would begin with bytes that are written twice.
TEST_F(LoadedJournalTest, LoadEndsAfterAnIntervalWithLittleHeld) {
  AppendWithoutWriteBack(std::string(30'000, 'w'));
  world_.Run();
  const uint64_t before = Groups().back().group.sequence;
  EndInterval();
  AppendWithoutWriteBack(std::string(30'000, 'x'));
  EXPECT_EQ(Groups().back().group.sequence, before) << "much was held in the last interval";
  EndInterval();
  AppendWithoutWriteBack(std::string(30'000, 'y'));
  EXPECT_EQ(Groups().back().group.sequence, before + 1);
  EXPECT_EQ(world_.log().durable_end(), Offset(kBeforeLoad + 3));
}

TEST_F(LoadedJournalTest, LoadDoesNotEndWhileASlowDiskHoldsEverythingUp) {
  AppendWithoutWriteBack(std::string(30'000, 'n'), kOther);
  for (int interval = 0; interval < 3; ++interval) {
    world_.Advance(world_.store_options().space_interval);
    world_.RunWithoutWriteBack();
  }
  world_.Run();
  EXPECT_LT(SegmentSize(kOther), kAllocationStepMin) << "what only load does";
}

TEST_F(LoadedJournalTest, LittleIsNotAllocatedAheadUnderLoad) {
  AppendWithoutWriteBack(std::string(30'000, 'n'), kOther);
  world_.Run();
  EXPECT_LT(SegmentSize(kOther), kAllocationStepMin);
  EndInterval();
  EndInterval();
  Append(std::string(30'000, 'm'), kOther);
  EndInterval();
  EndInterval();  // Nothing has come in this one.
  EXPECT_EQ(SegmentSize(kOther), kAllocationStepMin);
  CutPowerAndStart();
  EXPECT_EQ(Values(kOther).size(), 2U);
}

TEST_F(LoadedJournalTest, MuchIsAllocatedAheadAlsoUnderLoad) {
  AppendWithoutWriteBack(std::string(kAllocationStepMin, 'n'), kOther);
  world_.Run();
  EXPECT_EQ(SegmentSize(kOther), 2 * kAllocationStepMin);
}

TEST_F(LoadedJournalTest, NoSegmentOfALogThatRollsIsAllocatedAheadUnderLoad) {
  AppendWithoutWriteBack(std::string(15'000, 'n'), kOther);
  ASSERT_TRUE(world_.Close(kOther).ok());
  world_.log_options().segment_bytes = 20'000;
  ASSERT_TRUE(world_.Open(kOther).ok());
  // The write-back of the first is under way before the two others come, which go together.
  for (int i = 0; i < 3; ++i) AppendWithoutWriteBack(std::string(15'000, 'n'), kOther);
  world_.Run();
  EXPECT_EQ(world_.log(kOther).durable_end(), Offset(4));
  EXPECT_LT(SegmentSize(kOther, "00000000000000000003.log"), kAllocationStepMin);
}

TEST_F(LoadedJournalTest, WhatAReplayRestoresIsNotAllocatedAhead) {
  AppendWithoutWriteBack("small", kOther);
  world_.Kill();
  ASSERT_TRUE(world_.Start().ok());
  EXPECT_LT(SegmentSize(kOther), kAllocationStepMin);
  EXPECT_THAT(Values(kOther), ElementsAre("small"));
}

// Under load no allocation comes before the write to be refused: half of the bytes are in the file.
TEST_F(LoadedJournalTest, WriteBackThatAFullDiskCutShortIsTriedAgainByTheNextOpening) {
  AppendWithoutWriteBack(std::string(30'000, 'n'), kOther);
  const std::string segment = world_.Path("00000000000000000000.log", kOther);
  world_.disk().SetFaultHook([&segment](DiskCall call, const std::string& path) {
    const bool is_full = call == DiskCall::kWrite && path == segment;
    return is_full ? MemoryFileSystem::StorageFull(path) : absl::OkStatus();
  });
  world_.Run();
  EXPECT_EQ(ReasonOf(world_.last_told(kOther)), Reason::kInternal) << "it may be stored";
  EXPECT_GT(SegmentSize(kOther), 0U);
  world_.disk().SetFaultHook(nullptr);
  ASSERT_TRUE(world_.Close(kOther).ok());
  EXPECT_THAT(Values(kOther), ElementsAre(std::string(30'000, 'n')));
  CutPowerAndStart();
  EXPECT_THAT(Values(kOther), ElementsAre(std::string(30'000, 'n')));
}

TEST_F(LoadedJournalTest, WhatIsAwaitedMayBeStoredWhenTheDiskBecomesFull) {
  AppendWithoutWriteBack(std::string(30'000, 'w'));
  const auto filler = world_.disk().Open("filler", io::OpenMode::kCreate);
  ASSERT_TRUE(filler.ok());
  const int64_t free_bytes = world_.disk().Space("data")->free_bytes;
  ASSERT_TRUE((*filler)->Preallocate(static_cast<uint64_t>(free_bytes)).ok());
  AppendWithoutWriteBack(std::string(30'000, 'x'));
  EXPECT_EQ(ReasonOf(world_.last_told()), Reason::kInternal) << "kStorageFull: nothing was stored";
  ASSERT_TRUE(world_.disk().Remove("filler").ok());
  world_.Run();
  ASSERT_TRUE(world_.Close().ok());
  EXPECT_EQ(Values().size(), kBeforeLoad + 1U);
}

TEST_F(LoadedJournalTest, FailedWriteBackFencesWhatIsAwaited) {
  AppendWithoutWriteBack(std::string(30'000, 'w'));
  world_.disk().SetFaultHook([](DiskCall call, const std::string& path) {
    return call == DiskCall::kSyncVolume ? MemoryFileSystem::IoError(path) : absl::OkStatus();
  });
  world_.Run();
  EXPECT_EQ(ReasonOf(world_.last_told()), Reason::kInternal);
  EXPECT_EQ(world_.log().durable_end(), Offset(kBeforeLoad));
  world_.disk().SetFaultHook(nullptr);
  CutPowerAndStart();
  EXPECT_GE(Values().size(), size_t{kBeforeLoad});
}

TEST_F(LoadedJournalTest, EpochOfWhatAFailedWriteBackLeftInThePageCacheIsWrittenAgain) {
  ASSERT_TRUE(world_.log().BeginEpoch(LeaderEpoch(9)).ok());
  AppendWithoutWriteBack(std::string(30'000, 'w'));
  // The first write-back was begun before.
  world_.disk().FailNth(DiskCall::kSyncVolume, 2, MemoryFileSystem::IoError("disk"));
  world_.Run();
  EXPECT_FALSE(world_.last_told().ok());
  world_.disk().SetFaultHook(nullptr);
  world_.Kill();
  ASSERT_TRUE(world_.Start().ok());
  EXPECT_EQ(Values().size(), kBeforeLoad + 1U);
  CutPowerAndStart();
  EXPECT_EQ(Values().size(), kBeforeLoad + 1U);
  EXPECT_EQ(world_.log().epochs().back().epoch, LeaderEpoch(9));
}

}  // namespace
}  // namespace talosmq::storage
