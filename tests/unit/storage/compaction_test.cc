// Of each key the last record stays, at its offset: what is left, what readers see meanwhile, and
// what a crash leaves behind.

#include "storage/compaction.h"

#include "storage/log_reader.h"
#include "storage/segment.h"
#include "support/storage_world.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::storage {
namespace {

using support::DiskCall;
using support::MemoryFileSystem;
using support::PowerCut;
using support::StorageWorld;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

// The offset that was answered has no record, and neither has the rest of what is left there.
TEST(FindInBatchTest, NothingIsFoundInABatchThatCompactionHasEmptied) {
  base::Buffer batch = support::MakeBatch({.values = {"v"}});
  record::StampLogAppendTime(batch.mutable_bytes(), 5'000);
  const auto original = record::ParseHeader(batch.bytes());
  ASSERT_TRUE(original.ok());
  EXPECT_EQ(FindInBatch(batch.bytes(), *original, 4'000, Offset(0)), Offset(0));
  const auto emptied = record::BatchRewriter(*original).Finish();
  ASSERT_TRUE(emptied.ok());
  const auto header = record::ParseHeader(emptied->bytes());
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(FindInBatch(emptied->bytes(), *header, 4'000, Offset(0)), std::nullopt);
}

/// What a reader of everything finds.
struct KeyedRecord {
  Offset offset;
  std::string key;
  std::optional<std::string> value;
};

class CompactionTest : public testing::Test {
 protected:
  void SetUp() override {
    world_.log_options().segment_bytes = 4'000;
    world_.log_options().compaction = CompactionRules{};
    // So that what is read comes from the disk.
    world_.store_options().tail_cache_bytes_max = 1;
    Start();
  }

  void Start() {
    ASSERT_TRUE(world_.Start().ok());
    const auto report = world_.Open();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_THAT(report->notes, IsEmpty());
  }

  /// A record of 900 bytes, so that four fill a segment.
  void Put(const std::string& key) {
    std::string value = std::to_string(++values_) + ":";
    value.resize(900, 'v');
    const auto appended = world_.AppendDurably({.values = {value}, .keys = {key}});
    ASSERT_TRUE(appended.ok()) << appended.status();
  }
  void Remove(const std::string& key) {
    ASSERT_TRUE(world_.AppendDurably({.values = {""}, .keys = {key}, .tombstones = {0}}).ok());
  }
  void Checkpoint() {
    world_.Advance(absl::Seconds(2));
    world_.Run();
  }
  void Compact() {
    Checkpoint();
    const absl::Status compacted = world_.Compact();
    ASSERT_TRUE(compacted.ok()) << compacted;
  }

  /// One that no compaction has written.
  bool HasSegment(int64_t base) {
    return world_.Exists(world_.Path(OffsetFileName(Offset(base), kSegmentSuffix)));
  }

  std::vector<KeyedRecord> ReadAll() {
    std::vector<KeyedRecord> records;
    Offset next = world_.log().log_start();
    while (next < world_.log().durable_end()) {
      const auto read = world_.Read(next, 1'000);
      if (!read.ok() || read->next_offset <= next) {
        ADD_FAILURE() << next.value() << ": " << read.status();
        break;
      }
      for (const base::Buffer& chunk : read->chunks) {
        for (base::ByteSpan rest = chunk.bytes(); !rest.empty();) {
          const auto header = record::ParseHeader(rest);
          auto reader = record::BatchReader::Open(rest.first(header->size()), {});
          while (auto record = reader->Next().value()) {
            if (record->offset < next) continue;
            records.push_back({.offset = record->offset,
                               .key = std::string(record->key.value_or("")),
                               .value = record->value ? std::optional<std::string>(*record->value)
                                                      : std::nullopt});
          }
          rest = rest.subspan(header->size());
        }
      }
      next = read->next_offset;
    }
    return records;
  }
  std::vector<std::pair<int64_t, std::string>> Keys() {
    std::vector<std::pair<int64_t, std::string>> keys;
    for (const KeyedRecord& record : ReadAll())
      keys.emplace_back(record.offset.value(), record.key);
    return keys;
  }

  std::vector<std::string> Segments() {
    std::vector<std::string> names;
    for (const std::string& name : Files()) {
      if (name.ends_with(kSegmentSuffix)) names.push_back(name);
    }
    return names;
  }
  std::vector<std::string> Files() { return world_.disk().List(world_.Path("")).value(); }

  StorageWorld world_;
  int64_t values_ = 0;
};

// The checkpoint that comes before a compaction says that the log ends in such a segment.
TEST_F(CompactionTest, SegmentThatIsCompletedMeanwhileStays) {
  world_.Kill();
  world_.store_options().direct_logs_max = 0;
  world_.store_options().tail_cache_bytes_max = 40'000;
  Start();
  for (int i = 0; i < 5; ++i) Put("a");
  Checkpoint();
  Checkpoint();
  // In the journal, until so much is held that it is brought to the segments.
  const std::string value(900, 'v');
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(world_.Append({.values = {value}, .keys = {"a"}}).ok());
    world_.RunWithoutWriteBack();
  }
  ASSERT_EQ(world_.log().durable_end(), Offset(17));
  ASSERT_FALSE(HasSegment(8));
  bool is_first = true;
  world_.disk().SetFaultHook([&](DiskCall call, const std::string&) {
    if (call == DiskCall::kRename && std::exchange(is_first, false)) world_.RunWithoutCheckpoint();
    return absl::OkStatus();
  });
  absl::Status compacted = absl::InternalError("Compact did not answer");
  world_.log().Compact(world_.clock().Now(), Offset(17),
                       [&](absl::Status status) { compacted = std::move(status); });
  world_.RunWithoutWriteBack();
  ASSERT_TRUE(HasSegment(8));
  world_.Run();
  EXPECT_TRUE(compacted.ok()) << compacted;
  EXPECT_FALSE(HasSegment(0));
  EXPECT_TRUE(HasSegment(4)) << "the end that is recorded lies in it";
  Checkpoint();
  EXPECT_TRUE(world_.last_told().ok()) << world_.last_told();
  Compact();
  EXPECT_FALSE(HasSegment(4));
}

TEST_F(CompactionTest, LastRecordOfEachKeyStaysAtItsOffset) {
  for (const char* key : {"a", "b", "a", "c", "a", "b", "d", "d", "a"}) Put(key);
  Compact();
  // Offset 8 begins the segment that is written.
  EXPECT_THAT(Keys(),
              ElementsAre(Pair(3, "c"), Pair(4, "a"), Pair(5, "b"), Pair(7, "d"), Pair(8, "a")));
  EXPECT_EQ(world_.log().log_start(), Offset(0));
  EXPECT_EQ(world_.log().log_end(), Offset(9));
}

TEST_F(CompactionTest, FilesThatWereReplacedGoAndTheNewOneIsOneFile) {
  for (int i = 0; i < 9; ++i) Put("a");
  const int64_t bytes = world_.log().size_bytes();
  Compact();
  EXPECT_THAT(Segments(), ElementsAre("00000000000000000000-00000000000000000004-0000000001.log",
                                      "00000000000000000004-00000000000000000008-0000000002.log",
                                      "00000000000000000008.log"));
  EXPECT_LT(world_.log().size_bytes(), bytes / 4);
  EXPECT_EQ(world_.log().lifetime_bytes(), bytes);
  for (int i = 0; i < 8; ++i) Put("a");
  Compact();
  EXPECT_EQ(Segments().size(), 4U) << "the two old ones fit into one";
  EXPECT_EQ(Keys(), (std::vector<std::pair<int64_t, std::string>>{{15, "a"}, {16, "a"}}));
}

TEST_F(CompactionTest, WhatIsInTheJournalOnlyIsCompactedTheNextTime) {
  ASSERT_TRUE(world_.Stop().ok());
  world_.store_options().direct_logs_max = 0;
  world_.store_options().tail_cache_bytes_max = 1 << 20;
  Start();
  for (const char* key : {"a", "b", "a", "c", "a", "b", "d", "d", "a"}) Put(key);
  ASSERT_FALSE(world_.Exists(world_.Path("00000000000000000000.log")));
  Compact();
  Compact();
  ASSERT_TRUE(world_.Close().ok());
  ASSERT_TRUE(world_.Open().ok());
  EXPECT_THAT(Keys(),
              ElementsAre(Pair(3, "c"), Pair(4, "a"), Pair(5, "b"), Pair(7, "d"), Pair(8, "a")));
}

TEST_F(CompactionTest, RestartFindsTheSame) {
  for (const char* key : {"a", "b", "a", "c", "a", "b", "d", "d", "a"}) Put(key);
  Compact();
  const auto before = Keys();
  const int64_t lifetime = world_.log().lifetime_bytes();
  Checkpoint();
  world_.CutPower(PowerCut::DropUnsynced());
  Start();
  EXPECT_EQ(Keys(), before);
  EXPECT_EQ(world_.log().lifetime_bytes(), lifetime);
  ASSERT_TRUE(world_.Stop().ok());
  Start();
  EXPECT_EQ(Keys(), before);
  Put("e");
  EXPECT_THAT(Keys().back(), Pair(9, "e"));
}

// The segment before a lost one tells its own end, so nothing was missing in it: a reader asked for
// the lost offsets for ever, and a compaction that merges the neighbours would have hidden them.
TEST_F(CompactionTest, SegmentThatIsLostIsRefusedAndEndsTheNextCompaction) {
  const auto put = [&](int number) {
    return world_
        .AppendDurably({.values = {std::string(900, 'v')},
                        .timestamp_ms = 1'000 + number,
                        .keys = {std::to_string(number)}})
        .ok();
  };
  for (int i = 0; i < 13; ++i) ASSERT_TRUE(put(i));
  Compact();
  ASSERT_TRUE(world_.Stop().ok());
  world_.RemoveFile(world_.Path("00000000000000000004-00000000000000000008-0000000002.log"));
  world_.log_options().segment_bytes = 12'000;
  Start();
  for (const int64_t offset : {4, 7}) {
    const auto refused = CorruptRangeOf(world_.Read(Offset(offset)).status());
    ASSERT_TRUE(refused.has_value()) << offset;
    EXPECT_EQ(refused->next, Offset(8));
  }
  EXPECT_TRUE(world_.Read(Offset(3)).ok());
  EXPECT_TRUE(world_.Read(Offset(8)).ok());
  EXPECT_EQ(*world_.FindOffset(1'003), Offset(3));
  EXPECT_EQ(*world_.FindOffset(1'005), Offset(4)) << "it may have been there";
  EXPECT_EQ(*world_.FindOffset(1'012), Offset(12));
  const auto segments = Segments();
  for (int i = 13; i < 40; ++i) ASSERT_TRUE(put(i));
  Checkpoint();
  EXPECT_EQ(ReasonOf(world_.Compact()), Reason::kCorruptData);
  EXPECT_THAT(Segments(), testing::IsSupersetOf(segments));
}

TEST_F(CompactionTest, NothingHappensWithoutThePolicyOrBeforeItIsTime) {
  for (int i = 0; i < 9; ++i) Put("a");
  LogOptions options = world_.log_options();
  options.compaction.reset();
  world_.log().SetOptions(options);
  Compact();
  EXPECT_EQ(Keys().size(), 9U);
  options.compaction = CompactionRules{.lag_min = absl::Hours(1)};
  world_.log().SetOptions(options);
  Compact();
  EXPECT_EQ(Keys().size(), 9U);
}

TEST_F(CompactionTest, TombstoneOutlivesItsKeyForItsTime) {
  Put("a");
  Put("b");
  Remove("a");
  for (const char* key : {"x", "x", "x", "x"}) Put(key);
  Compact();
  EXPECT_THAT(Keys(),
              ElementsAre(Pair(1, "b"), Pair(2, "a"), Pair(4, "x"), Pair(5, "x"), Pair(6, "x")))
      << "a reader of the whole log learns that a is gone";
  EXPECT_EQ(ReadAll()[1].value, std::nullopt);
  world_.Advance(absl::Hours(23));
  for (int i = 0; i < 4; ++i) Put("x");
  Compact();
  EXPECT_THAT(Keys(), testing::Contains(Pair(2, "a")));
  world_.Advance(absl::Hours(2));
  for (int i = 0; i < 4; ++i) Put("x");
  Compact();
  EXPECT_THAT(Keys(), testing::Not(testing::Contains(Pair(testing::_, "a"))));
  EXPECT_THAT(Keys(), testing::Contains(Pair(1, "b")));
}

TEST_F(CompactionTest, TimestampsOutliveTheDeleteHorizon) {
  ASSERT_TRUE(world_
                  .AppendDurably({.values = {"", "kept"},
                                  .timestamp_ms = 5'000,
                                  .keys = {"a", "b"},
                                  .tombstones = {0}})
                  .ok());
  for (int i = 0; i < 5; ++i) Put("x");
  Compact();
  EXPECT_EQ(*world_.FindOffset(5'000), Offset(0));
  EXPECT_EQ(*world_.FindOffset(5'001), Offset(5)) << "of the records before it only x is left";
}

TEST_F(CompactionTest, RecordsWithoutAKeyStay) {
  ASSERT_TRUE(world_.AppendDurably({.values = {"one"}}).ok());
  ASSERT_TRUE(world_.AppendDurably({.values = {"two"}}).ok());
  for (int i = 0; i < 6; ++i) Put("x");
  Compact();
  EXPECT_THAT(Keys(), testing::IsSupersetOf(
                          {Pair(int64_t{0}, std::string()), Pair(int64_t{1}, std::string())}));
}

TEST_F(CompactionTest, CompressedBatchesLoseSingleRecords) {
  for (const record::Codec codec :
       {record::Codec::kZstd, record::Codec::kGzip, record::Codec::kLz4, record::Codec::kSnappy}) {
    ASSERT_TRUE(world_
                    .AppendDurably({.values = {"1", "2", "3"},
                                    .codec = codec,
                                    .keys = {"a", "b", std::to_string(static_cast<int>(codec))}})
                    .ok());
  }
  for (int i = 0; i < 5; ++i) Put("x");
  Compact();
  EXPECT_THAT(Keys(),
              ElementsAre(Pair(2, "4"), Pair(5, "1"), Pair(8, "3"), Pair(9, "a"), Pair(10, "b"),
                          Pair(11, "2"), Pair(14, "x"), Pair(15, "x"), Pair(16, "x")));
}

TEST_F(CompactionTest, ProducersAreKnownFromTheHeadersThatStay) {
  const auto put = [&](int32_t sequence) {
    return world_.AppendDurably(
        {.values = {std::string(900, 'v')},
         .producer = {.producer_id = ProducerId(5), .producer_epoch = 0, .base_sequence = sequence},
         .keys = {"a"}});
  };
  for (int32_t i = 0; i < 9; ++i) ASSERT_TRUE(put(i).ok());
  Compact();
  ASSERT_TRUE(world_.Stop().ok());
  // Without snapshots all is read from the batches.
  for (const std::string& name : Files()) {
    if (name.ends_with(kSnapshotSuffix)) world_.RemoveFile(world_.Path(name));
  }
  Start();
  for (int32_t i = 4; i < 9; ++i) {
    const auto again = put(i);
    ASSERT_TRUE(again.ok()) << i << ": " << again.status();
    EXPECT_TRUE(again->is_duplicate);
    EXPECT_EQ(again->base_offset, Offset(i));
  }
  EXPECT_TRUE(put(9).ok());
}

TEST_F(CompactionTest, KeysThatDoNotFitWaitForTheNextTime) {
  ASSERT_TRUE(world_.Stop().ok());
  world_.store_options().compaction_keys_max = 5;
  Start();
  for (const char* key : {"a", "b", "a", "c", "d", "e", "f", "a", "x"}) Put(key);
  Compact();
  EXPECT_THAT(Keys(), testing::AllOf(testing::SizeIs(8), testing::Contains(Pair(2, "a"))));
  Compact();
  EXPECT_THAT(Keys(), ElementsAre(Pair(1, "b"), Pair(3, "c"), Pair(4, "d"), Pair(5, "e"),
                                  Pair(6, "f"), Pair(7, "a"), Pair(8, "x")));
}

TEST_F(CompactionTest, SegmentWithTooManyKeysIsToldAndLeftAlone) {
  ASSERT_TRUE(world_.Stop().ok());
  world_.store_options().compaction_keys_max = 3;
  Start();
  for (const char* key : {"a", "b", "c", "d", "a"}) Put(key);
  Checkpoint();
  const absl::Status compacted = world_.Compact();
  EXPECT_EQ(ReasonOf(compacted), Reason::kInvalidConfig) << compacted;
  EXPECT_EQ(Keys().size(), 5U);
  EXPECT_EQ(Segments().size(), 2U);
}

TEST_F(CompactionTest, DamageIsNeverCompactedAway) {
  for (int i = 0; i < 9; ++i) Put("a");
  Checkpoint();
  const std::string path = world_.Path(OffsetFileName(Offset(0), kSegmentSuffix));
  world_.FlipBit(path, 500);
  const absl::Status compacted = world_.Compact();
  EXPECT_EQ(ReasonOf(compacted), Reason::kCorruptData) << compacted;
  EXPECT_TRUE(world_.Exists(path));
  EXPECT_EQ(Segments().size(), 3U) << "and nothing temporary is left";
}

TEST_F(CompactionTest, FailingDiskLeavesTheOldSegments) {
  for (int i = 0; i < 9; ++i) Put("a");
  Checkpoint();
  for (const DiskCall call :
       {DiskCall::kOpen, DiskCall::kWrite, DiskCall::kSync, DiskCall::kRename}) {
    world_.disk().FailNth(call, 1, MemoryFileSystem::StorageFull("disk"));
    EXPECT_FALSE(world_.Compact().ok());
    EXPECT_EQ(Keys().size(), 9U);
  }
  world_.disk().SetFaultHook(nullptr);
  ASSERT_TRUE(world_.Compact().ok());
  EXPECT_EQ(Keys().size(), 2U);
  Put("b");
}

TEST_F(CompactionTest, ReadersMeetOldOrNewAndNothingInBetween) {
  for (const char* key : {"a", "b", "a", "c", "a", "b", "d", "d", "a"}) Put(key);
  Checkpoint();
  const auto before = Keys();
  bool is_done = false;
  world_.log().Compact(world_.clock().Now(), Offset(9), [&](const absl::Status& status) {
    EXPECT_TRUE(status.ok()) << status;
    is_done = true;
  });
  std::vector<std::pair<Offset, absl::StatusOr<ReadResult>>> reads;
  reads.reserve(1'000);
  do {
    for (int64_t offset = 0; offset < 9; ++offset) {
      auto& slot = reads.emplace_back(Offset(offset), absl::InternalError("no answer"));
      world_.log().Read(
          {.offset = Offset(offset), .limit = Offset(9), .bytes_max = 1},
          [&slot](absl::StatusOr<ReadResult> read) { slot.second = std::move(read); });
    }
  } while (world_.RunOne() && reads.size() < 900);
  world_.Run();
  ASSERT_TRUE(is_done);
  for (const auto& [offset, read] : reads) {
    ASSERT_TRUE(read.ok()) << offset.value() << ": " << read.status();
    EXPECT_GT(read->next_offset, offset);
  }
  EXPECT_LT(Keys().size(), before.size());
}

TEST_F(CompactionTest, CloseEndsItEarly) {
  for (int i = 0; i < 13; ++i) Put("a");
  Checkpoint();
  absl::Status compacted = absl::InternalError("no answer");
  world_.log().Compact(world_.clock().Now(), Offset(13),
                       [&](absl::Status status) { compacted = std::move(status); });
  ASSERT_TRUE(world_.Close().ok());
  EXPECT_TRUE(compacted.ok()) << compacted;
  ASSERT_TRUE(world_.Open().ok());
  EXPECT_EQ(Keys().size(), 13U);
}

TEST_F(CompactionTest, StartThatMovesMeanwhileTakesItsSegmentsAlongAfterwards) {
  for (int i = 0; i < 13; ++i) Put(std::to_string(i % 5));
  Checkpoint();
  bool is_done = false;
  world_.log().Compact(world_.clock().Now(), Offset(13),
                       [&](const absl::Status&) { is_done = true; });
  ASSERT_TRUE(world_.MoveLogStart(Offset(9)).ok());
  world_.Run();
  ASSERT_TRUE(is_done);
  EXPECT_EQ(Keys().front().first, 9);
  EXPECT_EQ(Segments().size(), 2U);
  ASSERT_TRUE(world_.Stop().ok());
  Start();
  EXPECT_EQ(Keys().front().first, 9);
}

TEST_F(CompactionTest, LostAndBrokenIndexOfACompactedSegmentIsMadeAgain) {
  for (const char* key : {"a", "b", "a", "c", "a", "b", "d", "d", "a"}) Put(key);
  Compact();
  const auto before = Keys();
  const SegmentName name{.base = Offset(0), .end = Offset(4), .generation = 1};
  const std::string index = world_.Path(SegmentFileName(name, kIndexSuffix));
  ASSERT_TRUE(world_.Stop().ok());
  for (const bool is_lost : {true, false}) {
    if (is_lost) {
      world_.RemoveFile(index);
    } else {
      world_.FlipBit(index, 60);
    }
    ASSERT_TRUE(world_.Start().ok());
    ASSERT_TRUE(world_.Open().ok());
    EXPECT_EQ(Keys(), before);
    ASSERT_TRUE(world_.Stop().ok());
  }
  // Without the checkpoint every segment is looked at.
  world_.RemoveFile("data/checkpoint");
  world_.RemoveFile(index);
  ASSERT_TRUE(world_.Start().ok());
  const auto report = world_.Open();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(report->damages, IsEmpty());
  EXPECT_EQ(Keys(), before);
}

TEST_F(CompactionTest, FlippedBitInACompactedSegmentIsRefused) {
  for (const char* key : {"a", "b", "a", "c", "a", "b", "d", "d", "a"}) Put(key);
  Compact();
  const SegmentName name{.base = Offset(0), .end = Offset(4), .generation = 1};
  world_.FlipBit(world_.Path(SegmentFileName(name, kSegmentSuffix)), 3);
  ASSERT_TRUE(world_.Close().ok());
  ASSERT_TRUE(world_.Open().ok());
  EXPECT_EQ(ReasonOf(world_.Read(Offset(0)).status()), Reason::kCorruptData)
      << "a base offset that chain and CRC would let pass";
  EXPECT_TRUE(world_.Read(Offset(4)).ok());
}

}  // namespace
}  // namespace talosmq::storage
