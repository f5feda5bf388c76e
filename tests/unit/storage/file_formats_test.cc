// The files beside the segments: what is written is read, and no damage is taken for content.

#include "base/crc32c.h"
#include "storage/allocation.h"
#include "storage/checkpoint.h"
#include "storage/epoch_history.h"
#include "storage/producer_snapshot.h"
#include "storage/segment.h"
#include "storage/segment_index.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <string>
#include <vector>

namespace talosmq::storage {
namespace {

const TopicPartition kLog{.topic_id = *TopicId::Parse("0b5c7f5e-1d2c-4b3a-9f8e-7d6c5b4a3921"),
                          .partition = PartitionId(3)};
const SegmentIdentity kSegment{.log = kLog, .base_offset = Offset(100)};

/// `content` with one bit flipped.
std::string Flipped(std::string content, size_t position, size_t bit) {
  content[position] = static_cast<char>(content[position] ^ (1 << bit));
  return content;
}

std::string IndexOf(const std::vector<IndexEntry>& entries) {
  std::string content(base::AsText(EncodeIndexHeader({.segment = kSegment, .created_ms = 5})));
  for (const IndexEntry& entry : entries) {
    content += base::AsText(EncodeIndexEntry(kSegment, entry));
  }
  return content;
}

const std::vector<IndexEntry> kEntries = {{.first_offset = Offset(100),
                                           .end_offset = Offset(110),
                                           .position = 0,
                                           .size = 5000,
                                           .max_timestamp_ms = 7,
                                           .check = 0xdeadbeef},
                                          {.first_offset = Offset(110),
                                           .end_offset = Offset(111),
                                           .position = 5000,
                                           .size = 4096,
                                           .max_timestamp_ms = 9,
                                           .check = 1}};

TEST(SegmentIndexTest, AnyFlippedBitEndsTheSoundEntriesBeforeIt) {
  const std::string content = IndexOf(kEntries);
  for (size_t position = 0; position < content.size(); ++position) {
    for (size_t bit = 0; bit < 8; ++bit) {
      const auto index = ParseIndex(base::AsBytes(Flipped(content, position, bit)), kSegment);
      ASSERT_TRUE(index.ok()) << position;
      EXPECT_FALSE(index->broken.empty()) << position;
      const size_t sound =
          position < kIndexHeaderBytes ? 0 : (position - kIndexHeaderBytes) / kIndexEntryBytes;
      EXPECT_EQ(index->entries.size(), sound) << position;
    }
  }
}

TEST(SegmentIndexTest, CutOffIndexKeepsItsWholeEntries) {
  const std::string content = IndexOf(kEntries);
  for (size_t size = 0; size < content.size(); ++size) {
    const auto index = ParseIndex(base::AsBytes(content.substr(0, size)), kSegment);
    ASSERT_TRUE(index.ok());
    const bool is_between = size >= kIndexHeaderBytes && (size - kIndexHeaderBytes) % 32 == 0;
    EXPECT_EQ(index->broken.empty(), is_between) << size;
  }
}

TEST(SegmentIndexTest, EntryOfAnotherSegmentOrLogIsBroken) {
  const auto bytes = EncodeIndexEntry(kSegment, kEntries[0]);
  EXPECT_TRUE(DecodeIndexEntry(kSegment, bytes).has_value());
  EXPECT_FALSE(DecodeIndexEntry({.log = kLog, .base_offset = Offset(99)}, bytes).has_value());
  TopicPartition other = kLog;
  other.partition = PartitionId(4);
  EXPECT_FALSE(DecodeIndexEntry({.log = other, .base_offset = Offset(100)}, bytes).has_value());
}

TEST(SegmentIndexTest, EntriesMustFollowOneAnother) {
  const auto sound_entries = [](const IndexEntry& second) {
    return ParseIndex(base::AsBytes(IndexOf({kEntries[0], second})), kSegment)->entries.size();
  };
  IndexEntry entry = kEntries[1];
  EXPECT_EQ(sound_entries(entry), 2U);
  entry.first_offset = Offset(109);
  EXPECT_EQ(sound_entries(entry), 1U) << "an offset twice";
  entry = kEntries[1];
  entry.position = 4999;
  EXPECT_EQ(sound_entries(entry), 1U) << "a byte twice";
  entry = kEntries[1];
  entry.end_offset = entry.first_offset;
  EXPECT_EQ(sound_entries(entry), 1U) << "no offset";
  entry = kEntries[1];
  entry.first_offset = Offset(115);
  entry.end_offset = Offset(120);
  EXPECT_EQ(sound_entries(entry), 1U) << "offsets left out, bytes not";
  entry.position = 6000;
  EXPECT_EQ(sound_entries(entry), 2U) << "a hole in both is a range that could not be read";
}

TEST(SegmentIndexTest, VersionOfTheFutureIsRefused) {
  std::string content = IndexOf(kEntries);
  content[4] = 2;
  base::StoreBigEndian(reinterpret_cast<std::byte*>(content.data()) + 60,
                       base::Crc32c(base::AsBytes(content).first(60)));
  EXPECT_EQ(ReasonOf(ParseIndex(base::AsBytes(content), kSegment).status()),
            Reason::kUnsupportedVersion);
}

TEST(SegmentIndexTest, RunIsFoundByAnyOffsetInIt) {
  const std::span<const IndexEntry> entries(kEntries);
  EXPECT_EQ(FindRun(entries, Offset(100)) - entries.begin(), 0);
  EXPECT_EQ(FindRun(entries, Offset(109)) - entries.begin(), 0);
  EXPECT_EQ(FindRun(entries, Offset(110)) - entries.begin(), 1);
  EXPECT_EQ(FindRun(entries, Offset(111)) - entries.begin(), 2);
}

TEST(EpochsTest, AnyFlippedBitIsFound) {
  const std::vector<EpochEntry> entries = {{.epoch = LeaderEpoch(1), .start_offset = Offset(0)},
                                           {.epoch = LeaderEpoch(4), .start_offset = Offset(90)}};
  const std::string content = EncodeEpochs(kLog, entries);
  EXPECT_EQ(ParseEpochs(base::AsBytes(content), kLog)->entries.size(), 2U);
  for (size_t position = 0; position < content.size(); ++position) {
    for (size_t bit = 0; bit < 8; ++bit) {
      const auto epochs = ParseEpochs(base::AsBytes(Flipped(content, position, bit)), kLog);
      ASSERT_TRUE(epochs.ok());
      EXPECT_FALSE(epochs->broken.empty()) << position;
    }
  }
}

TEST(EpochsTest, FileOfAnotherLogIsBroken) {
  TopicPartition other = kLog;
  other.partition = PartitionId(4);
  EXPECT_FALSE(ParseEpochs(base::AsBytes(EncodeEpochs(kLog, {})), other)->broken.empty());
}

TEST(EpochsTest, EpochOfAnOffsetIsTheLastThatBegan) {
  const std::vector<EpochEntry> history = {{.epoch = LeaderEpoch(1), .start_offset = Offset(10)},
                                           {.epoch = LeaderEpoch(2), .start_offset = Offset(20)},
                                           {.epoch = LeaderEpoch(3), .start_offset = Offset(20)}};
  EXPECT_EQ(EpochAt(history, Offset(9)), kNoEpoch);
  EXPECT_EQ(EpochAt(history, Offset(10)), LeaderEpoch(1));
  EXPECT_EQ(EpochAt(history, Offset(19)), LeaderEpoch(1));
  EXPECT_EQ(EpochAt(history, Offset(20)), LeaderEpoch(3));
}

TEST(CheckpointTest, FlippedBitCostsOneEntryAtMost) {
  FlushedPoints points;
  for (int i = 0; i < 3; ++i) {
    points[{.topic_id = kLog.topic_id, .partition = PartitionId(i)}] = {
        .log_start = Offset(1), .end_offset = Offset(50), .segment = Offset(40), .position = 999};
  }
  const JournalMark mark{.newest = 7, .oldest = 5};
  const std::string content = EncodeCheckpoint(points, mark);
  EXPECT_EQ(ParseCheckpoint(base::AsBytes(content))->points, points);
  EXPECT_TRUE(ParseCheckpoint(base::AsBytes(content))->broken.empty());
  for (size_t position = 0; position < content.size(); ++position) {
    const auto loaded = ParseCheckpoint(base::AsBytes(Flipped(content, position, position % 8)));
    ASSERT_TRUE(loaded.ok());
    EXPECT_FALSE(loaded->broken.empty()) << position;
    const bool is_mark = position >= kCheckpointHeaderBytes &&
                         position < kCheckpointHeaderBytes + kCheckpointMarkBytes;
    const size_t kept = is_mark ? 3 : position < kCheckpointHeaderBytes ? 0 : 2;
    EXPECT_EQ(loaded->points.size(), kept) << position;
    EXPECT_EQ(loaded->journal, is_mark || kept == 0 ? JournalMark() : mark) << position;
  }
}

TEST(CheckpointTest, CutOffFileKeepsItsWholeEntriesAndSaysSo) {
  FlushedPoints points;
  points[kLog] = {};
  const std::string content = EncodeCheckpoint(points, {});
  for (size_t size = 0; size < content.size(); ++size) {
    EXPECT_FALSE(ParseCheckpoint(base::AsBytes(content.substr(0, size)))->broken.empty()) << size;
  }
}

ProducerSnapshot Snapshot() {
  ProducerTable table;
  for (int i = 0; i < 7; ++i) {
    record::BatchHeader batch;
    batch.producer_id = ProducerId(i % 2);
    batch.producer_epoch = 1;
    batch.base_sequence = i;
    batch.base_offset = Offset(i);
    batch.count = 1;
    table.Add(batch, absl::Hours(i));
  }
  return {.log = kLog, .offset = Offset(7), .producers = table.States(absl::Hours(30))};
}

TEST(ProducerSnapshotTest, IsReadAsItWasWritten) {
  const auto decoded =
      DecodeProducerSnapshot(base::AsBytes(EncodeProducerSnapshot(Snapshot())), kLog, Offset(7));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->producers, Snapshot().producers);
}

TEST(ProducerSnapshotTest, AnyFlippedBitIsRefused) {
  const std::string content = EncodeProducerSnapshot(Snapshot());
  for (size_t position = 0; position < content.size(); ++position) {
    const std::string broken = Flipped(content, position, position % 8);
    EXPECT_FALSE(DecodeProducerSnapshot(base::AsBytes(broken), kLog, Offset(7)).ok()) << position;
  }
}

TEST(ProducerSnapshotTest, CutOffFileIsRefused) {
  const std::string content = EncodeProducerSnapshot(Snapshot());
  for (size_t size = 0; size < content.size(); ++size) {
    EXPECT_FALSE(
        DecodeProducerSnapshot(base::AsBytes(content.substr(0, size)), kLog, Offset(7)).ok());
  }
}

TEST(ProducerSnapshotTest, SnapshotOfAnotherOffsetIsRefused) {
  EXPECT_FALSE(
      DecodeProducerSnapshot(base::AsBytes(EncodeProducerSnapshot(Snapshot())), kLog, Offset(8))
          .ok());
}

TEST(FileNameTest, OnlyOurNamesAreTakenForOurs) {
  EXPECT_EQ(OffsetFileName(Offset(4711), kSegmentSuffix), "00000000000000004711.log");
  EXPECT_EQ(ParseOffsetFileName("00000000000000004711.log", kSegmentSuffix), Offset(4711));
  for (const char* name : {"4711.log", "00000000000000004711.index", "0000000000000000471x.log",
                           "-0000000000000004711.log", "99999999999999999999.log", ".log"}) {
    EXPECT_FALSE(ParseOffsetFileName(name, kSegmentSuffix).has_value()) << name;
  }
  EXPECT_EQ(ParsePartitionFolder("12"), PartitionId(12));
  for (const char* name : {"", "-1", "01", "1a", "99999999999", "."}) {
    EXPECT_FALSE(ParsePartitionFolder(name).has_value()) << name;
  }
}

TEST(AllocationTest, DoublesFrom64KiBInStepsOfAtMost16MiB) {
  constexpr uint64_t kKiB = 1024;
  constexpr uint64_t kMiB = 1024 * kKiB;
  EXPECT_EQ(NextAllocation(0, 1), 64 * kKiB);
  EXPECT_EQ(NextAllocation(64 * kKiB, 64 * kKiB + 1), 128 * kKiB);
  EXPECT_EQ(NextAllocation(32 * kMiB, 32 * kMiB + 1), 48 * kMiB);
  EXPECT_EQ(NextAllocation(128 * kKiB, 100), 128 * kKiB) << "nothing to do";
}

}  // namespace
}  // namespace talosmq::storage
