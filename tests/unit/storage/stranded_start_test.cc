// What a start cannot bring from the journal to one log, and what becomes of it and of the others.

#include "storage/catalogue.h"
#include "storage/log_store.h"
#include "storage/segment.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/storage/journal_fixture.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::storage {
namespace {

using support::DiskCall;
using support::MemoryFileSystem;
using support::PowerCut;
using support::StorageWorld;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

struct BadFile {
  std::string test_name;
  DiskCall call;
  std::string file;
};

/// Two logs, each with a record in its segment and one that only the journal has.
class StrandedStartTest : public JournalTest {
 protected:
  explicit StrandedStartTest(BadFile bad = {"Epochs", DiskCall::kRead, "epochs"})
      : bad_(std::move(bad)) {
    Fill();
  }

  void Fill() {
    for (const TopicPartition& id : {StorageWorld::kLog, kOther}) Append("first", id);
    WriteBack();
    for (const TopicPartition& id : {kOther, StorageWorld::kLog}) Append("second", id);
    world_.CutPower(PowerCut::DropUnsynced());
  }
  void WriteBack() {
    for (int i = 0; i < 5; ++i) {
      world_.Advance(world_.store_options().space_interval);
      world_.Run();
    }
  }
  void KeepTheJournalShort() {
    world_.store_options().tail_cache_bytes_max = 40'000;
    world_.store_options().journal_file_bytes = 16'384;
    world_.store_options().journal_bytes_max = 50'000;
  }
  std::string path() const { return world_.Path(bad_.file); }
  void Break() { Break(bad_.call, path()); }
  void Break(DiskCall bad_call, const std::string& bad_path) {
    world_.disk().SetFaultHook([bad_call, bad_path](DiskCall call, const std::string& path) {
      return call == bad_call && path == bad_path ? MemoryFileSystem::IoError(path)
                                                  : absl::OkStatus();
    });
  }
  void Mend() { world_.disk().SetFaultHook(nullptr); }
  void Start() {
    const absl::Status started = world_.Start();
    ASSERT_TRUE(started.ok()) << started;
  }
  void ExpectClosed() {
    const auto opened = world_.Open();
    ASSERT_FALSE(opened.ok());
    EXPECT_THAT(std::string(opened.status().message()), AllOf(HasSubstr(path()), HasSubstr("EIO")));
  }
  void ExpectBoth(const TopicPartition& id = StorageWorld::kLog) {
    EXPECT_THAT(Values(id), ElementsAre("first", "second"));
  }

  static constexpr TopicPartition kNew{.topic_id = TopicId({5, 5, 5}), .partition = PartitionId(1)};
  const BadFile bad_;
};

class BadFileTest : public StrandedStartTest, public testing::WithParamInterface<BadFile> {
 protected:
  BadFileTest() : StrandedStartTest(GetParam()) {}
};

TEST_P(BadFileTest, OtherLogsAreServedAndTheOneWaitsForItsFiles) {
  Break();
  Start();
  EXPECT_THAT(std::string(world_.store().last_failure().message()),
              AllOf(HasSubstr(StorageWorld::kLog.ToString()), HasSubstr(path())));
  ExpectBoth(kOther);
  Append("third", kOther);
  ExpectClosed();
  Mend();
  ExpectBoth();
  Append("third");
  CutPowerAndStart();
  EXPECT_THAT(Values(), ElementsAre("first", "second", "third"));
  EXPECT_THAT(Values(kOther), ElementsAre("first", "second", "third"));
}

TEST_P(BadFileTest, StaysInTheJournalFromStartToStart) {
  Break();
  Start();
  world_.Kill();
  Start();
  ASSERT_TRUE(world_.Stop().ok());
  Start();
  ExpectClosed();
  world_.CutPower(PowerCut::DropUnsynced());
  Mend();
  Start();
  ExpectBoth();
  ExpectBoth(kOther);
}

TEST_P(BadFileTest, PowerCutAtAnyChangeOfSuchAStartLosesNothing) {
  // Long enough to be torn behind what says that there is a group.
  const std::string value(30'000, 'v');
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    bool is_through = false;
    for (uint64_t change = 1; !is_through; ++change) {
      SCOPED_TRACE("change " + std::to_string(change) + ", seed " + std::to_string(seed));
      Start();
      for (const TopicPartition& id : {StorageWorld::kLog, kOther}) Append(value, id);
      const Offset end = world_.log().durable_end();
      // Else the files that a start removes come back with the power.
      ASSERT_TRUE(world_.disk().SyncDirectory("data/journal").ok());
      world_.CutPower(PowerCut::DropUnsynced());
      Break();
      world_.disk().DieAtChange(change);
      is_through = world_.Start().ok();
      Mend();
      world_.CutPower(PowerCut::Random(seed * 100 + change));
      Start();
      for (const TopicPartition& id : {StorageWorld::kLog, kOther}) {
        ASSERT_THAT(Values(id), testing::Contains(value));
        ASSERT_EQ(world_.log(id).durable_end(), end);
      }
      ASSERT_TRUE(world_.MoveLogStart(end).ok());
      ASSERT_TRUE(world_.MoveLogStart(end, kOther).ok());
      ASSERT_TRUE(world_.Stop().ok());
      ASSERT_LT(change, 100U);
    }
  }
}

// Between parts of the log in the journal lie others that went straight to the segment.
TEST_P(BadFileTest, GapsInTheJournalStayWhatTheyAre) {
  Start();
  Append("keeps all groups needed", kOther);
  std::vector<std::string> expected = {"first", "second"};
  const std::string large(static_cast<size_t>(world_.store_options().direct_bytes_min), 'l');
  for (const std::string& value :
       {std::string("a"), large, std::string("b"), large, std::string("c")}) {
    Append(value);
    expected.push_back(value);
  }
  world_.CutPower(PowerCut::DropUnsynced());
  Break();
  Start();
  ExpectClosed();
  Mend();
  EXPECT_EQ(Values(), expected);
  world_.CutPower(PowerCut::DropUnsynced());
  Start();
  EXPECT_EQ(Values(), expected);
}

TEST_P(BadFileTest, IsWrittenAgainWhenTheJournalGrowsLong) {
  KeepTheJournalShort();
  Break();
  Start();
  for (int i = 0; i < 100; ++i) Append(std::string(3'000, 'v'), kOther);
  EXPECT_GT(Groups().front().group.sequence, 1U) << "the first one was written over";
  EXPECT_LE(world_.disk().List("data/journal")->size(), 8U);
  world_.CutPower(PowerCut::DropUnsynced());
  Mend();
  Start();
  ExpectBoth();
  EXPECT_EQ(Values(kOther).size(), 102U);
}

TEST_P(BadFileTest, PowerCutWhileItIsWrittenAgainLosesNothing) {
  KeepTheJournalShort();
  size_t expected = 2;
  for (uint64_t change = 1; change <= 100; ++change) {
    SCOPED_TRACE("change " + std::to_string(change));
    Break();
    Start();
    world_.disk().DieAtChange(change);
    while (world_.AppendDurably({.values = {std::string(3'000, 'v')}}, kOther).ok()) {
    }
    Mend();
    world_.CutPower(PowerCut::Random(change));
    Start();
    ASSERT_EQ(Values().size(), expected++);
    Append("one more");
    ASSERT_TRUE(world_.disk().SyncDirectory("data/journal").ok());
    world_.CutPower(PowerCut::DropUnsynced());
  }
}

TEST_P(BadFileTest, GoesWithItsLog) {
  Break();
  Start();
  ASSERT_TRUE(world_.Delete().ok());
  world_.Advance(world_.store_options().checkpoint_interval);
  world_.Run();
  Mend();
  CutPowerAndStart();
  EXPECT_THAT(Values(), ElementsAre());
  ExpectBoth(kOther);
}

TEST_P(BadFileTest, DamageInTheJournalBesideItIsRefused) {
  Break();
  const size_t found = journal().find("second");
  ASSERT_NE(found, std::string::npos);
  world_.FlipBit(kFile, found);
  const absl::Status started = world_.Start();
  EXPECT_THAT(std::string(started.message()), HasSubstr(path()));
}

/// What went straight to the segment after the last checkpoint rots while the log is closed.
class RotWhileClosedTest : public BadFileTest {
 protected:
  RotWhileClosedTest() {
    Start();
    const std::string large(static_cast<size_t>(world_.store_options().direct_bytes_min), 'y');
    for (const std::string& value : {std::string("b"), large, std::string("c"), std::string("d")}) {
      Append(value);
    }
    end_ = world_.log().durable_end();
    world_.CutPower(PowerCut::DropUnsynced());
    Break();
    Start();
    Mend();
  }
  void FailBehindTheRestore() {
    Break(DiskCall::kWrite, world_.Path("epochs.tmp"));
    ASSERT_FALSE(world_.Open().ok());
    Mend();
  }
  void Rot() {
    const std::string segment = world_.Path(OffsetFileName(Offset(0), kSegmentSuffix));
    world_.FlipBit(segment, world_.ReadFile(segment).find("yyy"));
  }
  void ExpectDamageAndNoTear() {
    ASSERT_TRUE(world_.Open().ok());
    EXPECT_EQ(world_.log().durable_end(), end_);
    const auto readable = world_.ReadAroundDamage();
    ASSERT_TRUE(readable.ok());
    EXPECT_EQ(readable->records.back().value, "d");
    EXPECT_EQ(readable->refused.size(), 1U);
  }

  Offset end_;
};

TEST_P(RotWhileClosedTest, WhatIsBroughtToTheSegmentsShowsWhatWasFlushed) {
  Rot();
  ExpectDamageAndNoTear();
}

TEST_P(RotWhileClosedTest, OpeningThatFailsBehindThatForgetsNothing) {
  FailBehindTheRestore();
  Rot();
  ExpectDamageAndNoTear();
}

TEST_P(RotWhileClosedTest, CrashBehindThatForgetsNothing) {
  FailBehindTheRestore();
  Append("third", kOther);
  world_.CutPower(PowerCut::DropUnsynced());
  Rot();
  Start();
  ExpectDamageAndNoTear();
}

TEST_P(BadFileTest, JournalIsNotNeededOnceTheLogIsOpen) {
  Break();
  Start();
  Mend();
  ExpectBoth();
  WriteBack();
  ASSERT_TRUE(world_.Stop().ok());
  const auto names = world_.disk().List("data/journal");
  ASSERT_TRUE(names.ok());
  for (const std::string& name : *names) world_.RemoveFile("data/journal/" + name);
  Start();
  ExpectBoth();
}

TEST_P(BadFileTest, JournalKeepsNoFileOfEachStart) {
  Break();
  for (int i = 0; i < 10; ++i) {
    Start();
    world_.Kill();
  }
  EXPECT_EQ(world_.disk().List("data/journal")->size(), 2U) << "identity, and one file";
}

TEST_F(StrandedStartTest, WhatAStartLeftUnfinishedIsRemoved) {
  world_.WriteFile("data/journal/stranded.tmp", "half of a group");
  Start();
  EXPECT_FALSE(world_.Exists("data/journal/stranded.tmp"));
  ExpectBoth();
}

std::vector<BadFile> BadFiles() {
  return {{"Epochs", DiskCall::kRead, "epochs"},
          {"Segment", DiskCall::kWrite, OffsetFileName(Offset(0), kSegmentSuffix)}};
}
std::string NameOf(const testing::TestParamInfo<BadFile>& bad) { return bad.param.test_name; }

INSTANTIATE_TEST_SUITE_P(Files, BadFileTest, testing::ValuesIn(BadFiles()), NameOf);
INSTANTIATE_TEST_SUITE_P(Files, RotWhileClosedTest, testing::ValuesIn(BadFiles()), NameOf);

// The first batch of a log is in the journal, and the process ended before the catalogue had it.
TEST_F(StrandedStartTest, WhatIsPassedOverNeverComesBack) {
  Start();
  Append("third");
  Append("never acknowledged", kNew);
  world_.CutPower(PowerCut::DropUnsynced());
  ASSERT_TRUE(Catalogue(world_.catalogue()).Remove(kNew).ok());
  Break();
  Start();
  Append("acknowledged", kNew);
  world_.CutPower(PowerCut::DropUnsynced());
  Start();
  EXPECT_THAT(Values(kNew), ElementsAre("acknowledged"));
  WriteBack();
  ASSERT_TRUE(world_.Stop().ok());
  Start();
  EXPECT_THAT(Values(kNew), ElementsAre("acknowledged"));
}

// What a start sees of it may be in the page cache alone.
TEST_F(StrandedStartTest, GroupWhoseSyncFailedIsMissedByNobody) {
  Start();
  Append("third");
  world_.disk().SetFaultHook([](DiskCall call, const std::string& path) {
    return call == DiskCall::kSync && path.ends_with(kJournalSuffix)
               ? MemoryFileSystem::IoError(path)
               : absl::OkStatus();
  });
  EXPECT_FALSE(world_.AppendDurably({.values = {"failed"}}, kOther).ok());
  world_.Kill();
  Break();
  Start();
  world_.CutPower(PowerCut::DropUnsynced());
  Mend();
  Start();
  EXPECT_THAT(Values(), ElementsAre("first", "second", "third"));
}

TEST_F(StrandedStartTest, FolderThatCannotBeListedIsThatOfOneLog) {
  for (const TopicPartition& id : {StorageWorld::kLog, kNew}) {
    SCOPED_TRACE(id.ToString());
    Start();
    Append("third", id);
    world_.CutPower(PowerCut::DropUnsynced());
    Break(DiskCall::kList, LogDirectory(StorageWorld::kDirectory, id));
    Start();
    ExpectBoth(kOther);
    EXPECT_FALSE(world_.Open(id).ok());
    world_.CutPower(PowerCut::DropUnsynced());
    Mend();
    Start();
    EXPECT_THAT(Values(id), testing::Contains("third"));
    world_.CutPower(PowerCut::DropUnsynced());
  }
}

TEST_F(StrandedStartTest, LogThatWasNeverRecordedHasRecords) {
  Start();
  Append("first", kNew);
  world_.CutPower(PowerCut::DropUnsynced());
  Break(DiskCall::kWrite, world_.Path(OffsetFileName(Offset(0), kSegmentSuffix), kNew));
  Start();
  EXPECT_TRUE(world_.store().HasRecords(kNew));
}

TEST_F(StrandedStartTest, FullDiskIsNoFailedWrite) {
  world_.disk().SetFaultHook([](DiskCall call, const std::string& path) {
    return call == DiskCall::kWrite && path.ends_with("epochs")
               ? MemoryFileSystem::StorageFull(path)
               : absl::OkStatus();
  });
  Start();
  EXPECT_TRUE(world_.store().last_failure().ok()) << world_.store().last_failure();
  EXPECT_FALSE(world_.Open().ok());
  Mend();
  ExpectBoth();
}

TEST_F(StrandedStartTest, FailedOpeningSyncsNothing) {
  Break();
  Start();
  int syncs = 0;
  world_.disk().SetFaultHook([&](DiskCall call, const std::string& path) {
    syncs += call == DiskCall::kSyncVolume;
    return path == this->path() ? MemoryFileSystem::IoError(path) : absl::OkStatus();
  });
  ExpectClosed();
  EXPECT_EQ(syncs, 0);
}

// The new group stands there, and no checkpoint names it yet.
TEST_F(StrandedStartTest, RotInWhatAStartCarriedOnIsNoTear) {
  Start();
  Append("third");
  world_.Advance(world_.store_options().checkpoint_interval);  // It names what is needed.
  world_.Run();
  world_.CutPower(PowerCut::DropUnsynced());
  int checkpoints = 0;
  world_.disk().SetFaultHook([&](DiskCall call, const std::string& path) {
    const bool is_second =
        call == DiskCall::kWrite && path == "data/checkpoint.tmp" && ++checkpoints == 2;
    const bool is_bad = call == bad_.call && path == this->path();
    return is_second || is_bad ? MemoryFileSystem::IoError(path) : absl::OkStatus();
  });
  ASSERT_FALSE(world_.Start().ok());
  Mend();
  world_.CutPower(PowerCut::DropUnsynced());
  const auto names = world_.disk().List("data/journal");
  ASSERT_TRUE(names.ok());
  const std::string newest = "data/journal/" + *(names->end() - 2);  // Before "identity".
  world_.FlipBit(newest, world_.ReadFile(newest).find("third"));
  const absl::Status started = world_.Start();
  EXPECT_EQ(ReasonOf(started), Reason::kCorruptData);
  EXPECT_THAT(std::string(started.message()), HasSubstr(newest));
}

// Its segment is the next one already, and nothing that is recorded lies below the start.
TEST_F(StrandedStartTest, LogThatWasTrimmedToItsRecordedEndHasNoDamage) {
  Start();
  const Offset end = Offset(2);
  ASSERT_TRUE(world_.Open().ok());
  ASSERT_TRUE(world_.MoveLogStart(end).ok());
  ASSERT_TRUE(world_.Stop().ok());
  world_.log_options().segment_bytes = 100;
  Start();
  Append("third");
  world_.CutPower(PowerCut::DropUnsynced());
  const std::string old_segment = world_.Path(OffsetFileName(Offset(0), kSegmentSuffix));
  Break(DiskCall::kWrite, world_.Path(OffsetFileName(end, kSegmentSuffix)));
  Start();
  world_.RemoveFile(old_segment);
  Mend();
  const auto report = world_.Open();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->damages.empty()) << report->damages.front();
  EXPECT_THAT(Values(), ElementsAre("third"));
}

TEST_F(StrandedStartTest, ErrorsOfTheJournalNameItsFile) {
  Break();
  Start();
  std::string seen;
  world_.disk().SetFaultHook([&](DiskCall call, const std::string& path) {
    if (call == DiskCall::kWrite && path.starts_with("data/journal/")) seen = path;
    return absl::OkStatus();
  });
  Append("third", kOther);
  EXPECT_TRUE(world_.Exists(seen)) << seen;
}

// A write-back that fails, of a log that has rolled.
TEST_F(StrandedStartTest, SegmentThatWasCompletedIsCutToItsBatches) {
  world_.log_options().segment_bytes = 400'000;
  Start();
  Append(std::string(300'000, 'x'));  // Straight to the segment, allocated ahead.
  Append(std::string(90'000, 'a'));
  Append(std::string(90'000, 'b'));  // Begins the next one.
  world_.disk().SetFaultHook([](DiskCall call, const std::string& path) {
    return call == DiskCall::kSyncVolume ? MemoryFileSystem::IoError(path) : absl::OkStatus();
  });
  WriteBack();
  Mend();
  (void)world_.Close();
  ASSERT_TRUE(world_.Open().ok());
  const std::string content =
      world_.ReadFile(world_.Path(OffsetFileName(Offset(0), kSegmentSuffix)));
  EXPECT_LT(content.size() - content.find_last_not_of('\0'), 100U);
}

}  // namespace
}  // namespace talosmq::storage
