// A journal that is torn, rotten or lost: what counts for nobody, and what is told.

#include "storage/checkpoint.h"
#include "storage/journal_format.h"
#include "storage/journal_reader.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/storage/journal_fixture.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace talosmq::storage {
namespace {

using support::DiskCall;
using support::MemoryFileSystem;
using support::PowerCut;
using support::StorageWorld;
using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(JournalTest, NewestGroupThatIsTornAnywhereIsLeftOut) {
  Append("first");
  Append("second");
  const std::string whole = journal();
  const FoundGroup newest = Groups().back();
  const JournalSection& section = newest.group.sections.front();
  const uint64_t end = newest.position + kJournalHeaderBytes + kJournalSectionBytes + section.bytes;
  for (uint64_t cut = newest.position; cut < end; ++cut) {
    StorageWorld world;
    world.store_options().direct_logs_max = 0;
    ASSERT_TRUE(world.Start().ok());
    ASSERT_TRUE(world.AppendDurably({.values = {"first"}}).ok());
    ASSERT_TRUE(world.AppendDurably({.values = {"second"}}).ok());
    std::string torn = world.ReadFile(kFile);
    ASSERT_EQ(torn.size(), whole.size());
    std::fill(torn.begin() + static_cast<ptrdiff_t>(cut), torn.end(), '\xaa');
    world.WriteFile(kFile, torn);
    world.CutPower(PowerCut::DropUnsynced());
    ASSERT_TRUE(world.Start().ok()) << cut;
    EXPECT_TRUE(world.store().health().ok()) << cut;
    ASSERT_TRUE(world.Open().ok()) << cut;
    const auto records = world.ReadAll();
    ASSERT_TRUE(records.ok()) << records.status();
    ASSERT_EQ(records->size(), 1U) << cut;
    EXPECT_EQ(records->front().value, "first");
  }
}

TEST_F(JournalTest, RotInAnOlderGroupIsToldAndHidesOnlyItself) {
  Append("first");
  Append("second");
  Append("other", kOther);
  const FoundGroup oldest = Groups().front();
  const JournalSection section = oldest.group.sections.front();
  const uint64_t batches = oldest.position + kJournalHeaderBytes + kJournalSectionBytes +
                           section.epochs.size() * kJournalEpochBytes;
  for (const uint64_t position : {batches, batches + 30, batches + section.bytes - 1}) {
    SCOPED_TRACE(position);
    StorageWorld world;
    world.store_options().direct_logs_max = 0;
    ASSERT_TRUE(world.Start().ok());
    ASSERT_TRUE(world.AppendDurably({.values = {"first"}}).ok());
    ASSERT_TRUE(world.AppendDurably({.values = {"second"}}).ok());
    ASSERT_TRUE(world.AppendDurably({.values = {"other"}}, kOther).ok());
    world.FlipBit(kFile, position);
    world.CutPower(PowerCut::DropUnsynced());
    ASSERT_TRUE(world.Start().ok());
    EXPECT_EQ(ReasonOf(world.store().health()), Reason::kCorruptData);
    EXPECT_THAT(std::string(world.store().health().message()), HasSubstr("journal"));
    ASSERT_TRUE(world.Open(kOther).ok());
    EXPECT_EQ(world.ReadAll(kOther)->size(), 1U);
    ASSERT_TRUE(world.Open().ok());
    EXPECT_EQ(world.log().log_end(), Offset(2)) << "an acknowledged offset is never given again";
    EXPECT_EQ(ReasonOf(world.Read(Offset(0)).status()), Reason::kCorruptData);
    const auto second = world.Read(Offset(1));
    ASSERT_TRUE(second.ok()) << second.status();
    EXPECT_EQ(second->next_offset, Offset(2));
  }
}

TEST_F(JournalTest, GroupWithARottenHeadIsKnownByItsCopy) {
  Append("first");
  Append("last of its log");
  Append("other", kOther);
  const FoundGroup damaged = Groups()[1];
  world_.FlipBit(kFile, damaged.position + 9);
  world_.FlipBit(kFile, Groups()[0].position + kJournalHeaderBytes + 20);
  CutPowerAndStart();
  EXPECT_TRUE(world_.store().health().ok());
  EXPECT_THAT(Values(), ElementsAre("first", "last of its log"));
}

/// A journal of which some groups are recorded in the checkpoint, and needed.
class RecordedJournalTest : public JournalTest {
 protected:
  void SetUp() override {
    Append("first");
    first_ = journal();
    Append("second");
    Record();
  }
  /// Writes the checkpoint: one second without load does not write back yet.
  void Record() {
    world_.Advance(world_.store_options().checkpoint_interval);
    world_.Run();
  }
  void BeIdle() {
    for (int i = 0; i < 3; ++i) Record();
  }
  static uint64_t BatchesOf(const FoundGroup& group) {
    const JournalSection& section = group.group.sections.front();
    return group.position + kJournalHeaderBytes + kJournalSectionBytes +
           section.epochs.size() * kJournalEpochBytes;
  }
  /// What the journal file may have become while the server was down: nothing stands for no file.
  std::vector<std::optional<std::string>> Losses() {
    const std::string whole = journal();
    const uint64_t newest = Groups().back().position;
    std::string overwritten = whole;
    std::fill(overwritten.begin() + static_cast<ptrdiff_t>(newest), overwritten.end(), '\0');
    return {std::nullopt,
            whole.substr(0, newest),
            whole.substr(0, newest + kJournalBlockBytes / 2),
            "",
            first_,
            overwritten};
  }
  void Replace(const std::optional<std::string>& content) {
    if (world_.Exists(kFile)) world_.RemoveFile(kFile);
    if (content) world_.WriteFile(kFile, *content);
  }

  std::string first_;  ///< The journal file when it had one group.
};

TEST_F(RecordedJournalTest, RotInTheNewestGroupIsToldAndHidesOnlyItself) {
  world_.FlipBit(kFile, BatchesOf(Groups().back()) + 30);
  CutPowerAndStart();
  EXPECT_EQ(ReasonOf(world_.store().health()), Reason::kCorruptData);
  ASSERT_TRUE(world_.Open().ok());
  EXPECT_EQ(world_.log().log_end(), Offset(2)) << "an acknowledged offset is never given again";
  EXPECT_TRUE(world_.Read(Offset(0)).ok());
  EXPECT_EQ(ReasonOf(world_.Read(Offset(1)).status()), Reason::kCorruptData);
}

// The start that met the damage told of it, the next one did not.
TEST_F(RecordedJournalTest, DamageIsToldByEveryStartUntilItsOffsetsAreGone) {
  Append(std::string(5'000, 'v'));  // Has an index entry.
  world_.FlipBit(kFile, BatchesOf(Groups()[1]) + 30);
  for (int start = 0; start < 3; ++start) {
    SCOPED_TRACE(start);
    CutPowerAndStart();
    const auto report = world_.Open();
    ASSERT_TRUE(report.ok()) << report.status();
    ASSERT_EQ(report->damages.size(), 1U);
    EXPECT_EQ(CorruptRangeOf(report->damages.front())->next, Offset(2));
    Record();
  }
  ASSERT_TRUE(world_.MoveLogStart(Offset(2)).ok());
  CutPowerAndStart();
  EXPECT_THAT(world_.Open()->damages, testing::IsEmpty());
}

TEST_F(RecordedJournalTest, TornGroupBehindTheRecordedOnesIsLeftOut) {
  Append("third");
  world_.FlipBit(kFile, BatchesOf(Groups().back()) + 30);
  CutPowerAndStart();
  EXPECT_TRUE(world_.store().health().ok());
  EXPECT_THAT(Values(), ElementsAre("first", "second"));
}

TEST_F(RecordedJournalTest, JournalThatLacksNeededGroupsRefusesToStart) {
  world_.Kill();
  const std::string whole = journal();
  for (const auto& loss : Losses()) {
    SCOPED_TRACE(loss ? std::to_string(loss->size()) + " bytes" : "no file");
    Replace(loss);
    const absl::Status started = world_.Start();
    EXPECT_EQ(ReasonOf(started), Reason::kCorruptData);
    EXPECT_THAT(std::string(started.message()),
                testing::AllOf(HasSubstr("data/journal"), HasSubstr("groups up to 2"),
                               HasSubstr("recovery.accept_restored_copy")));
    EXPECT_EQ(world_.Exists(kFile), loss.has_value());
    EXPECT_TRUE(!loss || journal() == *loss);
  }
  Replace(whole);
  ASSERT_TRUE(world_.Start().ok());
  EXPECT_THAT(Values(), ElementsAre("first", "second"));
}

TEST_F(RecordedJournalTest, LossThatTheOperatorAcceptsIsToldAndDoesNotComeBack) {
  world_.Kill();
  Replace(std::nullopt);
  world_.store_options().accept_lost_journal = true;
  ASSERT_TRUE(world_.Start().ok());
  EXPECT_EQ(ReasonOf(world_.store().health()), Reason::kCorruptData);
  world_.store_options().accept_lost_journal = false;
  CutPowerAndStart();
  Append("later", kOther);
  Record();
  CutPowerAndStart();
  EXPECT_TRUE(world_.store().health().ok());
  EXPECT_THAT(Values(kOther), ElementsAre("later"));
}

TEST_F(RecordedJournalTest, JournalThatNothingNeedsMayBeLost) {
  BeIdle();
  auto losses = Losses();
  losses.emplace_back(journal());
  std::fill_n(losses.back()->begin(), 2 * kJournalBlockBytes, '\0');  // The older group.
  world_.FlipBit(kFile, BatchesOf(Groups().back()) + 30);
  losses.emplace_back(journal());
  losses.emplace_back(std::nullopt);  // The last one: what is appended then must count.
  for (const auto& loss : losses) {
    SCOPED_TRACE(loss ? std::to_string(loss->size()) + " bytes" : "no file");
    world_.Kill();
    const auto names = world_.disk().List("data/journal");
    ASSERT_TRUE(names.ok()) << names.status();
    for (const std::string& name : *names) {
      if (JournalFileNumber(name)) world_.RemoveFile("data/journal/" + name);
    }
    Replace(loss);
    ASSERT_TRUE(world_.Start().ok());
    EXPECT_TRUE(world_.store().health().ok());
    EXPECT_THAT(Values(), ElementsAre("first", "second"));
  }
  Append("third");
  CutPowerAndStart();
  EXPECT_THAT(Values(), ElementsAre("first", "second", "third"));
}

TEST_F(RecordedJournalTest, GroupThatIsGoneBetweenOthersRefusesToStart) {
  Append("third", kOther);
  world_.Kill();
  const FoundGroup damaged = Groups()[1];
  std::string content = journal();
  std::fill_n(content.begin() + static_cast<ptrdiff_t>(damaged.position), 2 * kJournalBlockBytes,
              '\0');
  world_.WriteFile(kFile, content);
  const absl::Status started = world_.Start();
  EXPECT_EQ(ReasonOf(started), Reason::kCorruptData);
  EXPECT_THAT(std::string(started.message()), HasSubstr("group 2 of the journal"));
}

TEST_F(RecordedJournalTest, WithoutAMarkTheJournalAloneSaysHowFarItWent) {
  world_.Kill();
  world_.FlipBit("data/checkpoint", kCheckpointHeaderBytes);
  world_.FlipBit(kFile, BatchesOf(Groups().back()) + 30);
  ASSERT_TRUE(world_.Start().ok());
  EXPECT_TRUE(world_.store().health().ok());
  EXPECT_THAT(Values(), ElementsAre("first"));
}

TEST_F(JournalTest, LostIdentityRefusesToStart) {
  Append("a");
  world_.Kill();
  const std::string identity = world_.ReadFile(kIdentity);
  world_.FlipBit(kIdentity, 10);
  absl::Status started = world_.Start();
  EXPECT_EQ(ReasonOf(started), Reason::kCorruptData);
  EXPECT_THAT(std::string(started.message()), HasSubstr(kIdentity));
  world_.RemoveFile(kIdentity);
  started = world_.Start();
  EXPECT_EQ(ReasonOf(started), Reason::kCorruptData);
  world_.WriteFile(kIdentity, identity);
  ASSERT_TRUE(world_.Start().ok());
  EXPECT_THAT(Values(), ElementsAre("a"));
}

/// A log of whose second epoch the journal has but the later one of two sections.
class LostEpochTest : public JournalTest {
 protected:
  LostEpochTest() {
    Append("a");
    EXPECT_TRUE(world_.Close().ok());  // Now it has an epoch file.
    Append("b");                       // Begins the next epoch.
    Append("c");
    const FoundGroup damaged = Groups()[1];
    world_.FlipBit(kFile, damaged.position + kJournalHeaderBytes + kJournalSectionBytes +
                              kJournalEpochBytes + 30);
  }
};

TEST_F(LostEpochTest, IsKnownFromTheBatchesBehindIt) {
  CutPowerAndStart();
  ASSERT_TRUE(world_.Open().ok());
  EXPECT_TRUE(world_.Read(Offset(0)).ok());
  EXPECT_EQ(ReasonOf(world_.Read(Offset(1)).status()), Reason::kCorruptData);
  EXPECT_TRUE(world_.Read(Offset(2)).ok());
}

// The second replay finds the epoch in the page cache, and not one page of it waiting for a sync.
TEST_F(LostEpochTest, IsWrittenAgainAfterAReplayThatCouldNotSync) {
  world_.CutPower(PowerCut::DropUnsynced());
  world_.disk().FailNth(DiskCall::kSyncVolume, 1, MemoryFileSystem::IoError("disk"));
  ASSERT_FALSE(world_.Start().ok());
  world_.Kill();
  ASSERT_TRUE(world_.Start().ok());
  CutPowerAndStart();
  ASSERT_TRUE(world_.Open().ok());
  EXPECT_TRUE(world_.Read(Offset(2)).ok());
  EXPECT_EQ(world_.log().epochs().size(), 2U);
}

}  // namespace
}  // namespace talosmq::storage
