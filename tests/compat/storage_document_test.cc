// The pages of docs/formats about the files of a log say what the code does: their worked examples,
// which were computed by another program, and their tables.

#include "base/bytes.h"
#include "kv/store.h"
#include "storage/batch_chain.h"
#include "storage/catalogue.h"
#include "storage/checkpoint.h"
#include "storage/epoch_history.h"
#include "storage/producer_snapshot.h"
#include "storage/run_verifier.h"
#include "storage/segment_index.h"

#include "compat/hex_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <string>
#include <vector>

namespace talosmq::compat {
namespace {

constexpr int64_t kT1 = 1'700'000'000'001;
const TopicPartition kLog{.topic_id = *TopicId::Parse("0b5c7f5e-1d2c-4b3a-9f8e-7d6c5b4a3921"),
                          .partition = PartitionId(3)};
const storage::SegmentIdentity kSegment{.log = kLog, .base_offset = Offset(4711)};

std::string Page(const std::string& name) {
  return ReadRepositoryFile("docs/formats/" + name + ".md");
}
std::string Example(const std::string& name) { return BytesOfHex(FencedBlock(Page(name), "hex")); }

struct Field {
  size_t position;
  size_t size;
  std::string name;
};

void ExpectRows(const std::string& page, const std::vector<Field>& fields) {
  for (const Field& field : fields) {
    const std::string row = "\n| " + std::to_string(field.position) + " | " +
                            std::to_string(field.size) + " | " + field.name;
    EXPECT_THAT(page, testing::HasSubstr(row));
  }
}

TEST(StorageDocumentTest, SegmentExampleIsAChainUnderItsEpoch) {
  const std::string segment = Example("segment");
  const std::vector<storage::EpochEntry> history = {
      {.epoch = LeaderEpoch(2), .start_offset = Offset(4711)}};
  storage::BatchChain chain(Offset(4711), history, storage::Density::kDense);
  base::ByteSpan rest = base::AsBytes(segment);
  for (int i = 0; i < 2; ++i) {
    record::BatchHeader header;
    ASSERT_FALSE(storage::ParseWholeBatch(rest, header).has_value());
    const auto mismatch = chain.Accept(header, rest.first(header.size()));
    ASSERT_FALSE(mismatch.has_value()) << mismatch->expected << ", found " << mismatch->found;
    rest = rest.subspan(header.size());
  }
  EXPECT_TRUE(rest.empty());
  EXPECT_EQ(chain.next(), Offset(4715));
}

TEST(StorageDocumentTest, IndexExampleIsWhatWeWrite) {
  const std::string segment = Example("segment");
  storage::RunBuilder runs(kSegment, Offset(4711), 0, storage::kNoTimestamp);
  for (base::ByteSpan rest = base::AsBytes(segment); !rest.empty();) {
    const auto header = record::ParseHeader(rest);
    ASSERT_TRUE(header.ok());
    EXPECT_FALSE(runs.Add(rest, *header).has_value());
    rest = rest.subspan(header->size());
  }
  const auto run = runs.Finish();
  ASSERT_TRUE(run.has_value());
  std::string index(base::AsText(
      storage::EncodeIndexHeader({.segment = kSegment, .created_ms = 1'700'000'000'100})));
  index += base::AsText(storage::EncodeIndexEntry(kSegment, *run));
  EXPECT_EQ(index, Example("index"));
}

TEST(StorageDocumentTest, IndexExampleAgreesWithTheSegment) {
  const std::string segment = Example("segment");
  const std::string bytes = Example("index");
  const auto index = storage::ParseIndex(base::AsBytes(bytes), kSegment);
  ASSERT_TRUE(index.ok());
  ASSERT_EQ(index->entries.size(), 1U);
  EXPECT_EQ(index->header.created_ms, 1'700'000'000'100);
  EXPECT_EQ(index->entries[0].max_timestamp_ms, kT1);
  std::vector<storage::VerifiedBatch> batches;
  EXPECT_FALSE(storage::VerifyRun(base::AsBytes(segment), {.log = kLog, .entry = index->entries[0]},
                                  0, batches)
                   .has_value());
  EXPECT_EQ(batches.size(), 2U);
}

TEST(StorageDocumentTest, IndexTablesHaveEveryField) {
  ExpectRows(Page("index"), {{0, 4, "magic"},
                             {4, 1, "version"},
                             {8, 16, "topic id"},
                             {24, 4, "partition"},
                             {28, 8, "base offset"},
                             {36, 8, "created"},
                             {44, 16, "zero"},
                             {storage::kIndexHeaderBytes - 4, 4, "CRC"},
                             {0, 4, "first offset"},
                             {4, 4, "end offset"},
                             {8, 4, "position"},
                             {12, 4, "size"},
                             {16, 8, "max timestamp"},
                             {24, 4, "check"},
                             {storage::kIndexEntryBytes - 4, 4, "CRC"}});
}

TEST(StorageDocumentTest, EpochsExampleIsWhatWeWriteAndRead) {
  const std::vector<storage::EpochEntry> entries = {
      {.epoch = LeaderEpoch(1), .start_offset = Offset(0)},
      {.epoch = LeaderEpoch(2), .start_offset = Offset(4711)}};
  const std::string example = Example("epochs");
  EXPECT_EQ(storage::EncodeEpochs(kLog, entries), example);
  const auto loaded = storage::ParseEpochs(base::AsBytes(example), kLog);
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->broken, "");
  EXPECT_EQ(storage::EpochAt(loaded->entries, Offset(4710)), LeaderEpoch(1));
}

TEST(StorageDocumentTest, EpochsTablesHaveEveryField) {
  ExpectRows(Page("epochs"), {{8, 16, "topic id"},
                              {24, 4, "partition"},
                              {storage::kEpochsHeaderBytes - 4, 4, "CRC"},
                              {0, 4, "epoch"},
                              {4, 8, "start offset"},
                              {storage::kEpochEntryBytes - 4, 4, "CRC"}});
}

TEST(StorageDocumentTest, CheckpointExampleIsWhatWeWriteAndRead) {
  TopicPartition unknown = kLog;
  unknown.partition = PartitionId(4);
  const storage::FlushedPoints points = {
      {kLog,
       {.log_start = Offset(0),
        .end_offset = Offset(4715),
        .segment = Offset(4711),
        .position = 170,
        .removed_bytes = 4096}},
      {unknown,
       {.log_start = Offset(0), .end_offset = storage::kUnknownEnd, .segment = Offset(0)}}};
  const storage::JournalMark journal{.newest = 77, .oldest = 75};
  const std::string example = Example("checkpoint");
  EXPECT_EQ(storage::EncodeCheckpoint(points, journal), example);
  const auto loaded = storage::ParseCheckpoint(base::AsBytes(example));
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->points, points);
  EXPECT_EQ(loaded->journal, journal);
  EXPECT_EQ(loaded->broken, "");
}

TEST(StorageDocumentTest, CheckpointOfTheFirstVersionIsReadAndHasNoMark) {
  std::string first = Example("checkpoint");
  first.replace(0, storage::kCheckpointHeaderBytes + storage::kCheckpointMarkBytes,
                BytesOfHex("54 4d 51 43 01 00 00 00 00 00 00 02 96 51 5e 23"));
  const auto loaded = storage::ParseCheckpoint(base::AsBytes(first));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->points.size(), 2U);
  EXPECT_EQ(loaded->journal, storage::JournalMark());
  EXPECT_EQ(loaded->broken, "");
}

TEST(StorageDocumentTest, CheckpointTablesHaveEveryField) {
  ExpectRows(Page("checkpoint"), {{8, 4, "entries"},
                                  {storage::kCheckpointHeaderBytes - 4, 4, "CRC"},
                                  {0, 8, "newest group"},
                                  {8, 8, "oldest group needed"},
                                  {storage::kCheckpointMarkBytes - 4, 4, "CRC"},
                                  {0, 16, "topic id"},
                                  {16, 4, "partition"},
                                  {20, 8, "log start"},
                                  {28, 8, "end offset"},
                                  {36, 8, "base offset"},
                                  {44, 8, "position"},
                                  {52, 8, "removed bytes"},
                                  {storage::kCheckpointEntryBytes - 4, 4, "CRC"}});
}

TEST(StorageDocumentTest, ProducersExampleIsWhatWeWriteAndRead) {
  const std::string segment = Example("segment");
  storage::ProducerTable table;
  for (base::ByteSpan rest = base::AsBytes(segment); !rest.empty();) {
    record::BatchHeader header = *record::ParseHeader(rest);
    rest = rest.subspan(header.size());
    // The second batch of the page is a copy of the first; its producer went on counting.
    header.base_sequence = static_cast<int32_t>(header.base_offset.value() - 4711);
    table.Add(header, absl::ZeroDuration());
  }
  const std::string example = Example("producers");
  const auto states = table.States(absl::Hours(1));
  EXPECT_EQ(
      storage::EncodeProducerSnapshot({.log = kLog, .offset = Offset(4715), .producers = states}),
      example);
  const auto snapshot = storage::DecodeProducerSnapshot(base::AsBytes(example), kLog, Offset(4715));
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_EQ(snapshot->producers, states);
}

TEST(StorageDocumentTest, ProducersTablesHaveEveryField) {
  ExpectRows(Page("producers"), {{28, 8, "offset"},
                                 {36, 4, "producers"},
                                 {40, 4, "bytes behind the header"},
                                 {storage::kSnapshotHeaderBytes - 4, 4, "CRC"},
                                 {0, 8, "producer id"},
                                 {8, 2, "producer epoch"},
                                 {10, 1, "batches"},
                                 {12, 8, "silence"},
                                 {0, 4, "first sequence"},
                                 {4, 4, "last sequence"},
                                 {8, 8, "first offset"},
                                 {16, 8, "last offset"},
                                 {24, 8, "timestamp"}});
}

TEST(StorageDocumentTest, CatalogueExampleIsWhatWeWrite) {
  const auto store = kv::MakeMemoryStore();
  storage::Catalogue catalogue(*store);
  ASSERT_TRUE(catalogue.Add({kLog}).ok());
  const auto entries = store->Scan("log/", "", 10);
  ASSERT_TRUE(entries.ok());
  ASSERT_EQ(entries->size(), 1U);
  EXPECT_EQ(entries->front().key + entries->front().value, Example("catalogue"));
  EXPECT_TRUE(*catalogue.Contains(kLog));
}

}  // namespace
}  // namespace talosmq::compat
