// The shared journal: what it holds is found again, and goes when it is written back.

#include "storage/segment.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/storage/journal_fixture.h"

#include <string>

namespace talosmq::storage {
namespace {

using support::BatchOf;
using support::DiskCall;
using support::MemoryFileSystem;
using support::PowerCut;
using support::StorageWorld;
using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(JournalTest, WhatWasAcknowledgedIsOnlyInTheJournalAndFoundAgain) {
  Append("a");
  Append("b", kOther);
  Append("c");
  EXPECT_FALSE(world_.Exists(world_.Path(OffsetFileName(Offset(0), kSegmentSuffix))));
  CutPowerAndStart();
  EXPECT_THAT(Values(), ElementsAre("a", "c"));
  EXPECT_THAT(Values(kOther), ElementsAre("b"));
  EXPECT_TRUE(world_.store().health().ok());
}

TEST_F(JournalTest, ReplayedTwiceIsTheSame) {
  Append("a");
  Append("b");
  for (int i = 0; i < 3; ++i) {
    CutPowerAndStart();
    EXPECT_THAT(Values(), ElementsAre("a", "b"));
  }
  Append("c");
  CutPowerAndStart();
  EXPECT_THAT(Values(), ElementsAre("a", "b", "c"));
}

TEST_F(JournalTest, FailedGroupCountsForNobodyLater) {
  Append("kept");
  world_.disk().FailNth(DiskCall::kSync, 1, MemoryFileSystem::IoError("disk"));
  EXPECT_FALSE(world_.AppendDurably({.values = {"failed"}}).ok());
  ASSERT_TRUE(world_.Close().ok());
  Append("in its place");
  CutPowerAndStart();
  EXPECT_THAT(Values(), ElementsAre("kept", "in its place"));
}

TEST_F(JournalTest, UntilAFailedGroupIsGivenUpNothingIsTaken) {
  Append("kept");
  Append("other", kOther);
  world_.disk().SetFaultHook([](DiskCall call, const std::string& path) {
    const bool is_journal = path.find("journal") != std::string::npos;
    return call == DiskCall::kSync && is_journal ? MemoryFileSystem::IoError(path)
                                                 : absl::OkStatus();
  });
  EXPECT_FALSE(world_.AppendDurably({.values = {"failed"}}).ok());
  const auto refused = world_.AppendDurably({.values = {"refused"}}, kOther);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("nothing is stored"));
  world_.disk().SetFaultHook(nullptr);
  ASSERT_TRUE(world_.Close(kOther).ok());
  Append("later", kOther);
  CutPowerAndStart();
  EXPECT_THAT(Values(), ElementsAre("kept"));
  EXPECT_THAT(Values(kOther), ElementsAre("other", "later"));
}

// Each attempt left a file behind, a thousand logs many a second.
TEST_F(JournalTest, AttemptsToGiveUpAGroupDoNotAddFiles) {
  Append("kept");
  for (const DiskCall failing :
       {DiskCall::kSync, DiskCall::kPreallocate, DiskCall::kSyncDirectory}) {
    SCOPED_TRACE(static_cast<int>(failing));
    world_.disk().SetFaultHook([failing](DiskCall call, const std::string& path) {
      const bool is_journal = path.find("journal") != std::string::npos;
      const bool fails = call == DiskCall::kSync || call == failing;
      return fails && is_journal ? MemoryFileSystem::IoError(path) : absl::OkStatus();
    });
    for (int i = 0; i < 20; ++i) {
      EXPECT_FALSE(world_.AppendDurably({.values = {"failed"}}).ok());
      (void)world_.Close();
    }
    EXPECT_LE(world_.disk().List("data/journal")->size(), 6U);
    world_.disk().SetFaultHook(nullptr);
    Append("kept", kOther);
  }
  CutPowerAndStart();
  EXPECT_THAT(Values(), ElementsAre("kept"));
  EXPECT_EQ(Values(kOther).size(), 3U);
}

TEST_F(JournalTest, WhatCannotBeWrittenBackIsThereWhenTheLogIsOpenedAgain) {
  Append("a");
  Append("b");
  world_.disk().SetFaultHook([](DiskCall call, const std::string& path) {
    const bool is_segment = path.ends_with(kSegmentSuffix);
    return call == DiskCall::kWrite && is_segment ? MemoryFileSystem::IoError(path)
                                                  : absl::OkStatus();
  });
  (void)world_.Close();
  EXPECT_EQ(ReasonOf(world_.Open().status()), Reason::kInternal) << "the disk still fails";
  world_.disk().SetFaultHook(nullptr);
  EXPECT_THAT(Values(), ElementsAre("a", "b"));
  Append("c");
  CutPowerAndStart();
  EXPECT_THAT(Values(), ElementsAre("a", "b", "c"));
}

TEST_F(JournalTest, SegmentsThatCouldNotBeWrittenBackAreThereWhenTheLogIsOpenedAgain) {
  world_.log_options().segment_bytes = 100;
  for (const char* value : {"a", "b", "c"}) Append(value);
  world_.disk().SetFaultHook([](DiskCall call, const std::string& path) {
    return call == DiskCall::kSyncVolume ? MemoryFileSystem::IoError(path) : absl::OkStatus();
  });
  (void)world_.Close();
  world_.disk().SetFaultHook(nullptr);
  EXPECT_THAT(Values(), ElementsAre("a", "b", "c"));
}

TEST_F(JournalTest, DeletedLogDoesNotComeBack) {
  Append("gone");
  Append("stays", kOther);
  ASSERT_TRUE(world_.Close().ok());
  ASSERT_TRUE(world_.Delete().ok());
  CutPowerAndStart();
  EXPECT_FALSE(world_.Exists(LogDirectory(StorageWorld::kDirectory, StorageWorld::kLog)));
  EXPECT_THAT(Values(kOther), ElementsAre("stays"));
}

TEST_F(JournalTest, ClosedLogHasEverythingInItsSegment) {
  Append("a");
  ASSERT_TRUE(world_.Close().ok());
  EXPECT_THAT(world_.ReadFile(world_.Path(OffsetFileName(Offset(0), kSegmentSuffix))),
              HasSubstr("a"));
}

TEST_F(JournalTest, ServerWithoutLoadHasEverythingInItsSegments) {
  world_.Kill();
  world_.store_options().tail_cache_bytes_max = 40'000;  // 5,000 bytes in one write-back.
  ASSERT_TRUE(world_.Start().ok());
  const std::string segment = OffsetFileName(Offset(0), kSegmentSuffix);
  Append(std::string(6'000, 'v'));
  Append("b", kOther);
  world_.Advance(world_.store_options().space_interval);
  world_.Run();
  EXPECT_FALSE(world_.Exists(world_.Path(segment))) << "there was load until just now";
  world_.Advance(world_.store_options().space_interval);
  world_.Run();
  EXPECT_TRUE(world_.Exists(world_.Path(segment)));
  EXPECT_THAT(world_.ReadFile(world_.Path(segment, kOther)), HasSubstr("b"));
}

TEST_F(JournalTest, TimeIsFoundInWhatTheJournalHolds) {
  ASSERT_TRUE(world_.AppendDurably({.values = {"early"}, .timestamp_ms = 1'000}).ok());
  ASSERT_TRUE(world_.AppendDurably({.values = {"late"}, .timestamp_ms = 2'000}).ok());
  EXPECT_EQ(*world_.FindOffset(1'500), Offset(1));
  EXPECT_EQ(*world_.FindOffset(2'500), Offset(2));
}

// The close overtook the write that begins the segment, recorded a point in a file that was not
// there, and the file came into being behind it.
TEST_F(JournalTest, CloseWaitsForASegmentThatIsToBeBegun) {
  world_.Kill();
  world_.store_options().tail_cache_bytes_max = 40'000;
  world_.log_options().retention.age_max = absl::Hours(1);
  ASSERT_TRUE(world_.Start().ok());
  // Together more than may be held, and the last write-back has all of it.
  for (const size_t size : {9'000U, 12'000U}) {
    ASSERT_TRUE(world_.Append({.values = {std::string(size, 'v')}}).ok());
    world_.RunWithoutWriteBack();
  }
  ASSERT_EQ(world_.log().durable_end(), Offset(2));
  world_.Advance(absl::Hours(2));
  world_.log().ApplyRetention(world_.clock().Now(), Offset(2),
                              [](const absl::Status& applied) { EXPECT_TRUE(applied.ok()); });
  absl::Status closed = absl::InternalError("no answer");
  world_.log().Close([&](absl::Status status) { closed = std::move(status); });
  while (world_.flush().RunOne()) continue;
  ASSERT_TRUE(world_.RunOne());  // The write-back.
  ASSERT_TRUE(world_.flush().RunOne());
  world_.RunWithoutFlush();
  world_.Run();
  EXPECT_TRUE(closed.ok()) << closed;
  EXPECT_TRUE(world_.store().last_failure().ok());
  const auto opened = world_.Open();
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_THAT(opened->notes, testing::IsEmpty());
  EXPECT_TRUE(world_.Exists(world_.Path(OffsetFileName(Offset(2), kSegmentSuffix))));
  Append("2");
  EXPECT_EQ(Values().size(), 3U);
}

TEST_F(JournalTest, ReplayLeavesTheEpochsOfCompleteSegmentsAlone) {
  world_.log_options().segment_bytes = 300'100;
  Append("a");
  ASSERT_TRUE(world_.Close().ok());
  Append("begins an epoch");
  ASSERT_TRUE(world_.Append({.values = {std::string(300'000, 'x')}}).ok());
  world_.RunWithoutCheckpoint();
  ASSERT_TRUE(world_.Exists(world_.Path(OffsetFileName(Offset(2), kSegmentSuffix))));
  const std::string epochs = world_.ReadFile(world_.Path("epochs"));
  CutPowerAndStart();
  EXPECT_EQ(world_.ReadFile(world_.Path("epochs")), epochs);
  EXPECT_EQ(Values().size(), 3U);
}

TEST_F(JournalTest, FullDiskIsPassingForAJournalThatHasWrittenNothing) {
  Append("kept");
  world_.disk().SetFaultHook([](DiskCall call, const std::string& path) {
    return call == DiskCall::kPreallocate ? MemoryFileSystem::StorageFull(path) : absl::OkStatus();
  });
  const auto full = world_.AppendDurably({.values = {std::string(100'000, 'x')}});
  EXPECT_EQ(ReasonOf(full.status()), Reason::kStorageFull);
  world_.disk().SetFaultHook(nullptr);
  ASSERT_TRUE(world_.Close().ok());
  Append("later");
  CutPowerAndStart();
  EXPECT_THAT(Values(), ElementsAre("kept", "later"));
}

TEST_F(JournalTest, FileWhoseNameWasNotSyncedIsNeverUsed) {
  world_.Kill();
  world_.store_options().journal_file_bytes = 8'192;  // A file for each group.
  ASSERT_TRUE(world_.Start().ok());
  Append("kept");
  int failures = 1;
  world_.disk().SetFaultHook([&failures](DiskCall call, const std::string& path) {
    const bool fails = call == DiskCall::kSyncDirectory && path == "data/journal" && failures-- > 0;
    return fails ? MemoryFileSystem::IoError(path) : absl::OkStatus();
  });
  EXPECT_FALSE(world_.AppendDurably({.values = {"failed"}}).ok());
  (void)world_.Close();  // It is fenced.
  Append("later");
  CutPowerAndStart();
  EXPECT_THAT(Values(), ElementsAre("kept", "later"));
}

TEST_F(JournalTest, StartsDoNotAddFiles) {
  for (int i = 0; i < 5; ++i) {
    Append("a");
    CutPowerAndStart();
  }
  EXPECT_EQ(world_.disk().List("data/journal")->size(), 2U) << "the identity and one journal file";
}

TEST_F(JournalTest, LogThatCannotBeWrittenBackDoesNotKeepTheJournalGrowing) {
  world_.Kill();
  world_.store_options().tail_cache_bytes_max = 40'000;
  world_.store_options().journal_file_bytes = 16'384;
  world_.store_options().journal_bytes_max = 50'000;
  ASSERT_TRUE(world_.Start().ok());
  Append("stranded");
  const std::string segment = world_.Path(OffsetFileName(Offset(0), kSegmentSuffix));
  world_.disk().SetFaultHook([segment](DiskCall call, const std::string& path) {
    return call == DiskCall::kWrite && path == segment ? MemoryFileSystem::IoError(path)
                                                       : absl::OkStatus();
  });
  (void)world_.Close();
  for (int i = 0; i < 100; ++i) Append(std::string(3'000, 'v'), kOther);
  EXPECT_LE(world_.disk().List("data/journal")->size(), 10U);
  world_.disk().SetFaultHook(nullptr);
  CutPowerAndStart();
  EXPECT_THAT(Values(), ElementsAre("stranded"));
  EXPECT_EQ(Values(kOther).size(), 100U);
}

// It was written again with each group while the journal was long.
TEST_F(JournalTest, LogThatCannotBeWrittenBackIsWrittenAgainOnceForEachFile) {
  world_.Kill();
  world_.store_options().journal_file_bytes = 81'920;  // Ten groups.
  world_.store_options().journal_bytes_max = 1;
  ASSERT_TRUE(world_.Start().ok());
  const std::string segment = world_.Path(OffsetFileName(Offset(0), kSegmentSuffix));
  world_.disk().SetFaultHook([segment](DiskCall call, const std::string& path) {
    return call == DiskCall::kWrite && path == segment ? MemoryFileSystem::IoError(path)
                                                       : absl::OkStatus();
  });
  EXPECT_FALSE(world_.AppendDurably({.values = {"stranded"}}).ok()) << "brought there at once";
  (void)world_.Close();
  for (int i = 0; i < 30; ++i) Append("v", kOther);
  EXPECT_LE(Groups().back().group.sequence, 1U + 30 + 4);
  world_.disk().SetFaultHook(nullptr);
  CutPowerAndStart();
  EXPECT_THAT(Values(), ElementsAre("stranded"));
  EXPECT_EQ(Values(kOther).size(), 30U);
}

/// A log whose one record is in the journal and cannot be brought to its segment, and a journal
/// that becomes so long that the record is written to it again.
class StrandedTest : public JournalTest {
 protected:
  static void Strand(StorageWorld& world) {
    world.store_options().direct_logs_max = 0;
    world.store_options().tail_cache_bytes_max = 40'000;
    world.store_options().journal_file_bytes = 16'384;
    world.store_options().journal_bytes_max = 50'000;
    ASSERT_TRUE(world.Start().ok());
    ASSERT_TRUE(world.AppendDurably(kBatch).ok());
    const std::string segment = world.Path(OffsetFileName(Offset(0), kSegmentSuffix));
    world.disk().SetFaultHook([segment](DiskCall call, const std::string& path) {
      return call == DiskCall::kWrite && path == segment ? MemoryFileSystem::IoError(path)
                                                         : absl::OkStatus();
    });
    (void)world.Close();
  }
  /// To another log; how many were acknowledged.
  static size_t Lengthen(StorageWorld& world) {
    size_t acknowledged = 0;
    while (acknowledged < 40 && world.AppendDurably(kBatch, kOther).ok()) ++acknowledged;
    return acknowledged;
  }

  static inline const BatchOf kBatch{.values = {std::string(3'000, 'v')}};
};

TEST_F(StrandedTest, IsWrittenAgain) {
  world_.Kill();
  Strand(world_);
  EXPECT_EQ(Lengthen(world_), 40U);
  int written = 0;
  for (const FoundGroup& found : Groups()) {
    for (const JournalSection& section : found.group.sections) {
      written += section.log == StorageWorld::kLog;
    }
  }
  EXPECT_GE(written, 1);
  EXPECT_GT(Groups().front().group.sequence, 1U) << "the first one was written over";
}

// The group that was to carry it on was torn, and yet said that no older one counts.
TEST_F(StrandedTest, PowerCutWhileItIsWrittenAgainLosesNothing) {
  for (uint64_t change = 1; change <= 200; ++change) {
    SCOPED_TRACE("change " + std::to_string(change));
    StorageWorld world;
    ASSERT_NO_FATAL_FAILURE(Strand(world));
    world.disk().DieAtChange(change);
    const size_t acknowledged = Lengthen(world);
    world.disk().SetFaultHook(nullptr);
    world.CutPower(PowerCut::Random(change));
    ASSERT_TRUE(world.Start().ok());
    ASSERT_TRUE(world.Open().ok());
    const auto records = world.ReadAll();
    ASSERT_TRUE(records.ok()) << records.status();
    ASSERT_EQ(records->size(), 1U);
    ASSERT_TRUE(world.Open(kOther).ok());
    const auto others = world.ReadAll(kOther);
    ASSERT_TRUE(others.ok()) << others.status();
    ASSERT_GE(others->size(), acknowledged);
  }
}

TEST_F(JournalTest, FilesAreUsedAgain) {
  world_.Kill();
  world_.store_options().tail_cache_bytes_max = 40'000;
  world_.store_options().journal_file_bytes = 16'384;
  ASSERT_TRUE(world_.Start().ok());
  for (int i = 0; i < 100; ++i) Append(std::string(3'000, 'v'));
  EXPECT_LE(world_.disk().List("data/journal")->size(), 6U);
  CutPowerAndStart();
  EXPECT_EQ(Values().size(), 100U);
}

}  // namespace
}  // namespace talosmq::storage
