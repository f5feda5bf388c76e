// Opening a log whose files are damaged or gone: what is refused, what is made again, and what is
// told from a torn tail.

#include "base/bytes.h"
#include "base/crc32c.h"
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
using support::StorageWorld;
using testing::HasSubstr;

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

// What the older one lacks is gone: its producer was refused from then on.
TEST_F(RecoveryTest, SnapshotBelowTheFirstSegmentIsPassedOver) {
  world_.log_options().segment_bytes = 3'000;
  const std::string value(900, 'v');
  record::ProducerStamp producer{
      .producer_id = ProducerId(7), .producer_epoch = 0, .base_sequence = 0};
  for (; producer.base_sequence < 6; ++producer.base_sequence) {
    ASSERT_TRUE(world_.AppendDurably({.values = {value}, .producer = producer}).ok());
  }
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(world_.AppendDurably({.values = {value}}).ok());
  ASSERT_TRUE(world_.MoveLogStart(Offset(6)).ok());
  ASSERT_FALSE(world_.Exists(Segment(3)));
  world_.Kill();
  ASSERT_TRUE(world_.Exists(world_.Path(OffsetFileName(Offset(3), kSnapshotSuffix))));
  const std::string snapshot = world_.Path(OffsetFileName(Offset(6), kSnapshotSuffix));
  world_.FlipBit(snapshot, 60);
  ReopenWell();
  const auto appended = world_.AppendDurably({.values = {value}, .producer = producer});
  EXPECT_TRUE(appended.ok()) << appended.status();
  EXPECT_FALSE(world_.Exists(snapshot)) << "a damaged one is not kept beside sound ones";
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

// Found by the model (seed 17896): an opening that knew a newer point had removed it.
TEST_F(RecoveryTest, SegmentWithTheRecordedEndMayBeGoneWhenAllOfItLiesBelowTheStart) {
  world_.log_options().segment_bytes = 3000;
  Append(4, 1000);
  const std::vector<uint64_t> positions = Positions(Segment());
  world_.Kill();
  PutBackRecordedPoint(2, positions[2], 2);
  world_.RemoveFile(Segment());
  const RecoveryReport report = ReopenWell();
  EXPECT_EQ(report.damages.size(), 0U);
  EXPECT_EQ(world_.log().log_start(), Offset(2));
  EXPECT_EQ(world_.log().log_end(), Offset(4));
}

class BrokenBatchTest : public RecoveryTest {
 protected:
  /// Of twelve batches, two of them below the recorded point; where they begin, and the last ends.
  std::vector<uint64_t> BreakTheFifth() {
    Append(2, 1000);
    Record();
    Append(10, 1000);
    std::vector<uint64_t> positions = Positions(Segment());
    world_.Kill();
    world_.FlipBit(Segment(), positions[4] + 100);
    world_.store_options().tail_cache_bytes_max = 0;
    return positions;
  }
};

// It used to be cut with all that was acknowledged behind it within the last second.
TEST_F(BrokenBatchTest, FurtherThanAGroupBeforeWholeOnesIsCorruption) {
  const std::vector<uint64_t> positions = BreakTheFifth();
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

TEST_F(BrokenBatchTest, ThatAGroupMayHaveTornIsCut) {
  const std::vector<uint64_t> positions = BreakTheFifth();
  world_.store_options().flush_group_bytes_max = static_cast<int64_t>(positions[12] - positions[4]);
  const RecoveryReport report = ReopenWell();
  EXPECT_EQ(report.damages.size(), 0U);
  ExpectDense(4);
}

// With less memory than the server that has crashed it was kept as damage, and what was never
// acknowledged served behind it.
TEST_F(BrokenBatchTest, IsCutWhereAnEarlierStartMayHaveTornIt) {
  const std::vector<uint64_t> positions = BreakTheFifth();
  world_.store_options().flush_group_bytes_max = 3'000;
  world_.store_options().unsynced_bytes_min = static_cast<int64_t>(positions[12] - positions[4]);
  EXPECT_EQ(ReopenWell().damages.size(), 0U);
  ExpectDense(4);
}

TEST_F(BrokenBatchTest, ThatIsCorruptionLeavesATornTailBehindItToBeCut) {
  const std::vector<uint64_t> positions = BreakTheFifth();
  world_.FlipBit(Segment(), positions[10] + 100);
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

}  // namespace
}  // namespace talosmq::storage
