// The shared journal: what it holds is found again, what it must not hold counts for nobody, and
// what is wrong with it is told.

#include "storage/checkpoint.h"
#include "storage/journal_format.h"
#include "storage/journal_reader.h"
#include "storage/segment.h"
#include "support/storage_world.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

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

constexpr const char* kFile = "data/journal/00000000000000000001.journal";
constexpr const char* kIdentity = "data/journal/identity";
const TopicPartition kOther{.topic_id = TopicId({9, 8, 7}), .partition = PartitionId(8)};

class JournalTest : public testing::Test {
 protected:
  JournalTest() {
    world_.store_options().direct_logs_max = 0;
    EXPECT_TRUE(world_.Start().ok());
  }

  void Append(const std::string& value, const TopicPartition& id = StorageWorld::kLog) {
    const auto appended = world_.AppendDurably({.values = {value}}, id);
    ASSERT_TRUE(appended.ok()) << appended.status();
  }
  void CutPowerAndStart() {
    world_.CutPower(PowerCut::DropUnsynced());
    const absl::Status started = world_.Start();
    ASSERT_TRUE(started.ok()) << started;
  }
  std::vector<std::string> Values(const TopicPartition& id = StorageWorld::kLog) {
    std::vector<std::string> values;
    if (!world_.is_open(id)) {
      const auto opened = world_.Open(id);
      EXPECT_TRUE(opened.ok()) << opened.status();
      if (!opened.ok()) return values;
    }
    const auto records = world_.ReadAll(id);
    EXPECT_TRUE(records.ok()) << records.status();
    if (!records.ok()) return values;
    for (const auto& record : *records) values.push_back(record.value);
    return values;
  }
  std::vector<FoundGroup> Groups() {
    const auto identity = DecodeJournalIdentity(base::AsBytes(world_.ReadFile(kIdentity)));
    EXPECT_TRUE(identity.ok()) << identity.status();
    const auto scan = ScanJournal(world_.disk(), "data/journal", *identity);
    EXPECT_TRUE(scan.ok()) << scan.status();
    return scan->groups;
  }
  /// The journal as it is now, and a way back to it.
  std::string journal() { return world_.ReadFile(kFile); }

  StorageWorld world_;
};

TEST(JournalFormatTest, GroupIsReadAsItWasWritten) {
  const JournalIdentity identity{std::byte{1}, std::byte{2}};
  const JournalGroup group{
      .sequence = 7,
      .before = 5,
      .oldest = 3,
      .sections = {{.log = StorageWorld::kLog,
                    .segment = Offset(100),
                    .position = 4096,
                    .first_offset = Offset(120),
                    .end_offset = Offset(125),
                    .bytes = 300,
                    .check = 77,
                    .epochs = {{.epoch = LeaderEpoch(4), .start_offset = Offset(120)}}},
                   {.log = kOther,
                    .segment = Offset(0),
                    .position = 0,
                    .first_offset = Offset(0),
                    .end_offset = Offset(1),
                    .bytes = 61,
                    .check = 78,
                    .epochs = {}}}};
  const std::string head = EncodeJournalGroup(identity, group, 0);
  const auto size = ReadJournalHeader(identity, base::AsBytes(head));
  ASSERT_TRUE(size.ok() && size->has_value());
  EXPECT_EQ((*size)->head_bytes(), head.size());
  EXPECT_EQ((*size)->batch_bytes, 361U);
  EXPECT_EQ((*size)->copy_distance(), kJournalBlockBytes);
  EXPECT_EQ((*size)->total_bytes(), 2 * kJournalBlockBytes);
  const auto read = DecodeJournalGroup(base::AsBytes(head));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(EncodeJournalGroup(identity, *read, 0), head);
  EXPECT_EQ(read->sections[0].epochs.size(), 1U);
  EXPECT_EQ(read->sections[1].end_offset, Offset(1));
}

TEST(JournalFormatTest, GroupOfAnotherIdentityIsNone) {
  const std::string head = EncodeJournalGroup({std::byte{1}}, {.sequence = 1, .sections = {}}, 0);
  const auto size = ReadJournalHeader({std::byte{2}}, base::AsBytes(head));
  ASSERT_TRUE(size.ok()) << size.status();
  EXPECT_FALSE(size->has_value()) << "a client could have written it";
}

TEST(JournalFormatTest, AnyFlippedBitOfHeadAndTableIsNoticed) {
  const JournalIdentity identity{std::byte{1}};
  JournalSection section;
  section.log = kOther;
  section.bytes = 61;
  const std::string head = EncodeJournalGroup(identity, {.sequence = 1, .sections = {section}}, 0);
  for (size_t position = 0; position < head.size(); ++position) {
    std::string flipped = head;
    flipped[position] = static_cast<char>(flipped[position] ^ 4);
    const auto size = ReadJournalHeader(identity, base::AsBytes(flipped));
    ASSERT_TRUE(size.ok()) << size.status();
    if (!size->has_value()) continue;
    EXPECT_FALSE(DecodeJournalGroup(base::AsBytes(flipped)).has_value()) << position;
  }
}

TEST_F(JournalTest, WhatWasAcknowledgedIsOnlyInTheJournalAndFoundAgain) {
  Append("a");
  Append("b", kOther);
  Append("c");
  EXPECT_FALSE(world_.Exists(world_.Path(OffsetFileName(Offset(0), kSegmentSuffix))));
  CutPowerAndStart();
  EXPECT_THAT(Values(), ElementsAre("a", "c"));
  EXPECT_THAT(Values(kOther), ElementsAre("b"));
  EXPECT_TRUE(world_.store().health().ok());
}

TEST_F(JournalTest, ReplayedTwiceIsTheSame) {
  Append("a");
  Append("b");
  for (int i = 0; i < 3; ++i) {
    CutPowerAndStart();
    EXPECT_THAT(Values(), ElementsAre("a", "b"));
  }
  Append("c");
  CutPowerAndStart();
  EXPECT_THAT(Values(), ElementsAre("a", "b", "c"));
}

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

TEST_F(JournalTest, FailedGroupCountsForNobodyLater) {
  Append("kept");
  world_.disk().FailNth(DiskCall::kSync, 1, MemoryFileSystem::IoError("disk"));
  EXPECT_FALSE(world_.AppendDurably({.values = {"failed"}}).ok());
  ASSERT_TRUE(world_.Close().ok());
  Append("in its place");
  CutPowerAndStart();
  EXPECT_THAT(Values(), ElementsAre("kept", "in its place"));
}

TEST_F(JournalTest, UntilAFailedGroupIsGivenUpNothingIsTaken) {
  Append("kept");
  Append("other", kOther);
  world_.disk().SetFaultHook([](DiskCall call, const std::string& path) {
    const bool is_journal = path.find("journal") != std::string::npos;
    return call == DiskCall::kSync && is_journal ? MemoryFileSystem::IoError(path)
                                                 : absl::OkStatus();
  });
  EXPECT_FALSE(world_.AppendDurably({.values = {"failed"}}).ok());
  const auto refused = world_.AppendDurably({.values = {"refused"}}, kOther);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("nothing is stored"));
  world_.disk().SetFaultHook(nullptr);
  ASSERT_TRUE(world_.Close(kOther).ok());
  Append("later", kOther);
  CutPowerAndStart();
  EXPECT_THAT(Values(), ElementsAre("kept"));
  EXPECT_THAT(Values(kOther), ElementsAre("other", "later"));
}

TEST_F(JournalTest, WhatCannotBeWrittenBackIsThereWhenTheLogIsOpenedAgain) {
  Append("a");
  Append("b");
  world_.disk().SetFaultHook([](DiskCall call, const std::string& path) {
    const bool is_segment = path.ends_with(kSegmentSuffix);
    return call == DiskCall::kWrite && is_segment ? MemoryFileSystem::IoError(path)
                                                  : absl::OkStatus();
  });
  (void)world_.Close();
  EXPECT_EQ(ReasonOf(world_.Open().status()), Reason::kInternal) << "the disk still fails";
  world_.disk().SetFaultHook(nullptr);
  EXPECT_THAT(Values(), ElementsAre("a", "b"));
  Append("c");
  CutPowerAndStart();
  EXPECT_THAT(Values(), ElementsAre("a", "b", "c"));
}

TEST_F(JournalTest, SegmentsThatCouldNotBeWrittenBackAreThereWhenTheLogIsOpenedAgain) {
  world_.log_options().segment_bytes = 100;
  for (const char* value : {"a", "b", "c"}) Append(value);
  world_.disk().SetFaultHook([](DiskCall call, const std::string& path) {
    return call == DiskCall::kSyncVolume ? MemoryFileSystem::IoError(path) : absl::OkStatus();
  });
  (void)world_.Close();
  world_.disk().SetFaultHook(nullptr);
  EXPECT_THAT(Values(), ElementsAre("a", "b", "c"));
}

TEST_F(JournalTest, DeletedLogDoesNotComeBack) {
  Append("gone");
  Append("stays", kOther);
  ASSERT_TRUE(world_.Close().ok());
  ASSERT_TRUE(world_.Delete().ok());
  CutPowerAndStart();
  EXPECT_FALSE(world_.Exists(LogDirectory(StorageWorld::kDirectory, StorageWorld::kLog)));
  EXPECT_THAT(Values(kOther), ElementsAre("stays"));
}

TEST_F(JournalTest, ClosedLogHasEverythingInItsSegment) {
  Append("a");
  ASSERT_TRUE(world_.Close().ok());
  EXPECT_THAT(world_.ReadFile(world_.Path(OffsetFileName(Offset(0), kSegmentSuffix))),
              HasSubstr("a"));
}

TEST_F(JournalTest, ServerWithoutLoadHasEverythingInItsSegments) {
  world_.Kill();
  world_.store_options().tail_cache_bytes_max = 40'000;  // 5,000 bytes in one write-back.
  ASSERT_TRUE(world_.Start().ok());
  const std::string segment = OffsetFileName(Offset(0), kSegmentSuffix);
  Append(std::string(6'000, 'v'));
  Append("b", kOther);
  world_.Advance(world_.store_options().space_interval);
  world_.Run();
  EXPECT_FALSE(world_.Exists(world_.Path(segment))) << "there was load until just now";
  world_.Advance(world_.store_options().space_interval);
  world_.Run();
  EXPECT_TRUE(world_.Exists(world_.Path(segment)));
  EXPECT_THAT(world_.ReadFile(world_.Path(segment, kOther)), HasSubstr("b"));
}

TEST_F(JournalTest, TimeIsFoundInWhatTheJournalHolds) {
  ASSERT_TRUE(world_.AppendDurably({.values = {"early"}, .timestamp_ms = 1'000}).ok());
  ASSERT_TRUE(world_.AppendDurably({.values = {"late"}, .timestamp_ms = 2'000}).ok());
  EXPECT_EQ(*world_.FindOffset(1'500), Offset(1));
  EXPECT_EQ(*world_.FindOffset(2'500), Offset(2));
}

TEST_F(JournalTest, FullHoldMakesTheNextGroupWaitForTheWriteBack) {
  world_.Kill();
  world_.store_options().tail_cache_bytes_max = 40'000;
  ASSERT_TRUE(world_.Start().ok());
  int acknowledged = 0;
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(world_.Append({.values = {std::string(3'000, 'v')}}).ok()) << i;
    world_.RunWithoutWriteBack();
    acknowledged = static_cast<int>(world_.log().durable_end().value());
  }
  EXPECT_GE(acknowledged, 6);
  EXPECT_LT(acknowledged, 12) << "half of the cache holds at most 20,000 bytes";
  world_.Run();
  EXPECT_EQ(world_.log().durable_end(), Offset(12));
  EXPECT_EQ(Values().size(), 12U);
}

/// A journal of which at most 20,000 bytes may be held; three quarters of that are load.
class LoadedJournalTest : public JournalTest {
 protected:
  void SetUp() override {
    world_.Kill();
    world_.store_options().tail_cache_bytes_max = 40'000;
    world_.store_options().awaited_bytes_min = 1'000;
    world_.reserve_options().bytes = kReserveBytes;
    world_.disk().SetCapacity(kReserveBytes * DiskReserve::kShareOfDisk);
    ASSERT_TRUE(world_.Start().ok());
    ASSERT_TRUE(world_.Open(kOther).ok());
    for (int i = 0; i < kBeforeLoad; ++i) AppendWithoutWriteBack(std::string(3'000, 'v'));
    ASSERT_EQ(world_.log().durable_end(), Offset(kBeforeLoad));
  }
  void AppendWithoutWriteBack(const std::string& value,
                              const TopicPartition& id = StorageWorld::kLog) {
    ASSERT_TRUE(world_.Append({.values = {value}}, id).ok());
    world_.RunWithoutWriteBack();
  }

  static constexpr int kBeforeLoad = 5;
  static constexpr int64_t kReserveBytes = 64 << 10;
};

TEST_F(LoadedJournalTest, WhatIsLargeIsDurableWithItsWriteBack) {
  const uint64_t before = Groups().back().group.sequence;
  AppendWithoutWriteBack(std::string(3'000, 'w'));
  EXPECT_EQ(world_.log().durable_end(), Offset(kBeforeLoad));
  EXPECT_EQ(Groups().back().group.sequence, before);
  world_.Run();
  EXPECT_EQ(world_.log().durable_end(), Offset(kBeforeLoad + 1));
  CutPowerAndStart();
  EXPECT_EQ(Values().size(), kBeforeLoad + 1U);
}

TEST_F(LoadedJournalTest, WhatIsSmallIsJournaledUnlessItFollowsWhatIsAwaited) {
  AppendWithoutWriteBack(std::string(3'000, 'w'));
  AppendWithoutWriteBack("small");
  AppendWithoutWriteBack("other", kOther);
  EXPECT_EQ(world_.log().durable_end(), Offset(kBeforeLoad));
  EXPECT_EQ(world_.log(kOther).durable_end(), Offset(1));
  CutPowerAndStart();
  EXPECT_EQ(Values().size(), size_t{kBeforeLoad}) << "of the rest nobody was told";
  EXPECT_THAT(Values(kOther), ElementsAre("other"));
  EXPECT_TRUE(world_.store().health().ok());
}

TEST_F(LoadedJournalTest, LongQueueIsLoadHoweverLittleIsHeld) {
  world_.Run();
  world_.Kill();
  world_.store_options().flush_group_bytes_max = 3'000;
  ASSERT_TRUE(world_.Start().ok());
  const uint64_t before = Groups().back().group.sequence;
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(world_.Append({.values = {std::string(2'900, 'w')}}).ok());
  world_.RunWithoutWriteBack();
  EXPECT_EQ(Groups().back().group.sequence, before);
  EXPECT_EQ(world_.log().durable_end(), Offset(kBeforeLoad));
  world_.Run();
  EXPECT_EQ(world_.log().durable_end(), Offset(kBeforeLoad + 3));
}

// Its catalogue entry comes before the sync of its folder: a power cut made it a lost log.
TEST_F(LoadedJournalTest, FirstBatchOfALogIsJournaledAlsoUnderLoad) {
  AppendWithoutWriteBack(std::string(3'000, 'n'), kOther);
  EXPECT_EQ(world_.log(kOther).durable_end(), Offset(1));
  world_.disk().FailNth(DiskCall::kSyncVolume, 2, MemoryFileSystem::IoError("disk"));
  world_.Run();
  CutPowerAndStart();
  EXPECT_EQ(Values(kOther).size(), 1U);
}

TEST_F(LoadedJournalTest, LoadEndsWhenLittleIsHeld) {
  AppendWithoutWriteBack(std::string(3'000, 'w'));
  world_.Run();
  const uint64_t before = Groups().back().group.sequence;
  AppendWithoutWriteBack(std::string(3'000, 'x'));
  EXPECT_EQ(Groups().back().group.sequence, before + 1);
  EXPECT_EQ(world_.log().durable_end(), Offset(kBeforeLoad + 2));
}

TEST_F(LoadedJournalTest, WhatIsAwaitedMayBeStoredWhenTheDiskBecomesFull) {
  AppendWithoutWriteBack(std::string(3'000, 'w'));
  const auto filler = world_.disk().Open("filler", io::OpenMode::kCreate);
  ASSERT_TRUE(filler.ok());
  const int64_t free_bytes = world_.disk().Space("data")->free_bytes;
  ASSERT_TRUE((*filler)->Preallocate(static_cast<uint64_t>(free_bytes)).ok());
  AppendWithoutWriteBack(std::string(3'000, 'x'));
  EXPECT_EQ(ReasonOf(world_.last_told()), Reason::kInternal) << "kStorageFull: nothing was stored";
  ASSERT_TRUE(world_.disk().Remove("filler").ok());
  world_.Run();
  ASSERT_TRUE(world_.Close().ok());
  EXPECT_EQ(Values().size(), kBeforeLoad + 1U);
}

TEST_F(LoadedJournalTest, FailedWriteBackFencesWhatIsAwaited) {
  AppendWithoutWriteBack(std::string(3'000, 'w'));
  world_.disk().SetFaultHook([](DiskCall call, const std::string& path) {
    return call == DiskCall::kSyncVolume ? MemoryFileSystem::IoError(path) : absl::OkStatus();
  });
  world_.Run();
  EXPECT_EQ(ReasonOf(world_.last_told()), Reason::kInternal);
  EXPECT_EQ(world_.log().durable_end(), Offset(kBeforeLoad));
  world_.disk().SetFaultHook(nullptr);
  CutPowerAndStart();
  EXPECT_GE(Values().size(), size_t{kBeforeLoad});
}

TEST_F(LoadedJournalTest, EpochOfWhatAFailedWriteBackLeftInThePageCacheIsWrittenAgain) {
  ASSERT_TRUE(world_.log().BeginEpoch(LeaderEpoch(9)).ok());
  AppendWithoutWriteBack(std::string(3'000, 'w'));
  // The first write-back was begun before.
  world_.disk().FailNth(DiskCall::kSyncVolume, 2, MemoryFileSystem::IoError("disk"));
  world_.Run();
  EXPECT_FALSE(world_.last_told().ok());
  world_.disk().SetFaultHook(nullptr);
  world_.Kill();
  ASSERT_TRUE(world_.Start().ok());
  EXPECT_EQ(Values().size(), kBeforeLoad + 1U);
  CutPowerAndStart();
  EXPECT_EQ(Values().size(), kBeforeLoad + 1U);
  EXPECT_EQ(world_.log().epochs().back().epoch, LeaderEpoch(9));
}

// The close overtook the write that begins the segment, recorded a point in a file that was not
// there, and the file came into being behind it.
TEST_F(JournalTest, CloseWaitsForASegmentThatIsToBeBegun) {
  world_.Kill();
  world_.store_options().tail_cache_bytes_max = 40'000;
  world_.log_options().retention.age_max = absl::Hours(1);
  ASSERT_TRUE(world_.Start().ok());
  // Together more than may be held, and the last write-back has all of it.
  for (const size_t size : {9'000U, 12'000U}) {
    ASSERT_TRUE(world_.Append({.values = {std::string(size, 'v')}}).ok());
    world_.RunWithoutWriteBack();
  }
  ASSERT_EQ(world_.log().durable_end(), Offset(2));
  world_.Advance(absl::Hours(2));
  world_.log().ApplyRetention(world_.clock().Now(), Offset(2),
                              [](const absl::Status& applied) { EXPECT_TRUE(applied.ok()); });
  absl::Status closed = absl::InternalError("no answer");
  world_.log().Close([&](absl::Status status) { closed = std::move(status); });
  while (world_.flush().RunOne()) continue;
  ASSERT_TRUE(world_.RunOne());  // The write-back.
  ASSERT_TRUE(world_.flush().RunOne());
  world_.RunWithoutFlush();
  world_.Run();
  EXPECT_TRUE(closed.ok()) << closed;
  EXPECT_TRUE(world_.store().last_failure().ok());
  const auto opened = world_.Open();
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_THAT(opened->notes, testing::IsEmpty());
  EXPECT_TRUE(world_.Exists(world_.Path(OffsetFileName(Offset(2), kSegmentSuffix))));
  Append("2");
  EXPECT_EQ(Values().size(), 3U);
}

TEST_F(JournalTest, FullDiskIsPassingForAJournalThatHasWrittenNothing) {
  Append("kept");
  world_.disk().SetFaultHook([](DiskCall call, const std::string& path) {
    return call == DiskCall::kPreallocate ? MemoryFileSystem::StorageFull(path) : absl::OkStatus();
  });
  const auto full = world_.AppendDurably({.values = {std::string(100'000, 'x')}});
  EXPECT_EQ(ReasonOf(full.status()), Reason::kStorageFull);
  world_.disk().SetFaultHook(nullptr);
  ASSERT_TRUE(world_.Close().ok());
  Append("later");
  CutPowerAndStart();
  EXPECT_THAT(Values(), ElementsAre("kept", "later"));
}

TEST_F(JournalTest, FileWhoseNameWasNotSyncedIsNeverUsed) {
  world_.Kill();
  world_.store_options().journal_file_bytes = 8'192;  // A file for each group.
  ASSERT_TRUE(world_.Start().ok());
  Append("kept");
  int failures = 1;
  world_.disk().SetFaultHook([&failures](DiskCall call, const std::string& path) {
    const bool fails = call == DiskCall::kSyncDirectory && path == "data/journal" && failures-- > 0;
    return fails ? MemoryFileSystem::IoError(path) : absl::OkStatus();
  });
  EXPECT_FALSE(world_.AppendDurably({.values = {"failed"}}).ok());
  (void)world_.Close();  // It is fenced.
  Append("later");
  CutPowerAndStart();
  EXPECT_THAT(Values(), ElementsAre("kept", "later"));
}

TEST_F(JournalTest, StartsDoNotAddFiles) {
  for (int i = 0; i < 5; ++i) {
    Append("a");
    CutPowerAndStart();
  }
  EXPECT_EQ(world_.disk().List("data/journal")->size(), 2U) << "the identity and one journal file";
}

TEST_F(JournalTest, EpochOfADamagedSectionIsKnownFromTheBatchesBehindIt) {
  Append("a");
  ASSERT_TRUE(world_.Close().ok());  // Now it has an epoch file.
  Append("b");                       // Begins the next epoch.
  Append("c");
  const FoundGroup damaged = Groups()[1];
  world_.FlipBit(kFile, damaged.position + kJournalHeaderBytes + kJournalSectionBytes +
                            kJournalEpochBytes + 30);
  CutPowerAndStart();
  ASSERT_TRUE(world_.Open().ok());
  EXPECT_TRUE(world_.Read(Offset(0)).ok());
  EXPECT_EQ(ReasonOf(world_.Read(Offset(1)).status()), Reason::kCorruptData);
  EXPECT_TRUE(world_.Read(Offset(2)).ok());
}

TEST_F(JournalTest, LogThatCannotBeWrittenBackDoesNotKeepTheJournalGrowing) {
  world_.Kill();
  world_.store_options().tail_cache_bytes_max = 40'000;
  world_.store_options().journal_file_bytes = 16'384;
  world_.store_options().journal_bytes_max = 50'000;
  ASSERT_TRUE(world_.Start().ok());
  Append("stranded");
  const std::string segment = world_.Path(OffsetFileName(Offset(0), kSegmentSuffix));
  world_.disk().SetFaultHook([segment](DiskCall call, const std::string& path) {
    return call == DiskCall::kWrite && path == segment ? MemoryFileSystem::IoError(path)
                                                       : absl::OkStatus();
  });
  (void)world_.Close();
  for (int i = 0; i < 100; ++i) Append(std::string(3'000, 'v'), kOther);
  EXPECT_LE(world_.disk().List("data/journal")->size(), 10U);
  world_.disk().SetFaultHook(nullptr);
  CutPowerAndStart();
  EXPECT_THAT(Values(), ElementsAre("stranded"));
  EXPECT_EQ(Values(kOther).size(), 100U);
}

// It was written again with each group while the journal was long.
TEST_F(JournalTest, LogThatCannotBeWrittenBackIsWrittenAgainOnceForEachFile) {
  world_.Kill();
  world_.store_options().journal_file_bytes = 81'920;  // Ten groups.
  world_.store_options().journal_bytes_max = 1;
  ASSERT_TRUE(world_.Start().ok());
  const std::string segment = world_.Path(OffsetFileName(Offset(0), kSegmentSuffix));
  world_.disk().SetFaultHook([segment](DiskCall call, const std::string& path) {
    return call == DiskCall::kWrite && path == segment ? MemoryFileSystem::IoError(path)
                                                       : absl::OkStatus();
  });
  EXPECT_FALSE(world_.AppendDurably({.values = {"stranded"}}).ok()) << "brought there at once";
  (void)world_.Close();
  for (int i = 0; i < 30; ++i) Append("v", kOther);
  EXPECT_LE(Groups().back().group.sequence, 1U + 30 + 4);
  world_.disk().SetFaultHook(nullptr);
  CutPowerAndStart();
  EXPECT_THAT(Values(), ElementsAre("stranded"));
  EXPECT_EQ(Values(kOther).size(), 30U);
}

TEST_F(JournalTest, FilesAreUsedAgain) {
  world_.Kill();
  world_.store_options().tail_cache_bytes_max = 40'000;
  world_.store_options().journal_file_bytes = 16'384;
  ASSERT_TRUE(world_.Start().ok());
  for (int i = 0; i < 100; ++i) Append(std::string(3'000, 'v'));
  EXPECT_LE(world_.disk().List("data/journal")->size(), 6U);
  CutPowerAndStart();
  EXPECT_EQ(Values().size(), 100U);
}

}  // namespace
}  // namespace talosmq::storage
