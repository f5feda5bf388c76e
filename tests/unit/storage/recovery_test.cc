// Opening a log after a power cut, a kill or damage: loss classes R01 to R08.

#include "base/bytes.h"
#include "base/crc32c.h"
#include "storage/checkpoint.h"
#include "storage/segment.h"
#include "storage/segment_index.h"
#include "support/storage_world.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <string>
#include <vector>

namespace talosmq::storage {
namespace {

using support::DiskCall;
using support::MemoryFileSystem;
using support::PowerCut;
using support::ReadRecord;
using support::StorageWorld;
using testing::HasSubstr;

class RecoveryTest : public testing::Test {
 protected:
  RecoveryTest() { EXPECT_TRUE(world_.Start().ok()); }

  void Append(int count, size_t value_bytes = 10) {
    for (int i = 0; i < count; ++i) {
      std::string value = std::to_string(next_++) + ":";
      value.resize(value_bytes, 'v');
      const auto appended = world_.AppendDurably({.values = {value}});
      ASSERT_TRUE(appended.ok()) << appended.status();
    }
  }
  /// Waits until the checkpoint has recorded everything.
  void Record() {
    world_.Advance(absl::Seconds(2));
    world_.Run();
  }
  std::string Segment(int64_t base = 0) const {
    return world_.Path(OffsetFileName(Offset(base), kSegmentSuffix));
  }
  std::string Index(int64_t base = 0) const {
    return world_.Path(OffsetFileName(Offset(base), kIndexSuffix));
  }
  absl::StatusOr<RecoveryReport> Reopen() {
    world_.Kill();
    const absl::Status started = world_.Start();
    if (!started.ok()) return started;
    return world_.Open();
  }
  RecoveryReport ReopenWell() {
    auto report = Reopen();
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(RecoveryReport{});
  }
  std::vector<int64_t> Offsets() {
    std::vector<int64_t> offsets;
    const auto records = world_.ReadAll();
    EXPECT_TRUE(records.ok()) << records.status();
    if (!records.ok()) return offsets;
    for (const ReadRecord& record : *records) offsets.push_back(record.offset.value());
    return offsets;
  }
  void ExpectDense(int64_t end) {
    const std::vector<int64_t> offsets = Offsets();
    EXPECT_EQ(offsets.size(), static_cast<size_t>(end));
    for (size_t i = 0; i < offsets.size(); ++i) EXPECT_EQ(offsets[i], static_cast<int64_t>(i));
    EXPECT_EQ(world_.log().log_end(), Offset(end));
    EXPECT_EQ(world_.log().durable_end(), Offset(end));
  }
  /// Positions of all batches of a segment, and the end.
  std::vector<uint64_t> Positions(const std::string& path) {
    const std::string content = world_.ReadFile(path);
    std::vector<uint64_t> positions;
    uint64_t position = 0;
    while (true) {
      positions.push_back(position);
      const auto header = record::ParseHeader(base::AsBytes(content).subspan(position));
      if (!header.ok()) return positions;
      position += header->size();
    }
  }

  /// As a power cut leaves it that came before the last checkpoint: no more than this, in the first
  /// segment, is known to be flushed.
  void PutBackRecordedPoint(int64_t end, uint64_t position) {
    FlushedPoints points;
    points[StorageWorld::kLog] = {.log_start = Offset(0),
                                  .end_offset = Offset(end),
                                  .segment = Offset(0),
                                  .position = position};
    world_.WriteFile("data/checkpoint", EncodeCheckpoint(points, {}));
    for (int64_t base = 0; base < next_; ++base) {
      if (world_.Exists(Index(base))) world_.RemoveFile(Index(base));
    }
  }

  StorageWorld world_;
  int next_ = 0;
};

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

TEST_F(RecoveryTest, DamageBelowTheFlushedPointIsRefusedAndTheRestServed) {
  Append(10, 5000);  // Each batch is a run.
  Record();
  const std::vector<uint64_t> positions = Positions(Segment());
  const uint64_t batch = positions[4];
  const uint64_t size_before = positions.back();
  const std::vector<uint64_t> flipped = {batch + record::kBaseOffsetPosition + 7,
                                         batch + record::kLengthPosition + 2,
                                         batch + record::kEpochPosition + 3,
                                         batch + record::kMagicPosition,
                                         batch + record::kCrcPosition,
                                         batch + record::kAttributesPosition + 1,
                                         batch + record::kCountPosition + 3,
                                         batch + 2000};
  for (const uint64_t position : flipped) {
    world_.FlipBit(Segment(), position);
    const RecoveryReport report = ReopenWell();
    EXPECT_EQ(world_.log().log_end(), Offset(10)) << position - batch;
    EXPECT_GE(world_.ReadFile(Segment()).size(), size_before) << "never truncated";
    const auto damaged = world_.Read(Offset(4));
    EXPECT_EQ(ReasonOf(damaged.status()), Reason::kCorruptData) << position - batch;
    EXPECT_THAT(std::string(damaged.status().message()),
                testing::AllOf(HasSubstr(Segment()), HasSubstr("position"), HasSubstr("expected"),
                               HasSubstr("found")));
    for (const int64_t sound : {0, 3, 5, 9}) {
      EXPECT_TRUE(world_.Read(Offset(sound), 100).ok()) << sound;
    }
    const auto before = world_.Read(Offset(2), 1 << 20);
    ASSERT_TRUE(before.ok());
    EXPECT_EQ(before->next_offset, Offset(4)) << "up to the damage";
    EXPECT_EQ(report.damages.size(), 0U) << "what lies below the flushed point is not even read";
    world_.FlipBit(Segment(), position);
  }
}

TEST_F(RecoveryTest, DamageBehindTheLastRunAndBelowTheFlushedPointStays) {
  Append(3, 100);  // Too small for a run.
  Record();
  const std::vector<uint64_t> positions = Positions(Segment());
  world_.FlipBit(Segment(), positions[1] + 80);
  const RecoveryReport report = ReopenWell();
  EXPECT_EQ(report.damages.size(), 1U);
  EXPECT_EQ(world_.log().log_end(), Offset(3));
  EXPECT_TRUE(world_.Read(Offset(0), 10).ok());
  EXPECT_EQ(ReasonOf(world_.Read(Offset(1), 10).status()), Reason::kCorruptData);
  // The log goes on, in a segment of its own.
  Append(1);
  EXPECT_TRUE(world_.Exists(Segment(3)));
  EXPECT_TRUE(world_.Read(Offset(3), 10).ok());
  ReopenWell();
  EXPECT_EQ(world_.log().log_end(), Offset(4));
  EXPECT_EQ(ReasonOf(world_.Read(Offset(1), 10).status()), Reason::kCorruptData);
  EXPECT_TRUE(world_.Read(Offset(3), 10).ok());
}

TEST_F(RecoveryTest, FileShorterThanTheFlushedPointKeepsItsOffsets) {
  Append(4, 5000);
  Record();
  const std::vector<uint64_t> positions = Positions(Segment());
  world_.Resize(Segment(), positions[2] + 100);
  const RecoveryReport report = ReopenWell();
  EXPECT_EQ(world_.log().log_end(), Offset(4)) << "acknowledged offsets are never given again";
  EXPECT_TRUE(world_.Read(Offset(1), 10).ok());
  EXPECT_EQ(ReasonOf(world_.Read(Offset(2), 10).status()), Reason::kCorruptData);
  EXPECT_EQ(ReasonOf(world_.Read(Offset(3), 10).status()), Reason::kCorruptData);
  Append(1);
  EXPECT_TRUE(world_.Read(Offset(4), 10).ok());
}

TEST_F(RecoveryTest, MissingIndexOfTheLastSegmentIsMadeAgain) {
  Append(10, 5000);
  Record();
  const std::string index = world_.ReadFile(Index());
  world_.RemoveFile(Index());
  ReopenWell();
  ExpectDense(10);
  Record();
  EXPECT_EQ(world_.ReadFile(Index()).substr(kIndexHeaderBytes), index.substr(kIndexHeaderBytes));
}

TEST_F(RecoveryTest, MissingIndexOfASealedSegmentIsRebuiltAndReported) {
  world_.log_options().segment_bytes = 20'000;
  Append(10, 5000);
  Record();
  const std::string index = world_.ReadFile(Index());
  world_.RemoveFile(Index());
  const RecoveryReport report = ReopenWell();
  EXPECT_EQ(report.indexes_rebuilt, 1);
  EXPECT_EQ(world_.ReadFile(Index()).substr(kIndexHeaderBytes), index.substr(kIndexHeaderBytes));
  ExpectDense(10);
}

TEST_F(RecoveryTest, AnyFlippedBitOfAnIndexRebuildsItAndHurtsNobody) {
  Append(3, 5000);
  Record();
  const std::string index = world_.ReadFile(Index());
  ASSERT_EQ(index.size(), kIndexHeaderBytes + 3 * kIndexEntryBytes);
  for (uint64_t position = 0; position < index.size(); position += 3) {
    world_.Kill();
    world_.WriteFile(Index(), index);
    world_.FlipBit(Index(), position, static_cast<int>(position % 8));
    const RecoveryReport report = ReopenWell();
    EXPECT_EQ(report.indexes_rebuilt, 1) << position;
    ExpectDense(3);
    Record();
    EXPECT_EQ(world_.ReadFile(Index()).size(), index.size()) << position;
  }
}

TEST_F(RecoveryTest, FlippedBitInTheIndexOfASealedSegmentIsMendedAtTheFirstRead) {
  world_.log_options().segment_bytes = 20'000;
  Append(10, 5000);
  Record();
  const std::string index = world_.ReadFile(Index());
  world_.FlipBit(Index(), kIndexHeaderBytes + 40);
  ReopenWell();
  ExpectDense(10);
  EXPECT_EQ(world_.ReadFile(Index()).substr(kIndexHeaderBytes), index.substr(kIndexHeaderBytes));
}

// A read of stored records used to fail with kStorageFull, as if it were an append.
TEST_F(RecoveryTest, RebuiltIndexThatCannotBeWrittenIsReadFromMemory) {
  world_.log_options().segment_bytes = 20'000;
  Append(10, 5000);
  Record();
  world_.FlipBit(Index(), kIndexHeaderBytes + 40);
  const std::string broken = world_.ReadFile(Index());
  ReopenWell();
  world_.disk().SetFaultHook([](DiskCall call, const std::string& path) {
    const bool is_meant = call == DiskCall::kWrite && path.find(kIndexSuffix) != std::string::npos;
    return is_meant ? MemoryFileSystem::StorageFull(path) : absl::OkStatus();
  });
  ExpectDense(10);
  ExpectDense(10);
  EXPECT_EQ(world_.ReadFile(Index()), broken);
  world_.disk().SetFaultHook(nullptr);
  ReopenWell();
  ExpectDense(10);
  EXPECT_NE(world_.ReadFile(Index()), broken);
}

TEST_F(RecoveryTest, IndexOfZerosIsNotTakenForAnIndex) {
  Append(3, 5000);
  Record();
  const std::string index = world_.ReadFile(Index());
  world_.WriteFile(Index(), std::string(index.size(), '\0'));
  EXPECT_EQ(ReopenWell().indexes_rebuilt, 1);
  ExpectDense(3);
  EXPECT_EQ(*world_.FindOffset(1), Offset(0)) << "no zero timestamp is believed (R08)";
}

TEST_F(RecoveryTest, SoundEntryThatDisagreesIsCorruptionAndNoReasonToRebuild) {
  Append(5, 5000);
  Record();
  std::string index = world_.ReadFile(Index());
  const SegmentIdentity segment{.log = StorageWorld::kLog, .base_offset = Offset(0)};
  const size_t at = kIndexHeaderBytes + 2 * kIndexEntryBytes;
  auto entry = DecodeIndexEntry(segment, base::AsBytes(index).subspan(at));
  ASSERT_TRUE(entry.has_value());
  entry->check ^= 1;
  index.replace(at, kIndexEntryBytes, base::AsText(EncodeIndexEntry(segment, *entry)));
  world_.WriteFile(Index(), index);
  const RecoveryReport report = ReopenWell();
  EXPECT_EQ(report.indexes_rebuilt, 0);
  EXPECT_EQ(ReasonOf(world_.Read(Offset(2), 10).status()), Reason::kCorruptData);
  EXPECT_TRUE(world_.Read(Offset(1), 10).ok());
  EXPECT_TRUE(world_.Read(Offset(3), 10).ok());
  EXPECT_EQ(world_.ReadFile(Index()), index);
}

TEST_F(RecoveryTest, SwappedBatchesWithTheirOffsetsPatchedAreFoundByTheCheck) {
  Append(4, 5000);
  Record();
  const std::vector<uint64_t> positions = Positions(Segment());
  std::string content = world_.ReadFile(Segment());
  // The bytes of batch 1 in the place of batch 2, with the base offset that belongs there: chain,
  // epoch and CRC are all right.
  std::string moved = content.substr(positions[1], positions[2] - positions[1]);
  base::StoreBigEndian(reinterpret_cast<std::byte*>(moved.data()), int64_t{2});
  content.replace(positions[2], moved.size(), moved);
  world_.WriteFile(Segment(), content);
  ReopenWell();
  EXPECT_EQ(ReasonOf(world_.Read(Offset(2), 10).status()), Reason::kCorruptData);
}

TEST_F(RecoveryTest, MissingFolderIsLossAndNotAnEmptyLog) {
  Append(3);
  world_.Kill();
  const auto names = world_.disk().List(world_.Path(""));
  ASSERT_TRUE(names.ok());
  for (const std::string& name : *names) world_.RemoveFile(world_.Path(name));
  ASSERT_TRUE(world_.disk().RemoveDirectory(world_.Path("")).ok());
  const auto report = Reopen();
  EXPECT_EQ(ReasonOf(report.status()), Reason::kCorruptData);
  EXPECT_THAT(std::string(report.status().message()), HasSubstr("lost"));
}

TEST_F(RecoveryTest, MissingSegmentsAreLossAndNotAnEmptyLog) {
  Append(3);
  world_.Kill();
  world_.RemoveFile(Segment());
  EXPECT_EQ(ReasonOf(Reopen().status()), Reason::kCorruptData);
}

TEST_F(RecoveryTest, MissingSegmentInTheMiddleHidesOnlyItself) {
  world_.log_options().segment_bytes = 20'000;
  Append(12, 5000);
  Record();
  ASSERT_TRUE(world_.Exists(Segment(3)));
  world_.RemoveFile(Segment(3));
  ReopenWell();
  EXPECT_TRUE(world_.Read(Offset(0), 10).ok());
  EXPECT_TRUE(world_.Read(Offset(2), 10).ok());
  EXPECT_EQ(ReasonOf(world_.Read(Offset(3), 10).status()), Reason::kCorruptData);
  EXPECT_EQ(ReasonOf(world_.Read(Offset(5), 10).status()), Reason::kCorruptData);
  EXPECT_TRUE(world_.Read(Offset(6), 10).ok());
  EXPECT_EQ(world_.log().log_end(), Offset(12));
}

TEST_F(RecoveryTest, MissingFirstSegmentIsToldAndHidesOnlyItself) {
  world_.log_options().segment_bytes = 20'000;
  Append(12, 5000);
  Record();
  world_.RemoveFile(Segment());
  const RecoveryReport report = ReopenWell();
  EXPECT_GE(report.damages.size(), 1U);
  EXPECT_EQ(world_.log().log_start(), Offset(0));
  EXPECT_EQ(ReasonOf(world_.Read(Offset(1), 10).status()), Reason::kCorruptData);
  EXPECT_TRUE(world_.Read(Offset(3), 10).ok());
}

TEST_F(RecoveryTest, MissingLastSegmentKeepsItsOffsets) {
  world_.log_options().segment_bytes = 20'000;
  Append(8, 5000);
  Record();
  ASSERT_TRUE(world_.Exists(Segment(6)));
  world_.RemoveFile(Segment(6));
  const RecoveryReport report = ReopenWell();
  EXPECT_GE(report.damages.size(), 1U);
  EXPECT_EQ(world_.log().log_end(), Offset(8));
  EXPECT_TRUE(world_.Read(Offset(5), 10).ok());
  EXPECT_EQ(ReasonOf(world_.Read(Offset(6), 10).status()), Reason::kCorruptData);
  Append(1);
  EXPECT_TRUE(world_.Read(Offset(8), 10).ok());
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

TEST_F(RecoveryTest, DamagedCheckpointEntryMakesItsLogUnknownUntilItIsOpened) {
  Append(3, 100);
  Record();
  world_.Kill();
  world_.FlipBit("data/checkpoint", kCheckpointHeaderBytes + 30);
  // A start that does not open the log must not forget that its point is unknown.
  ASSERT_TRUE(world_.Start().ok());
  const TopicPartition other{.topic_id = StorageWorld::kLog.topic_id, .partition = PartitionId(9)};
  ASSERT_TRUE(world_.AppendDurably({.values = {"x"}}, other).ok());
  Record();
  const RecoveryReport report = ReopenWell();
  EXPECT_THAT(report.notes, testing::Contains(HasSubstr("no flushed point is recorded")));
  ExpectDense(3);
}

TEST_F(RecoveryTest, CheckpointOfTheFutureIsRefused) {
  Append(1);
  Record();
  world_.Kill();
  std::string content = world_.ReadFile("data/checkpoint");
  content = EncodeCheckpoint({}, {});
  content[4] = static_cast<char>(kCheckpointVersion + 1);
  base::StoreBigEndian(reinterpret_cast<std::byte*>(content.data()) + 12,
                       base::Crc32c(base::AsBytes(content).first(12)));
  world_.WriteFile("data/checkpoint", content);
  EXPECT_EQ(ReasonOf(world_.Start()), Reason::kUnsupportedVersion);
}

TEST_F(RecoveryTest, MissingEpochFileIsMadeAgain) {
  Append(2);
  ASSERT_TRUE(world_.log().BeginEpoch(LeaderEpoch(7)).ok());
  Append(2);
  Record();
  const std::string epochs = world_.ReadFile(world_.Path("epochs"));
  world_.Kill();
  world_.RemoveFile(world_.Path("epochs"));
  ReopenWell();
  EXPECT_EQ(world_.ReadFile(world_.Path("epochs")), epochs);
  ExpectDense(4);
}

TEST_F(RecoveryTest, AnyFlippedBitOfTheEpochFileIsMended) {
  Append(2);
  ASSERT_TRUE(world_.log().BeginEpoch(LeaderEpoch(7)).ok());
  Append(2);
  Record();
  const std::string epochs = world_.ReadFile(world_.Path("epochs"));
  for (uint64_t position = 0; position < epochs.size(); ++position) {
    world_.Kill();
    world_.WriteFile(world_.Path("epochs"), epochs);
    world_.FlipBit(world_.Path("epochs"), position, static_cast<int>(position % 8));
    ReopenWell();
    EXPECT_EQ(world_.ReadFile(world_.Path("epochs")), epochs) << position;
    ExpectDense(4);
  }
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

TEST_F(RecoveryTest, DamagedProducerSnapshotFallsBackToTheLog) {
  const record::ProducerStamp producer{
      .producer_id = ProducerId(7), .producer_epoch = 0, .base_sequence = 0};
  ASSERT_TRUE(world_.AppendDurably({.values = {"a"}, .producer = producer}).ok());
  ASSERT_TRUE(world_.Stop().ok());
  const std::string snapshot = world_.Path(OffsetFileName(Offset(1), kSnapshotSuffix));
  ASSERT_TRUE(world_.Exists(snapshot));
  world_.FlipBit(snapshot, 60);
  ReopenWell();
  const auto again = world_.Append({.values = {"a"}, .producer = producer});
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->is_duplicate);
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

// A segment is begun when the one before it is complete and synced. It used to be cut like a torn
// tail, and all later segments removed with what was acknowledged in them.
TEST_F(RecoveryTest, BrokenBatchInASegmentWithALaterOneIsCorruption) {
  world_.log_options().segment_bytes = 3000;
  Append(2, 1000);
  Record();
  Append(1, 500);
  Append(1, 1000);
  ASSERT_TRUE(world_.Exists(Segment(3)));
  const std::vector<uint64_t> positions = Positions(Segment());
  const uint64_t size = world_.ReadFile(Segment()).size();
  world_.Kill();
  world_.FlipBit(Segment(), positions[2] + 100);
  PutBackRecordedPoint(2, positions[2]);
  for (int start = 0; start < 2; ++start) {
    const RecoveryReport report = ReopenWell();
    if (start == 0) {
      ASSERT_EQ(report.damages.size(), 1U);
      EXPECT_EQ(CorruptRangeOf(report.damages[0]),
                (CorruptRange{.first = Offset(2), .next = Offset(3)}));
    }
    EXPECT_EQ(world_.log().log_end(), Offset(4));
    EXPECT_EQ(world_.ReadFile(Segment()).size(), size) << "never truncated";
    EXPECT_TRUE(world_.Read(Offset(1), 10).ok());
    EXPECT_EQ(ReasonOf(world_.Read(Offset(2), 10).status()), Reason::kCorruptData);
    EXPECT_TRUE(world_.Read(Offset(3), 10).ok());
  }
}

TEST_F(RecoveryTest, SegmentThatEndsBeforeALaterOneBeginsHidesWhatItLacks) {
  world_.log_options().segment_bytes = 3000;
  Append(4, 1000);
  ASSERT_TRUE(world_.Exists(Segment(2)));
  const std::vector<uint64_t> positions = Positions(Segment());
  world_.Kill();
  world_.Resize(Segment(), positions[1]);
  PutBackRecordedPoint(1, positions[1]);
  const RecoveryReport report = ReopenWell();
  ASSERT_EQ(report.damages.size(), 1U);
  EXPECT_EQ(CorruptRangeOf(report.damages[0]),
            (CorruptRange{.first = Offset(1), .next = Offset(2)}));
  EXPECT_EQ(world_.log().log_end(), Offset(4));
  EXPECT_TRUE(world_.Read(Offset(0), 10).ok());
  EXPECT_EQ(ReasonOf(world_.Read(Offset(1), 10).status()), Reason::kCorruptData);
  EXPECT_TRUE(world_.Read(Offset(2), 10).ok());
}

// It used to be cut with all that was acknowledged behind it within the last second.
TEST_F(RecoveryTest, BrokenBatchFurtherThanAGroupBeforeWholeOnesIsCorruption) {
  Append(2, 1000);
  Record();
  Append(10, 1000);
  const std::vector<uint64_t> positions = Positions(Segment());
  world_.Kill();
  world_.FlipBit(Segment(), positions[4] + 100);
  world_.store_options().tail_cache_bytes_max = 0;
  world_.store_options().flush_group_bytes_max =
      static_cast<int64_t>(positions[12] - positions[4]) - 1;
  const RecoveryReport report = ReopenWell();
  ASSERT_EQ(report.damages.size(), 1U);
  EXPECT_EQ(CorruptRangeOf(report.damages[0]),
            (CorruptRange{.first = Offset(4), .next = Offset(5)}));
  EXPECT_EQ(world_.log().log_end(), Offset(12));
  EXPECT_GE(world_.ReadFile(Segment()).size(), positions[12]);
  EXPECT_TRUE(world_.Read(Offset(3), 10).ok());
  EXPECT_EQ(ReasonOf(world_.Read(Offset(4), 10).status()), Reason::kCorruptData);
  EXPECT_TRUE(world_.Read(Offset(5), 10).ok());
  Append(1, 1000);
  EXPECT_TRUE(world_.Exists(Segment(12))) << "nothing is appended to a damaged segment";
}

TEST_F(RecoveryTest, BrokenBatchThatAGroupMayHaveTornIsCut) {
  Append(2, 1000);
  Record();
  Append(10, 1000);
  const std::vector<uint64_t> positions = Positions(Segment());
  world_.Kill();
  world_.FlipBit(Segment(), positions[4] + 100);
  world_.store_options().tail_cache_bytes_max = 0;
  world_.store_options().flush_group_bytes_max = static_cast<int64_t>(positions[12] - positions[4]);
  const RecoveryReport report = ReopenWell();
  EXPECT_EQ(report.damages.size(), 0U);
  ExpectDense(4);
}

TEST_F(RecoveryTest, TornTailBehindACorruptionIsStillCut) {
  Append(2, 1000);
  Record();
  Append(10, 1000);
  const std::vector<uint64_t> positions = Positions(Segment());
  world_.Kill();
  world_.FlipBit(Segment(), positions[4] + 100);
  world_.FlipBit(Segment(), positions[10] + 100);
  world_.store_options().tail_cache_bytes_max = 0;
  world_.store_options().flush_group_bytes_max = 3'000;
  const RecoveryReport report = ReopenWell();
  ASSERT_EQ(report.damages.size(), 1U);
  EXPECT_EQ(CorruptRangeOf(report.damages[0]),
            (CorruptRange{.first = Offset(4), .next = Offset(5)}));
  EXPECT_EQ(world_.log().log_end(), Offset(10));
}

// The forged batch became the end of the log, far behind what was acknowledged.
TEST_F(RecoveryTest, BatchInAValueIsNeitherReadNorTheEndOfTheLog) {
  base::Buffer forged = support::MakeBatch({.values = {"forged"}});
  record::PatchBaseOffset(forged.mutable_bytes(), Offset(1'000'000'000'000));
  record::PatchEpoch(forged.mutable_bytes(), LeaderEpoch(1));
  const std::string value = std::string(base::AsText(forged.bytes())) + std::string(100, 'v');
  Append(1, 100);
  ASSERT_TRUE(world_.AppendDurably({.values = {value}}).ok());
  Append(2, 100);
  Record();
  const std::vector<uint64_t> positions = Positions(Segment());
  world_.FlipBit(Segment(), positions[1] + record::kMagicPosition);
  const RecoveryReport report = ReopenWell();
  ASSERT_EQ(report.damages.size(), 1U);
  EXPECT_EQ(CorruptRangeOf(report.damages[0]),
            (CorruptRange{.first = Offset(1), .next = Offset(2)}));
  EXPECT_EQ(world_.log().log_end(), Offset(4));
  EXPECT_EQ(ReasonOf(world_.Read(Offset(1), 10).status()), Reason::kCorruptData);
  EXPECT_TRUE(world_.Read(Offset(2), 10).ok());
}

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
