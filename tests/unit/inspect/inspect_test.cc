// What `log inspect` and `log verify` find in a data directory.

#include "inspect/inspect.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "storage/segment.h"
#include "storage/segment_index.h"
#include "support/storage_world.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <string>
#include <vector>

namespace talosmq::inspect {
namespace {

using storage::kIndexSuffix;
using storage::kSegmentSuffix;
using storage::kSnapshotSuffix;
using storage::OffsetFileName;
using support::StorageWorld;
using testing::HasSubstr;

class InspectTest : public testing::Test {
 protected:
  InspectTest() {
    EXPECT_TRUE(world_.Start().ok());
    world_.log_options().segment_bytes = 20'000;
  }

  void Append(int count, size_t value_bytes = 5'000) {
    for (int i = 0; i < count; ++i) {
      const auto appended = world_.AppendDurably(
          {.values = {std::string(value_bytes, 'v'), "second"},
           .producer = {
               .producer_id = ProducerId(6), .producer_epoch = 1, .base_sequence = 2 * next_++}});
      ASSERT_TRUE(appended.ok()) << appended.status();
    }
  }
  std::string File(int64_t base, std::string_view suffix) const {
    return world_.Path(OffsetFileName(Offset(base), suffix));
  }
  Report Verify(const std::string& directory = StorageWorld::kDirectory) {
    auto report = VerifyDirectory(world_.disk(), directory, Detail::kBatches);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *std::move(report) : Report{};
  }
  static std::vector<std::string> Damages(const Report& report) {
    std::vector<std::string> damages;
    const auto add = [&](const std::vector<Finding>& findings) {
      for (const Finding& finding : findings) {
        if (finding.severity != Severity::kDamage) continue;
        damages.push_back(finding.file + ": " + finding.what);
      }
    };
    add(report.findings);
    for (const LogReport& log : report.logs) add(log.findings);
    return damages;
  }

  StorageWorld world_;
  int next_ = 0;
};

TEST_F(InspectTest, SoundDirectoryHasNoFindings) {
  Append(10);
  ASSERT_TRUE(world_.Stop().ok());
  const Report report = Verify();
  EXPECT_EQ(report.CountFindings(Severity::kDamage), 0);
  EXPECT_EQ(report.CountFindings(Severity::kNote), 0);
  ASSERT_EQ(report.logs.size(), 1U);
  const LogReport& log = report.logs.front();
  EXPECT_EQ(log.log, StorageWorld::kLog);
  EXPECT_EQ(log.log_start, Offset(0));
  EXPECT_EQ(log.end_offset, Offset(20));
  EXPECT_EQ(log.flushed_end, Offset(20));
  EXPECT_EQ(log.epochs.size(), 1U);
  EXPECT_EQ(log.segments.size(), 4U);
}

TEST_F(InspectTest, BatchesAreListedWithTheirHeaders) {
  Append(4);
  ASSERT_TRUE(world_.Stop().ok());
  const Report report = Verify();
  const SegmentReport& segment = report.logs.front().segments.front();
  ASSERT_EQ(segment.batches.size(), 3U);
  EXPECT_EQ(segment.records_count, 6);
  EXPECT_EQ(segment.index_entries, 3);
  const BatchReport& batch = segment.batches[1];
  EXPECT_EQ(batch.base_offset, Offset(2));
  EXPECT_EQ(batch.last_offset, Offset(3));
  EXPECT_EQ(batch.count, 2);
  EXPECT_EQ(batch.producer_id, ProducerId(6));
  EXPECT_EQ(batch.producer_epoch, 1);
  EXPECT_EQ(batch.base_sequence, 2);
  EXPECT_EQ(batch.epoch, LeaderEpoch(1));
  EXPECT_EQ(batch.position, static_cast<uint64_t>(segment.batches[0].size_bytes));
}

TEST_F(InspectTest, DetailLeavesTheBatchesOut) {
  Append(4);
  ASSERT_TRUE(world_.Stop().ok());
  const auto report = InspectDirectory(world_.disk(), StorageWorld::kDirectory, Detail::kSegments);
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->logs.front().segments.front().batches.empty());
  EXPECT_EQ(report->logs.front().segments.front().batches_count, 3);
}

TEST_F(InspectTest, BesideARunningServerItJudgesUpToTheFlushedPoint) {
  Append(2);
  world_.Advance(absl::Seconds(2));
  world_.Run();
  Append(1);
  // The server is about to write more: half a batch stands there.
  std::string content = world_.ReadFile(File(0, kSegmentSuffix));
  const auto header = record::ParseHeader(base::AsBytes(content));
  content.replace(3 * header->size(), 40, content.substr(0, 40));
  world_.WriteFile(File(0, kSegmentSuffix), content);
  const Report report = Verify();
  EXPECT_THAT(Damages(report), testing::IsEmpty());
  EXPECT_EQ(report.logs.front().flushed_end, Offset(4));
  EXPECT_EQ(report.logs.front().end_offset, Offset(6)) << "whole batches above it are listed";
  ASSERT_EQ(report.logs.front().findings.size(), 1U);
  EXPECT_THAT(report.logs.front().findings.front().what, HasSubstr("not judged"));
}

TEST_F(InspectTest, AnyFlippedBitBelowTheFlushedPointIsDamage) {
  Append(3, 100);
  ASSERT_TRUE(world_.Stop().ok());
  const std::string path = File(0, kSegmentSuffix);
  const size_t size = world_.ReadFile(path).size();
  for (size_t position = 0; position < size; ++position) {
    const int bit = static_cast<int>(position % 8);
    world_.FlipBit(path, position, bit);
    EXPECT_THAT(Damages(Verify()), testing::Not(testing::IsEmpty())) << position;
    world_.FlipBit(path, position, bit);
  }
  EXPECT_THAT(Damages(Verify()), testing::IsEmpty());
}

TEST_F(InspectTest, WhatLiesBehindADamagedBatchIsStillListed) {
  Append(3, 100);
  ASSERT_TRUE(world_.Stop().ok());
  const auto header = record::ParseHeader(base::AsBytes(world_.ReadFile(File(0, kSegmentSuffix))));
  world_.FlipBit(File(0, kSegmentSuffix), header->size() + 70);
  const Report report = Verify();
  EXPECT_EQ(Damages(report).size(), 1U);
  EXPECT_EQ(report.logs.front().segments.front().batches_count, 2);
  EXPECT_EQ(report.logs.front().end_offset, Offset(6));
}

TEST_F(InspectTest, CutSegmentIsDamage) {
  Append(3, 100);
  ASSERT_TRUE(world_.Stop().ok());
  const size_t size = world_.ReadFile(File(0, kSegmentSuffix)).size();
  for (size_t cut = 0; cut < size; cut += 11) {
    const std::string content = world_.ReadFile(File(0, kSegmentSuffix));
    world_.Resize(File(0, kSegmentSuffix), cut);
    EXPECT_THAT(Damages(Verify()), testing::Not(testing::IsEmpty())) << cut;
    world_.WriteFile(File(0, kSegmentSuffix), content);
  }
}

TEST_F(InspectTest, SoundIndexEntryThatDisagreesIsDamage) {
  Append(4);
  ASSERT_TRUE(world_.Stop().ok());
  std::string index = world_.ReadFile(File(0, kIndexSuffix));
  const storage::SegmentIdentity segment{.log = StorageWorld::kLog, .base_offset = Offset(0)};
  auto entry =
      storage::DecodeIndexEntry(segment, base::AsBytes(index).subspan(storage::kIndexHeaderBytes));
  ASSERT_TRUE(entry.has_value());
  entry->check ^= 0x10;
  index.replace(storage::kIndexHeaderBytes, storage::kIndexEntryBytes,
                base::AsText(storage::EncodeIndexEntry(segment, *entry)));
  world_.WriteFile(File(0, kIndexSuffix), index);
  EXPECT_THAT(Damages(Verify()), testing::ElementsAre(HasSubstr("index entry 0 disagrees")));
}

TEST_F(InspectTest, BrokenOrMissingIndexIsANoteSinceItIsMadeAgain) {
  Append(4);
  ASSERT_TRUE(world_.Stop().ok());
  world_.FlipBit(File(0, kIndexSuffix), storage::kIndexHeaderBytes + 5);
  EXPECT_THAT(Damages(Verify()), testing::IsEmpty());
  EXPECT_EQ(Verify().CountFindings(Severity::kNote), 1);
  world_.RemoveFile(File(0, kIndexSuffix));
  EXPECT_EQ(Verify().CountFindings(Severity::kNote), 1);
}

TEST_F(InspectTest, DamagedFilesBesideTheSegmentsAreFound) {
  Append(4);
  ASSERT_TRUE(world_.Stop().ok());
  world_.FlipBit(world_.Path("epochs"), 35);
  EXPECT_THAT(Damages(Verify()), testing::ElementsAre(HasSubstr("epochs")));
  world_.FlipBit(world_.Path("epochs"), 35);
  world_.FlipBit(File(8, kSnapshotSuffix), 50);
  EXPECT_THAT(Damages(Verify()), testing::ElementsAre(HasSubstr("producer snapshot")));
  world_.FlipBit(File(8, kSnapshotSuffix), 50);
  world_.FlipBit("data/checkpoint", 30);
  EXPECT_THAT(Damages(Verify()), testing::ElementsAre(HasSubstr("checkpoint")));
}

TEST_F(InspectTest, MissingSegmentAndMissingFolderAreDamage) {
  Append(10);
  ASSERT_TRUE(world_.Stop().ok());
  const std::string segment = File(18, kSegmentSuffix);
  const std::string content = world_.ReadFile(segment);
  world_.RemoveFile(segment);
  EXPECT_THAT(Damages(Verify()), testing::Not(testing::IsEmpty()));
  world_.WriteFile(segment, content);
  const auto names = world_.disk().List(world_.Path(""));
  ASSERT_TRUE(names.ok());
  for (const std::string& name : *names) world_.RemoveFile(world_.Path(name));
  ASSERT_TRUE(world_.disk().RemoveDirectory(world_.Path("")).ok());
  EXPECT_THAT(Damages(Verify()), testing::ElementsAre(HasSubstr("the folder is gone")));
}

TEST_F(InspectTest, FolderThatAServerMayBeDeletingIsANote) {
  Append(10);
  ASSERT_TRUE(world_.Stop().ok());
  const auto names = world_.disk().List(world_.Path(""));
  ASSERT_TRUE(names.ok());
  for (const std::string& name : *names) world_.RemoveFile(world_.Path(name));
  ASSERT_TRUE(world_.disk().RemoveDirectory(world_.Path("")).ok());
  world_.WriteFile(std::string(StorageWorld::kDirectory) + "/listeners.json", "{}");
  const Report report = Verify();
  EXPECT_THAT(Damages(report), testing::IsEmpty());
  ASSERT_EQ(report.findings.size(), 1);
  EXPECT_THAT(report.findings.front().what, HasSubstr("a server runs"));
}

TEST_F(InspectTest, PoisonBatchIsDamageThoughItsCrcIsRight) {
  support::BatchOf batch{.values = {"a"}};
  base::Buffer bytes = support::MakeBatch(batch);
  // A record that says it is longer than the batch, under a CRC that is right.
  bytes.mutable_bytes()[record::kHeaderBytes] = std::byte{0x7e};
  base::StoreBigEndian(bytes.mutable_bytes().data() + record::kCrcPosition,
                       base::Crc32c(bytes.bytes().subspan(record::kCrcBegin)));
  ASSERT_TRUE(world_.Open().ok());
  ASSERT_TRUE(world_.log().BeginEpoch(LeaderEpoch(1)).ok());
  const auto header = record::ParseHeader(bytes.bytes());
  ASSERT_TRUE(world_.log().Append(bytes, {.header = *header}).ok());
  ASSERT_TRUE(world_.Stop().ok());
  EXPECT_THAT(Damages(Verify()), testing::ElementsAre(HasSubstr("its CRC is right")));
}

TEST_F(InspectTest, OneLogFolderIsEnough) {
  Append(4);
  ASSERT_TRUE(world_.Stop().ok());
  const Report report = Verify(world_.Path(""));
  ASSERT_EQ(report.logs.size(), 1U);
  EXPECT_EQ(report.logs.front().log, StorageWorld::kLog);
  EXPECT_EQ(report.logs.front().flushed_end, Offset(8)) << "by the checkpoint of its directory";
  EXPECT_EQ(report.CountFindings(Severity::kDamage), 0);
}

TEST_F(InspectTest, CopiedFolderKnowsItsLogByTheIndex) {
  Append(4);
  ASSERT_TRUE(world_.Stop().ok());
  ASSERT_TRUE(world_.disk().MakeDirectories("copy").ok());
  const auto names = world_.disk().List(world_.Path(""));
  ASSERT_TRUE(names.ok());
  for (const std::string& name : *names) {
    world_.WriteFile("copy/" + name, world_.ReadFile(world_.Path(name)));
  }
  const Report report = Verify("copy/");
  ASSERT_EQ(report.logs.size(), 1U);
  EXPECT_EQ(report.logs.front().log, StorageWorld::kLog);
  EXPECT_EQ(report.logs.front().end_offset, Offset(8));
  EXPECT_EQ(report.CountFindings(Severity::kDamage), 0);
  for (const int64_t segment : {0, 6}) {  // The last one has an index that tells what was synced.
    const std::string file = "copy/" + OffsetFileName(Offset(segment), kSegmentSuffix);
    world_.FlipBit(file, 100);
    EXPECT_EQ(Verify("copy/").CountFindings(Severity::kDamage), 1) << segment;
    world_.FlipBit(file, 100);
  }
}

TEST_F(InspectTest, OtherFoldersAreRefused) {
  for (const char* directory : {"nowhere", "data/topics"}) {
    const auto report = VerifyDirectory(world_.disk(), directory, Detail::kSegments);
    EXPECT_EQ(ReasonOf(report.status()), Reason::kInvalidArgument) << directory;
  }
}

TEST_F(InspectTest, JournalIsShownAndItsDamageFound) {
  world_.Kill();
  world_.store_options().direct_logs_max = 0;
  ASSERT_TRUE(world_.Start().ok());
  ASSERT_TRUE(world_.AppendDurably({.values = {"a"}}).ok());
  ASSERT_TRUE(world_.AppendDurably({.values = {"b"}}).ok());
  Report report = Verify();
  EXPECT_THAT(Damages(report), testing::IsEmpty());
  std::vector<std::string> notes;
  for (const Finding& finding : report.findings) notes.push_back(finding.what);
  EXPECT_THAT(notes, testing::Contains(HasSubstr("offsets 1 to 1 of log")));

  const std::string file =
      std::string(StorageWorld::kDirectory) + "/journal/00000000000000000001.journal";
  world_.FlipBit(file, 200);
  EXPECT_THAT(Damages(Verify()), testing::ElementsAre(HasSubstr(file)));
  world_.RemoveFile(std::string(StorageWorld::kDirectory) + "/journal/identity");
  EXPECT_THAT(Damages(Verify()), testing::ElementsAre(HasSubstr("journal/identity")));
}

TEST_F(InspectTest, NothingIsChanged) {
  Append(4);
  world_.Kill();
  const uint64_t opens = world_.disk().changes();
  world_.disk().SetFaultHook([](support::DiskCall call, const std::string& path) {
    switch (call) {
      case support::DiskCall::kOpen:
      case support::DiskCall::kRead:
      case support::DiskCall::kSize:
      case support::DiskCall::kExists:
      case support::DiskCall::kList:
      case support::DiskCall::kSpace:
        return absl::OkStatus();
      case support::DiskCall::kCreate:
      case support::DiskCall::kWrite:
      case support::DiskCall::kSync:
      case support::DiskCall::kTruncate:
      case support::DiskCall::kPreallocate:
      case support::DiskCall::kSyncVolume:
      case support::DiskCall::kMakeDirectory:
      case support::DiskCall::kRename:
      case support::DiskCall::kRemove:
      case support::DiskCall::kRemoveDirectory:
      case support::DiskCall::kSyncDirectory:
      case support::DiskCall::kLock:
        return absl::InternalError("changed " + path);
    }
    return absl::OkStatus();
  });
  EXPECT_EQ(Verify().logs.size(), 1U);
  EXPECT_GE(world_.disk().changes(), opens);
}

}  // namespace
}  // namespace talosmq::inspect
