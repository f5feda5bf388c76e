// Appends, reads, rolls and closes of one log, and what it refuses.

#include "base/text.h"
#include "storage/segment.h"
#include "storage/tail_cache.h"
#include "support/storage_world.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <string>
#include <vector>

namespace talosmq::storage {
namespace {

using support::BatchOf;
using support::DiskCall;
using support::MemoryFileSystem;
using support::ReadRecord;
using support::StorageWorld;

class LogTest : public testing::Test {
 protected:
  LogTest() { EXPECT_TRUE(world_.Start().ok()); }

  /// `count` batches of one record each; the values are their offsets.
  void AppendNumbers(int count) {
    for (int i = 0; i < count; ++i) {
      const std::string value = std::to_string(next_++);
      const auto appended = world_.AppendDurably({.values = {value + Padding()}});
      ASSERT_TRUE(appended.ok()) << appended.status();
    }
  }
  std::string Padding() const { return std::string(padding_, '.'); }

  void ExpectNumbers(int count) {
    const auto records = world_.ReadAll();
    ASSERT_TRUE(records.ok()) << records.status();
    ASSERT_EQ(records->size(), static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) {
      const auto& record = (*records)[static_cast<size_t>(i)];
      EXPECT_EQ(record.offset.value(), i);
      EXPECT_EQ(record.value, std::to_string(i) + Padding());
    }
  }

  /// A new process over what is on the disk.
  RecoveryReport Reopen() {
    EXPECT_TRUE(world_.Start().ok());
    const auto report = world_.Open();
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(RecoveryReport{});
  }

  StorageWorld world_;
  size_t padding_ = 0;
  int next_ = 0;
};

TEST_F(LogTest, FreshLogMakesNoFiles) {
  ASSERT_TRUE(world_.Open().ok());
  EXPECT_EQ(world_.log().log_end(), Offset(0));
  EXPECT_FALSE(world_.Exists(world_.Path("epochs")));
  EXPECT_TRUE(world_.Stop().ok());
}

TEST_F(LogTest, OnlyTheFlushMovesTheDurableEnd) {
  ASSERT_TRUE(world_.Append({.values = {"a", "b"}}).ok());
  world_.RunWithoutFlush();
  EXPECT_EQ(world_.log().log_end(), Offset(2));
  EXPECT_EQ(world_.log().durable_end(), Offset(0));
  world_.Run();
  EXPECT_EQ(world_.log().durable_end(), Offset(2));
}

TEST_F(LogTest, EpochAndOffsetAreInTheStoredBatch) {
  AppendNumbers(3);
  const auto read = world_.Read(Offset(2));
  ASSERT_TRUE(read.ok());
  const auto header = record::ParseHeader(read->chunks.front().bytes());
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->base_offset, Offset(2));
  EXPECT_EQ(header->epoch, LeaderEpoch(1));
}

TEST_F(LogTest, EpochMustRise) {
  AppendNumbers(1);
  EXPECT_EQ(ReasonOf(world_.log().BeginEpoch(LeaderEpoch(1))), Reason::kFencedEpoch);
  EXPECT_TRUE(world_.log().BeginEpoch(LeaderEpoch(5)).ok());
}

TEST_F(LogTest, CleanStopLeavesNothingToScan) {
  padding_ = 2000;
  AppendNumbers(20);
  ASSERT_TRUE(world_.Stop().ok());
  const RecoveryReport report = Reopen();
  EXPECT_EQ(report.scanned_bytes, 0);
  EXPECT_EQ(report.truncated_bytes, 0);
  EXPECT_THAT(report.notes, testing::IsEmpty());
  ExpectNumbers(20);
}

TEST_F(LogTest, ColdReadsReturnWhatWasAppended) {
  world_.store_options().tail_cache_bytes_max = 1;
  EXPECT_TRUE(world_.Stop().ok());
  EXPECT_TRUE(world_.Start().ok());
  padding_ = 300;
  AppendNumbers(100);
  ExpectNumbers(100);
  world_.Advance(absl::Seconds(2));
  world_.Run();
  ExpectNumbers(100);
}

TEST_F(LogTest, ColdReadsLeaveTheTailCacheAsItIs) {
  ASSERT_TRUE(world_.Stop().ok());
  constexpr int kBatches = 40;
  constexpr int kHeld = 10;
  const support::BatchOf batch{.values = {std::string(1000, 'v')}};
  const auto cost =
      static_cast<int64_t>(support::MakeBatch(batch).size()) + TailCache::kBatchOverheadBytes;
  world_.store_options().tail_cache_bytes_max = kHeld * cost;
  ASSERT_TRUE(world_.Start().ok());
  ASSERT_TRUE(world_.Open().ok());
  for (int i = 0; i < kBatches; ++i) ASSERT_TRUE(world_.AppendDurably(batch).ok());
  // Answered before any executor runs: from memory.
  const auto is_held = [&](int64_t offset) {
    auto answered = std::make_shared<bool>(false);
    world_.log().Read({.offset = Offset(offset), .limit = Offset(kBatches), .bytes_max = 1},
                      [answered](const absl::StatusOr<ReadResult>& read) {
                        EXPECT_TRUE(read.ok()) << read.status();
                        *answered = true;
                      });
    const bool was_at_once = *answered;
    world_.Run();
    return was_at_once;
  };
  for (int reader = 0; reader < 3; ++reader) {
    for (int64_t offset = 0; offset < kBatches - kHeld; ++offset) {
      EXPECT_FALSE(is_held(offset)) << offset;
    }
    for (int64_t offset = kBatches - kHeld; offset < kBatches; ++offset) {
      EXPECT_TRUE(is_held(offset)) << offset;
    }
  }
}

TEST_F(LogTest, ColdReadFillsBytesMaxWithWholeBatches) {
  padding_ = 1000;
  AppendNumbers(40);
  ASSERT_TRUE(world_.Stop().ok());
  Reopen();
  const auto read = world_.Read(Offset(7), 5000);
  ASSERT_TRUE(read.ok()) << read.status();
  const auto records = support::RecordsIn(read->chunks, Offset(0));
  EXPECT_EQ(records.front().offset, Offset(7));
  EXPECT_EQ(read->next_offset, records.back().offset + 1);
  size_t bytes = 0;
  for (const auto& chunk : read->chunks) bytes += chunk.size();
  EXPECT_LE(bytes, 5000U);
  EXPECT_GE(records.size(), 3U);
}

TEST_F(LogTest, OneBatchIsReadHoweverSmallTheBound) {
  padding_ = 1000;
  AppendNumbers(3);
  EXPECT_EQ(world_.Read(Offset(1), 1)->next_offset, Offset(2));
  ASSERT_TRUE(world_.Stop().ok());
  Reopen();
  EXPECT_EQ(world_.Read(Offset(1), 1)->next_offset, Offset(2));
}

TEST_F(LogTest, ReadBeginsWithTheBatchThatHoldsTheOffset) {
  ASSERT_TRUE(world_.AppendDurably({.values = {"a", "b", "c"}}).ok());
  const auto read = world_.Read(Offset(1));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(support::RecordsIn(read->chunks, Offset(0)).size(), 3U);
  EXPECT_EQ(read->next_offset, Offset(3));
}

TEST_F(LogTest, ReadNeverGoesBeyondTheLimit) {
  AppendNumbers(4);
  int answers = 0;
  world_.log().Read({.offset = Offset(0), .limit = Offset(2), .bytes_max = 1 << 20},
                    [&](absl::StatusOr<ReadResult> read) {
                      ++answers;
                      ASSERT_TRUE(read.ok());
                      EXPECT_EQ(read->next_offset, Offset(2));
                      EXPECT_EQ(read->chunks.size(), 2U);
                    });
  EXPECT_EQ(answers, 1) << "the cache answers inside of the call";
}

TEST_F(LogTest, ReadOutsideOfTheLogIsRefused) {
  AppendNumbers(2);
  EXPECT_EQ(ReasonOf(world_.Read(Offset(3)).status()), Reason::kOffsetOutOfRange);
  EXPECT_EQ(ReasonOf(world_.Read(Offset(-1)).status()), Reason::kOffsetOutOfRange);
  const auto at_end = world_.Read(Offset(2));
  ASSERT_TRUE(at_end.ok());
  EXPECT_TRUE(at_end->chunks.empty());
}

TEST_F(LogTest, RollBeginsASegmentAtTheNextOffset) {
  world_.log_options().segment_bytes = 4000;
  padding_ = 900;
  AppendNumbers(10);
  EXPECT_TRUE(world_.Exists(world_.Path(OffsetFileName(Offset(0), kSegmentSuffix))));
  EXPECT_TRUE(world_.Exists(world_.Path(OffsetFileName(Offset(4), kSegmentSuffix))));
  EXPECT_TRUE(world_.Exists(world_.Path(OffsetFileName(Offset(8), kSegmentSuffix))));
  ExpectNumbers(10);
  ASSERT_TRUE(world_.Stop().ok());
  Reopen();
  ExpectNumbers(10);
  EXPECT_LE(world_.ReadFile(world_.Path(OffsetFileName(Offset(0), kSegmentSuffix))).size(), 4000U)
      << "a complete segment is trimmed to its batches";
}

TEST_F(LogTest, OldSegmentRolls) {
  world_.log_options().segment_age_max = absl::Hours(1);
  AppendNumbers(2);
  world_.Advance(absl::Hours(2));
  AppendNumbers(1);
  EXPECT_TRUE(world_.Exists(world_.Path(OffsetFileName(Offset(2), kSegmentSuffix))));
}

TEST_F(LogTest, AgeOfASegmentSurvivesARestart) {
  world_.log_options().segment_age_max = absl::Hours(1);
  padding_ = 5000;
  AppendNumbers(1);
  ASSERT_TRUE(world_.Stop().ok());
  world_.Advance(absl::Hours(2));
  Reopen();
  AppendNumbers(1);
  EXPECT_TRUE(world_.Exists(world_.Path(OffsetFileName(Offset(1), kSegmentSuffix))));
}

// Its index was begun with the first run of 4 KiB, and a segment without one counted as new.
TEST_F(LogTest, AgeOfASmallSegmentSurvivesRestarts) {
  world_.log_options().segment_age_max = absl::Hours(4);
  AppendNumbers(1);
  for (int restart = 0; restart < 4; ++restart) {
    if (restart == 1) {
      world_.Kill();
    } else {
      ASSERT_TRUE(world_.Stop().ok());
    }
    world_.Advance(absl::Hours(1));
    Reopen();
    ExpectNumbers(1);
  }
  AppendNumbers(1);
  EXPECT_TRUE(world_.Exists(world_.Path(OffsetFileName(Offset(1), kSegmentSuffix))));
}

TEST_F(LogTest, AgeOfASmallSegmentSurvivesAPowerCutBehindACheckpoint) {
  world_.log_options().segment_age_max = absl::Hours(3);
  AppendNumbers(1);
  world_.Advance(absl::Seconds(2));
  world_.Run();
  for (int cut = 0; cut < 3; ++cut) {
    world_.CutPower(support::PowerCut::DropUnsynced());
    world_.Advance(absl::Hours(1));
    Reopen();
  }
  AppendNumbers(1);
  EXPECT_TRUE(world_.Exists(world_.Path(OffsetFileName(Offset(1), kSegmentSuffix))));
}

// The time of the checkpoint stood in its index.
TEST_F(LogTest, AgeCountsFromTheFirstAppendAndNotFromTheCheckpoint) {
  world_.log_options().segment_age_max = absl::Hours(3);
  padding_ = 5000;
  AppendNumbers(1);
  world_.RunWithoutCheckpoint();
  world_.Advance(absl::Hours(2));
  ASSERT_TRUE(world_.Stop().ok());
  world_.Advance(absl::Hours(1));
  Reopen();
  AppendNumbers(1);
  EXPECT_TRUE(world_.Exists(world_.Path(OffsetFileName(Offset(1), kSegmentSuffix))));
}

// What nobody can tell any more begins to count once, and not again at each restart.
TEST_F(LogTest, SegmentWithoutAnIndexCountsAsNewOnce) {
  world_.log_options().segment_age_max = absl::Hours(3);
  AppendNumbers(1);
  ASSERT_TRUE(world_.Stop().ok());
  world_.RemoveFile(world_.Path(OffsetFileName(Offset(0), kIndexSuffix)));
  for (int restart = 0; restart < 4; ++restart) {
    Reopen();
    world_.Advance(absl::Hours(1));
    ASSERT_TRUE(world_.Stop().ok());
  }
  Reopen();
  AppendNumbers(1);
  EXPECT_TRUE(world_.Exists(world_.Path(OffsetFileName(Offset(1), kSegmentSuffix))));
}

TEST_F(LogTest, BatchLargerThanASegmentIsRefused) {
  world_.log_options().segment_bytes = 1000;
  EXPECT_EQ(ReasonOf(world_.Append({.values = {std::string(2000, 'x')}}).status()),
            Reason::kBatchTooLarge);
  EXPECT_EQ(world_.log().log_end(), Offset(0));
}

TEST_F(LogTest, AppendIsOverloadedWhileUnflushedBytesFillTheCache) {
  EXPECT_TRUE(world_.Stop().ok());
  world_.store_options().tail_cache_bytes_max = 10'000;
  EXPECT_TRUE(world_.Start().ok());
  ASSERT_TRUE(world_.Append({.values = {std::string(8000, 'x')}}).ok());
  const auto refused = world_.Append({.values = {std::string(8000, 'x')}});
  EXPECT_EQ(ReasonOf(refused.status()), Reason::kOverloaded) << refused.status();
  EXPECT_EQ(world_.log().log_end(), Offset(1));
  world_.Run();
  EXPECT_TRUE(world_.AppendDurably({.values = {std::string(8000, 'x')}}).ok());
}

TEST_F(LogTest, FailedSyncFencesTheLogAndIsNotTriedAgain) {
  AppendNumbers(2);
  world_.disk().FailNth(DiskCall::kSync, 1, MemoryFileSystem::IoError("disk"));
  EXPECT_FALSE(world_.AppendDurably({.values = {"lost"}}).ok());
  EXPECT_FALSE(world_.last_told().ok());
  EXPECT_EQ(world_.log().durable_end(), Offset(2));
  EXPECT_FALSE(world_.store().last_failure().ok());
  const uint64_t changes = world_.disk().changes();
  EXPECT_EQ(ReasonOf(world_.Append({.values = {"x"}}).status()), Reason::kStorageFenced);
  world_.Run();
  EXPECT_EQ(world_.disk().changes(), changes) << "nothing touches the disk any more";
}

TEST_F(LogTest, FencedLogServesWhatWasDurable) {
  AppendNumbers(2);
  world_.disk().FailNth(DiskCall::kSync, 1, MemoryFileSystem::IoError("disk"));
  EXPECT_FALSE(world_.AppendDurably({.values = {"lost"}}).ok());
  ExpectNumbers(2);
  absl::Status above;
  world_.log().Read({.offset = Offset(2), .limit = Offset(3), .bytes_max = 100},
                    [&](absl::StatusOr<ReadResult> read) { above = read.status(); });
  EXPECT_EQ(ReasonOf(above), Reason::kStorageFenced);
}

TEST_F(LogTest, FencedLogGoesOnAfterItWasOpenedAgain) {
  AppendNumbers(2);
  world_.disk().FailNth(DiskCall::kSync, 1, MemoryFileSystem::IoError("disk"));
  EXPECT_FALSE(world_.AppendDurably({.values = {"2"}}).ok());
  ASSERT_TRUE(world_.Close().ok());
  const auto report = world_.Open();
  ASSERT_TRUE(report.ok()) << report.status();
  // The batch was written and not synced: recovery may keep it, and then it has to be durable.
  const Offset end = world_.log().log_end();
  next_ = static_cast<int>(end.value());
  AppendNumbers(1);
  world_.CutPower(support::PowerCut::DropUnsynced());
  Reopen();
  ExpectNumbers(next_);
}

TEST_F(LogTest, FullDiskFencesWithItsReason) {
  AppendNumbers(1);
  world_.disk().FailNth(DiskCall::kWrite, 1, MemoryFileSystem::StorageFull("disk"));
  EXPECT_EQ(ReasonOf(world_.AppendDurably({.values = {"x"}}).status()), Reason::kStorageFull);
  ASSERT_TRUE(world_.Close().ok());
  ASSERT_TRUE(world_.Open().ok());
  AppendNumbers(1);
  ExpectNumbers(2);
}

TEST_F(LogTest, FailureOfOneLogLeavesTheOthersAlone) {
  const TopicPartition other{.topic_id = StorageWorld::kLog.topic_id, .partition = PartitionId(4)};
  AppendNumbers(1);
  ASSERT_TRUE(world_.AppendDurably({.values = {"a"}}, other).ok());
  const std::string broken = world_.Path("", other);
  world_.disk().SetFaultHook([broken](DiskCall call, const std::string& path) {
    return call == DiskCall::kSync && path.starts_with(broken) ? MemoryFileSystem::IoError(path)
                                                               : absl::OkStatus();
  });
  ASSERT_TRUE(world_.Append({.values = {"b"}}, other).ok());
  ASSERT_TRUE(world_.Append({.values = {"1"}}).ok());
  world_.Run();
  EXPECT_FALSE(world_.last_told(other).ok());
  EXPECT_TRUE(world_.last_told().ok());
  EXPECT_EQ(world_.log().durable_end(), Offset(2));
}

TEST_F(LogTest, FailedCatalogueFencesTheNewLogs) {
  world_.disk().FailNth(DiskCall::kMakeDirectory, 1, MemoryFileSystem::IoError("disk"));
  EXPECT_FALSE(world_.AppendDurably({.values = {"x"}}).ok());
  EXPECT_EQ(world_.log().durable_end(), Offset(0));
}

TEST_F(LogTest, DuplicateHasTheOffsetsOfTheOriginalAlsoAfterAPowerCut) {
  const record::ProducerStamp producer{
      .producer_id = ProducerId(7), .producer_epoch = 0, .base_sequence = 0};
  ASSERT_TRUE(world_.AppendDurably({.values = {"a", "b"}, .producer = producer}).ok());
  const auto check = [&] {
    const auto again = world_.Append({.values = {"a", "b"}, .producer = producer});
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE(again->is_duplicate);
    EXPECT_EQ(again->base_offset, Offset(0));
    EXPECT_EQ(again->last_offset, Offset(1));
    EXPECT_EQ(world_.log().log_end(), Offset(2));
  };
  check();
  world_.CutPower(support::PowerCut::DropUnsynced());
  Reopen();
  check();
  ASSERT_TRUE(world_.Stop().ok());
  Reopen();
  check();
}

TEST_F(LogTest, GapInTheSequenceIsRefused) {
  const record::ProducerStamp producer{
      .producer_id = ProducerId(7), .producer_epoch = 0, .base_sequence = 3};
  ASSERT_TRUE(world_.AppendDurably({.values = {"a"}, .producer = producer}).ok());
  const record::ProducerStamp gap{
      .producer_id = ProducerId(7), .producer_epoch = 0, .base_sequence = 5};
  EXPECT_EQ(ReasonOf(world_.Append({.values = {"c"}, .producer = gap}).status()),
            Reason::kOutOfOrderSequence);
  EXPECT_EQ(world_.log().log_end(), Offset(1));
}

TEST_F(LogTest, OffsetIsFoundByTimeInEverySegment) {
  world_.log_options().segment_bytes = 4000;
  padding_ = 900;
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(world_
                    .AppendDurably(
                        {.values = {std::to_string(i) + Padding()}, .timestamp_ms = 1000 + i * 10})
                    .ok());
  }
  const auto check = [&] {
    EXPECT_EQ(*world_.FindOffset(0), Offset(0));
    for (int i = 0; i < 12; ++i) {
      EXPECT_EQ(*world_.FindOffset(1000 + i * 10), Offset(i)) << i;
      EXPECT_EQ(*world_.FindOffset(1000 + i * 10 + 1), Offset(i + 1)) << i;
    }
    EXPECT_EQ(*world_.FindOffset(9999), Offset(12));
  };
  check();
  world_.Advance(absl::Seconds(2));
  world_.Run();
  check();
  ASSERT_TRUE(world_.Stop().ok());
  Reopen();
  check();
}

TEST_F(LogTest, OpenLogIsNotOpenedTwiceAndNotDeleted) {
  AppendNumbers(1);
  EXPECT_EQ(ReasonOf(world_.Delete()), Reason::kConflict);
  absl::Status second;
  support::ManualExecutor other(world_.clock());
  world_.store().OpenLog(StorageWorld::kLog, {}, other,
                         [&](absl::StatusOr<LogStore::OpenedLog> log) { second = log.status(); });
  world_.Run();
  other.RunUntilIdle();
  EXPECT_EQ(ReasonOf(second), Reason::kConflict);
}

TEST_F(LogTest, DeletedLogIsGoneAndMayBeDeletedAgain) {
  AppendNumbers(3);
  ASSERT_TRUE(world_.Close().ok());
  EXPECT_TRUE(world_.Delete().ok());
  EXPECT_TRUE(world_.Delete().ok());
  EXPECT_THAT(*world_.store().ListFolders(), testing::IsEmpty());
  EXPECT_FALSE(world_.Exists("data/topics/" + StorageWorld::kLog.topic_id.ToString()));
  ASSERT_TRUE(world_.Open().ok());
  EXPECT_EQ(world_.log().log_end(), Offset(0));
}

TEST_F(LogTest, FoldersAreListedWhetherOpenOrNot) {
  AppendNumbers(1);
  EXPECT_THAT(*world_.store().ListFolders(), testing::ElementsAre(StorageWorld::kLog));
}

TEST_F(LogTest, CloseWaitsForTheFlush) {
  ASSERT_TRUE(world_.Append({.values = {"a"}}).ok());
  bool is_closed = false;
  world_.log().Close([&](const absl::Status& status) { is_closed = status.ok(); });
  world_.RunWithoutFlush();
  EXPECT_FALSE(is_closed);
  world_.Run();
  EXPECT_TRUE(is_closed);
  EXPECT_EQ(world_.log().durable_end(), Offset(1));
}

TEST_F(LogTest, ManyLogsShareOneFlush) {
  const int kLogs = 300;  // More than are kept open.
  for (int i = 0; i < kLogs; ++i) {
    const TopicPartition id{.topic_id = StorageWorld::kLog.topic_id, .partition = PartitionId(i)};
    ASSERT_TRUE(world_.Append({.values = {"a"}}, id).ok());
  }
  world_.Run();
  for (int i = 0; i < kLogs; ++i) {
    const TopicPartition id{.topic_id = StorageWorld::kLog.topic_id, .partition = PartitionId(i)};
    ASSERT_TRUE(world_.Append({.values = {"b"}}, id).ok());
  }
  world_.Run();
  for (int i = 0; i < kLogs; ++i) {
    const TopicPartition id{.topic_id = StorageWorld::kLog.topic_id, .partition = PartitionId(i)};
    EXPECT_EQ(world_.log(id).durable_end(), Offset(2)) << i;
  }
}

}  // namespace
}  // namespace talosmq::storage
