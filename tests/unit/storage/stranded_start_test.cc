// What a start cannot bring from the journal to one log, and what becomes of it and of the others.

#include "storage/log_store.h"
#include "storage/segment.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/storage/journal_fixture.h"

#include <cstdint>
#include <string>
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
class StrandedStartTest : public JournalTest, public testing::WithParamInterface<BadFile> {
 protected:
  StrandedStartTest() { Fill(); }

  void Fill() {
    for (const TopicPartition& id : {StorageWorld::kLog, kOther}) Append("first", id);
    for (int i = 0; i < 5; ++i) {
      world_.Advance(world_.store_options().space_interval);
      world_.Run();
    }
    for (const TopicPartition& id : {kOther, StorageWorld::kLog}) Append("second", id);
    world_.CutPower(PowerCut::DropUnsynced());
  }
  void KeepTheJournalShort() {
    world_.store_options().tail_cache_bytes_max = 40'000;
    world_.store_options().journal_file_bytes = 16'384;
    world_.store_options().journal_bytes_max = 50'000;
  }
  std::string path() const { return world_.Path(GetParam().file); }
  void Break() {
    world_.disk().SetFaultHook([this](DiskCall call, const std::string& path) {
      return call == GetParam().call && path == this->path() ? MemoryFileSystem::IoError(path)
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
};

TEST_P(StrandedStartTest, OtherLogsAreServedAndTheOneWaitsForItsFiles) {
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

TEST_P(StrandedStartTest, StaysInTheJournalFromStartToStart) {
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

TEST_P(StrandedStartTest, PowerCutAtAnyChangeOfSuchAStartLosesNothing) {
  size_t expected = 2;
  bool is_through = false;
  for (uint64_t change = 1; !is_through; ++change) {
    SCOPED_TRACE("change " + std::to_string(change));
    Break();
    world_.disk().DieAtChange(change);
    is_through = world_.Start().ok();
    Mend();
    world_.CutPower(PowerCut::Random(change));
    Start();
    for (const TopicPartition& id : {StorageWorld::kLog, kOther}) {
      ASSERT_EQ(Values(id).size(), expected);
      Append("one more", id);
    }
    ++expected;
    // Else the files that a start removes come back with the power.
    ASSERT_TRUE(world_.disk().SyncDirectory("data/journal").ok());
    world_.CutPower(PowerCut::DropUnsynced());
  }
  EXPECT_GT(expected, 6U) << "such a start changes the disk several times";
}

// Between parts of the log in the journal lie others that went straight to the segment.
TEST_P(StrandedStartTest, GapsInTheJournalStayWhatTheyAre) {
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

TEST_P(StrandedStartTest, IsWrittenAgainWhenTheJournalGrowsLong) {
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

TEST_P(StrandedStartTest, PowerCutWhileItIsWrittenAgainLosesNothing) {
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

TEST_P(StrandedStartTest, GoesWithItsLog) {
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

TEST_P(StrandedStartTest, DamageInTheJournalBesideItIsRefused) {
  Break();
  const size_t found = journal().find("second");
  ASSERT_NE(found, std::string::npos);
  world_.FlipBit(kFile, found);
  const absl::Status started = world_.Start();
  EXPECT_THAT(std::string(started.message()), HasSubstr(path()));
}

INSTANTIATE_TEST_SUITE_P(Files, StrandedStartTest,
                         testing::Values(BadFile{"Epochs", DiskCall::kRead, "epochs"},
                                         BadFile{"Segment", DiskCall::kWrite,
                                                 OffsetFileName(Offset(0), kSegmentSuffix)}),
                         [](const testing::TestParamInfo<BadFile>& bad) {
                           return bad.param.test_name;
                         });

}  // namespace
}  // namespace talosmq::storage
