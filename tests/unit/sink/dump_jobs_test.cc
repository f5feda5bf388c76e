#include "sink/dump_jobs.h"

#include "base/status.h"
#include "support/dump_world.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::sink {
namespace {

using support::DiskCall;
using support::DumpProcess;
using support::DumpWorld;
using testing::HasSubstr;

constexpr int64_t kNow = DumpWorld::kSixOClockMs;
constexpr int64_t kHourMs = 3'600'000;

/// A world with one server whose jobs are loaded.
class DumpJobsTest : public testing::Test {
 protected:
  explicit DumpJobsTest(int32_t partitions = 2) : world_(partitions) { Restart(); }

  void Restart() {
    process_.reset();
    process_ = std::make_unique<DumpProcess>(world_);
    EXPECT_TRUE(process_->Start().ok());
  }
  JobDescription Described() {
    auto description = process_->Describe();
    EXPECT_TRUE(description.ok()) << description.status();
    return description.ok() ? *description : JobDescription();
  }
  std::vector<std::string> Names(const std::string& folder) {
    auto names = world_.disk.List(folder);
    return names.ok() ? *names : std::vector<std::string>();
  }
  void ExpectFailed(Reason reason, const std::string& words) {
    const JobDescription job = Described();
    EXPECT_EQ(job.record.phase, JobPhase::kFailed);
    EXPECT_THAT(job.record.error, HasSubstr(std::string(ReasonName(reason))));
    EXPECT_THAT(job.record.error, HasSubstr(words));
  }

  DumpWorld world_;
  std::unique_ptr<DumpProcess> process_;
};

TEST_F(DumpJobsTest, EveryRecordIsPublishedOnceTheAgeIsReached) {
  ASSERT_TRUE(process_->CreateJson({{"roll.ms", "1000"}}).ok());
  world_.Append(0, {kNow, kNow + 1});
  world_.Append(1, {kNow});
  process_->Pass(absl::Milliseconds(900));
  EXPECT_TRUE(world_.checker.CheckVisible().ok());
  EXPECT_EQ(world_.checker.files(), 0u);
  process_->Pass(absl::Milliseconds(100));
  EXPECT_EQ(world_.checker.CheckComplete(), absl::OkStatus());
  const JobDescription job = Described();
  EXPECT_EQ(job.files_published, 2);
  EXPECT_EQ(job.records_published, 3);
  ASSERT_EQ(job.partitions.size(), 2u);
  EXPECT_EQ(job.partitions[0].next_offset, Offset(2));
  EXPECT_EQ(job.partitions[0].lag_records(), 0);
}

TEST_F(DumpJobsTest, LagCountsWhatIsNotPublishedYet) {
  ASSERT_TRUE(process_->CreateJson({}).ok());
  world_.Append(0, {kNow, kNow, kNow});
  process_->Settle();
  EXPECT_EQ(Described().partitions[0].lag_records(), 3);
  ASSERT_TRUE(process_->Pause().ok());
  EXPECT_EQ(Described().partitions[0].lag_records(), 0);
  world_.Append(0, {kNow});
  EXPECT_EQ(Described().partitions[0].lag_records(), 1);
}

TEST_F(DumpJobsTest, LagCountsPartitionsThatHaveNotBegun) {
  world_.Append(0, {kNow, kNow, kNow});
  world_.Append(1, {kNow});
  // The job itself is saved, then the store is away.
  bool is_saved = false;
  world_.store.SetChooser([&is_saved] {
    return std::exchange(is_saved, true) ? support::StoreFate::kRefuse
                                         : support::StoreFate::kAnswer;
  });
  ASSERT_TRUE(process_->CreateJson({}).ok());
  const JobDescription job = Described();
  ASSERT_EQ(job.partitions.size(), 2u);
  EXPECT_EQ(job.partitions[0].lag_records(), 3);
  EXPECT_EQ(job.partitions[1].lag_records(), 1);
}

TEST_F(DumpJobsTest, PauseFirstPublishesWhatIsOpen) {
  ASSERT_TRUE(process_->CreateJson({}).ok());
  world_.Append(0, {kNow, kNow - kHourMs, kNow});
  process_->Settle();
  EXPECT_TRUE(process_->Pause().ok());
  EXPECT_EQ(world_.checker.CheckComplete(), absl::OkStatus());
  EXPECT_EQ(world_.checker.files(), 2u);
  EXPECT_EQ(Described().record.phase, JobPhase::kPaused);
}

TEST_F(DumpJobsTest, PausedJobStaysPausedAcrossARestartAndGoesOnWhenResumed) {
  ASSERT_TRUE(process_->CreateJson({{"roll.ms", "100"}}).ok());
  world_.Append(0, {kNow});
  process_->Settle();
  ASSERT_TRUE(process_->Pause().ok());
  Restart();
  world_.Append(0, {kNow});
  process_->Pass(absl::Seconds(1));
  EXPECT_FALSE(world_.checker.CheckComplete().ok());
  ASSERT_TRUE(process_->Resume().ok());
  process_->Pass(absl::Seconds(1));
  EXPECT_EQ(world_.checker.CheckComplete(), absl::OkStatus());
  EXPECT_TRUE(process_->Resume().ok()) << "a running job has nothing to resume";
}

TEST_F(DumpJobsTest, RestartContinuesWhereItStood) {
  ASSERT_TRUE(process_->CreateJson({{"roll.ms", "100"}}).ok());
  world_.Append(0, {kNow, kNow});
  process_->Pass(absl::Seconds(1));
  world_.Append(0, {kNow});
  process_->Settle();
  Restart();
  process_->Pass(absl::Seconds(1));
  EXPECT_EQ(world_.checker.CheckComplete(), absl::OkStatus());
  EXPECT_EQ(Described().records_published, 3);
}

TEST_F(DumpJobsTest, RecordsLimitSplitsABatchOverFiles) {
  ASSERT_TRUE(process_->CreateJson({{"roll.records", "2"}}).ok());
  world_.Append(0, {kNow, kNow, kNow, kNow, kNow});
  process_->Settle();
  ASSERT_TRUE(process_->Pause().ok());
  EXPECT_EQ(world_.checker.CheckComplete(), absl::OkStatus());
  EXPECT_EQ(world_.checker.files(), 3u);
}

TEST_F(DumpJobsTest, FloodOfLateRecordsKeepsTheirFilesTogether) {
  ASSERT_TRUE(process_->CreateJson({}).ok());
  for (int i = 0; i < 50; ++i) world_.Append(0, {kNow, kNow - kHourMs, kNow - 2 * kHourMs});
  process_->Settle();
  ASSERT_TRUE(process_->Pause().ok());
  EXPECT_EQ(world_.checker.CheckComplete(), absl::OkStatus());
  EXPECT_EQ(world_.checker.files(), 3u) << "one an hour, however they interleave";
}

TEST_F(DumpJobsTest, MoreHoursThanFilesStillGiveEachRecordOnce) {
  ASSERT_TRUE(process_->CreateJson({}).ok());
  std::vector<int64_t> times;
  for (int64_t i = 0; i < 100; ++i) times.push_back(kNow - (i * 7 % 40) * kHourMs);
  times.push_back(-1);
  world_.Append(0, times);
  process_->Settle();
  ASSERT_TRUE(process_->Pause().ok());
  EXPECT_EQ(world_.checker.CheckComplete(), absl::OkStatus());
}

TEST_F(DumpJobsTest, EndOfTheHourPublishes) {
  ASSERT_TRUE(process_->CreateJson({{"roll.ms", "86400000"}}).ok());
  world_.clock.SetNow(absl::FromUnixMillis(kNow) + absl::Minutes(59));
  world_.Append(0, {kNow});
  process_->Pass(absl::Seconds(55));
  EXPECT_FALSE(world_.checker.CheckComplete().ok());
  process_->Pass(absl::Seconds(5));
  EXPECT_EQ(world_.checker.CheckComplete(), absl::OkStatus());
}

TEST_F(DumpJobsTest, WallClockThatJumpsNeitherLosesNorDoubles) {
  ASSERT_TRUE(process_->CreateJson({{"roll.ms", "5000"}}).ok());
  for (const int hours : {5, -9, 100, -100, 0}) {
    world_.Append(0, {kNow, kNow + kHourMs});
    process_->Pass(absl::Seconds(1));
    world_.clock.SetNow(world_.clock.Now() + absl::Hours(hours));
    process_->Pass(absl::Seconds(2));
  }
  process_->Pass(absl::Seconds(10));
  EXPECT_EQ(world_.checker.CheckComplete(), absl::OkStatus());
}

TEST_F(DumpJobsTest, NewPartitionsArePickedUp) {
  ASSERT_TRUE(process_->CreateJson({{"roll.ms", "100"}}).ok());
  world_.source.AddPartitions(DumpWorld::kTopic, 3);
  world_.Append(2, {kNow});
  process_->Pass(absl::Seconds(10));
  EXPECT_EQ(world_.checker.CheckComplete(), absl::OkStatus());
  EXPECT_EQ(Described().partitions.size(), 3u);
}

TEST_F(DumpJobsTest, DeletedTopicFailsTheJobWithWords) {
  ASSERT_TRUE(process_->CreateJson({}).ok());
  world_.source.DeleteTopic(DumpWorld::kTopic);
  process_->Pass(absl::Seconds(20));
  ExpectFailed(Reason::kUnknownTopic, "was deleted");
}

TEST_F(DumpJobsTest, DeletionSeenByAReadIsCalledByItsName) {
  ASSERT_TRUE(process_->CreateJson({}).ok());
  world_.Append(0, {kNow});
  world_.source.FailReads(1, MakeError(Reason::kUnknownTopicId, "no such id"));
  process_->Pass(absl::Seconds(11));
  ExpectFailed(Reason::kUnknownTopicId, "its topic was deleted");
}

TEST_F(DumpJobsTest, TopicMadeAgainIsNotContinued) {
  ASSERT_TRUE(process_->CreateJson({{"roll.ms", "100"}}).ok());
  world_.Append(0, {kNow});
  process_->Pass(absl::Seconds(1));
  ASSERT_TRUE(process_->Pause().ok());
  world_.source.DeleteTopic(DumpWorld::kTopic);
  const TopicId other = *TopicId::Parse("00000000-5b6d-4e8f-9a0b-1c2d3e4f5061");
  world_.source.CreateTopic(DumpWorld::kTopic, other, 2);
  ASSERT_TRUE(process_->Resume().ok());
  process_->Pass(absl::Seconds(1));
  ExpectFailed(Reason::kUnknownTopicId, "deleted and made again");
}

TEST_F(DumpJobsTest, RecordsThatRetentionTookFailTheJob) {
  world_.Append(0, {kNow, kNow, kNow});
  ASSERT_TRUE(process_->CreateJson({{"roll.ms", "100"}}).ok());
  process_->Pass(absl::Seconds(1));
  ASSERT_TRUE(process_->Pause().ok());
  world_.Append(0, {kNow, kNow});
  world_.source.SetLogStart(world_.PartitionOf(0), Offset(4));
  ASSERT_TRUE(process_->Resume().ok());
  process_->Pass(absl::Seconds(1));
  ExpectFailed(Reason::kOffsetOutOfRange, "orders/0: reading at offset 3");
}

TEST_F(DumpJobsTest, SourceErrorsThatPassAreWaitedOut) {
  ASSERT_TRUE(process_->CreateJson({{"roll.ms", "100"}}).ok());
  for (const Reason reason : {Reason::kNotLeader, Reason::kUnavailable, Reason::kOverloaded,
                              Reason::kStorageFenced, Reason::kCancelled}) {
    world_.source.FailReads(6, MakeError(reason, "not now"));
    world_.Append(0, {kNow});
    process_->Pass(absl::Minutes(1));
    EXPECT_EQ(Described().record.phase, JobPhase::kRunning);
    EXPECT_EQ(world_.checker.CheckComplete(), absl::OkStatus());
  }
}

TEST_F(DumpJobsTest, PoisonBatchFailsTheJobAndNamesItsOffsets) {
  ASSERT_TRUE(process_->CreateJson({{"roll.ms", "100"}}).ok());
  world_.Append(0, {kNow});
  process_->Pass(absl::Seconds(1));
  base::Buffer batch = support::MemoryRecordSource::MakeBatch(
      Offset(1), {{.timestamp_ms = kNow, .key = "k", .value = "v", .headers = {}}},
      record::Codec::kNone);
  // A record that claims more bytes than there are, under a right checksum.
  batch.mutable_bytes()[record::kHeaderBytes] = std::byte{0x7e};
  record::PatchMaxTimestamp(batch.mutable_bytes(), kNow);
  world_.source.AppendRaw(world_.PartitionOf(0), batch, 1);
  process_->Pass(absl::Seconds(1));
  ExpectFailed(Reason::kInvalidRecord, "offset");
  EXPECT_EQ(world_.checker.CheckComplete(), absl::OkStatus()) << "what came before is published";
}

TEST_F(DumpJobsTest, PoisonBatchIsLeftOutAndCountedWhenTheJobSkips) {
  ASSERT_TRUE(process_->CreateJson({{"roll.ms", "100"}, {"on_corrupt", "skip"}}).ok());
  world_.Append(0, {kNow});
  base::Buffer batch = support::MemoryRecordSource::MakeBatch(
      Offset(1), {{.timestamp_ms = kNow, .key = "k", .value = "v", .headers = {}}},
      record::Codec::kNone);
  batch.mutable_bytes()[record::kHeaderBytes] = std::byte{0x7e};
  record::PatchMaxTimestamp(batch.mutable_bytes(), kNow);
  world_.source.AppendRaw(world_.PartitionOf(0), batch, 1);
  world_.Append(0, {kNow});
  process_->Pass(absl::Seconds(1));
  EXPECT_EQ(world_.checker.CheckComplete(), absl::OkStatus());
  EXPECT_EQ(Described().offsets_skipped, 1);
  EXPECT_EQ(Described().record.phase, JobPhase::kRunning);
}

/// Two records, two offsets that the source refuses, one more record.
class DamagedSourceTest : public DumpJobsTest {
 protected:
  DamagedSourceTest() {
    world_.Append(0, {kNow, kNow});
    world_.source.AppendRaw(world_.PartitionOf(0), base::Buffer::Allocate(100), 2);
    world_.Append(0, {kNow});
    world_.source.Damage(world_.PartitionOf(0), {.first = Offset(2), .next = Offset(4)});
  }
};

TEST_F(DamagedSourceTest, JobFailsAndNamesWhatIsDamaged) {
  ASSERT_TRUE(process_->CreateJson({{"roll.ms", "100"}}).ok());
  process_->Pass(absl::Seconds(1));
  ExpectFailed(Reason::kCorruptData, "reading at offset 2: 0.log: damaged at position 7");
  EXPECT_EQ(Described().offsets_skipped, 0);
  EXPECT_EQ(Described().partitions[0].next_offset, Offset(2)) << "what came before is published";
}

TEST_F(DamagedSourceTest, JobThatSkipsGoesOnBehindItAndCountsAlsoAcrossARestart) {
  ASSERT_TRUE(process_->CreateJson({{"roll.ms", "100"}, {"on_corrupt", "skip"}}).ok());
  process_->Pass(absl::Seconds(1));
  EXPECT_EQ(world_.checker.CheckComplete(), absl::OkStatus());
  EXPECT_EQ(Described().records_published, 3);
  EXPECT_EQ(Described().offsets_skipped, 2);
  Restart();
  world_.Append(0, {kNow});
  process_->Pass(absl::Seconds(1));
  EXPECT_EQ(world_.checker.CheckComplete(), absl::OkStatus());
  EXPECT_EQ(Described().offsets_skipped, 2);
}

TEST_F(DamagedSourceTest, DamageAtTheEndIsPassedOverAndSaved) {
  world_.source.Damage(world_.PartitionOf(0), {.first = Offset(2), .next = Offset(5)});
  ASSERT_TRUE(process_->CreateJson({{"roll.ms", "100"}, {"on_corrupt", "skip"}}).ok());
  process_->Pass(absl::Seconds(1));
  EXPECT_EQ(Described().partitions[0].next_offset, Offset(5));
  EXPECT_EQ(Described().partitions[0].lag_records(), 0);
  EXPECT_EQ(Described().offsets_skipped, 3);
}

TEST_F(DumpJobsTest, DamagedBatchFailsTheJob) {
  ASSERT_TRUE(process_->CreateJson({}).ok());
  base::Buffer batch = support::MemoryRecordSource::MakeBatch(
      Offset(0), {{.timestamp_ms = kNow, .key = "k", .value = "v", .headers = {}}},
      record::Codec::kNone);
  batch.mutable_bytes()[batch.size() - 1] ^= std::byte{1};
  world_.source.AppendRaw(world_.PartitionOf(0), batch, 1);
  process_->Settle();
  ExpectFailed(Reason::kCorruptBatch, "orders/0");
}

TEST_F(DumpJobsTest, FullDiskFailsTheJobAndResumeGoesOn) {
  ASSERT_TRUE(process_->CreateJson({{"roll.ms", "100"}}).ok());
  world_.disk.FailNth(DiskCall::kWrite, 1, support::MemoryFileSystem::StorageFull("/dump"));
  world_.Append(0, {kNow});
  process_->Pass(absl::Seconds(1));
  ExpectFailed(Reason::kStorageFull, "ENOSPC");
  EXPECT_TRUE(Names("/dump/orders/.open/1f3a9c04-0").empty()) << "the half file is given back";
  ASSERT_TRUE(process_->Resume().ok());
  process_->Pass(absl::Seconds(1));
  EXPECT_EQ(world_.checker.CheckComplete(), absl::OkStatus());
}

TEST_F(DumpJobsTest, FailedSyncIsNeverTriedAgainOnTheSameFile) {
  ASSERT_TRUE(process_->CreateJson({{"roll.ms", "100"}}).ok());
  world_.disk.FailNth(DiskCall::kSync, 1, support::MemoryFileSystem::IoError("/dump"));
  world_.Append(0, {kNow});
  process_->Pass(absl::Seconds(1));
  ExpectFailed(Reason::kInternal, "EIO");
  ASSERT_TRUE(process_->Resume().ok());
  process_->Pass(absl::Seconds(1));
  world_.disk.CutPower(support::PowerCut::DropUnsynced());
  EXPECT_EQ(world_.checker.CheckComplete(), absl::OkStatus());
}

TEST_F(DumpJobsTest, TargetThatCannotBeWrittenIsRefusedAtOnce) {
  world_.disk.FailNth(DiskCall::kMakeDirectory, 1, support::MemoryFileSystem::IoError("/dump"));
  const absl::Status status = process_->CreateJson({});
  EXPECT_EQ(ReasonOf(status), Reason::kInvalidDumpJob);
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot be written"));
  EXPECT_EQ(ReasonOf(process_->Describe().status()), Reason::kUnknownDumpJob);
  EXPECT_TRUE(process_->CreateJson({}).ok()) << "and leaves nothing behind";
}

TEST_F(DumpJobsTest, TargetThatCannotBeWrittenAfterARestartFailsTheJob) {
  ASSERT_TRUE(process_->CreateJson({}).ok());
  process_.reset();
  world_.disk.FailNth(DiskCall::kOpen, 1, support::MemoryFileSystem::IoError("/dump"));
  Restart();
  ExpectFailed(Reason::kInvalidDumpJob, "cannot be written");
}

TEST_F(DumpJobsTest, FileOfSomebodyElseIsNeverOverwritten) {
  ASSERT_TRUE(process_->CreateJson({{"roll.ms", "100"}}).ok());
  const std::string folder = "/dump/orders/dt=2026-11-22/hour=06";
  const std::string path = folder + "/1f3a9c04-0-00000000000000000000-0.json";
  ASSERT_TRUE(world_.disk.MakeDirectories(folder).ok());
  ASSERT_TRUE(io::WriteFileAtomically(world_.disk, path, base::AsBytes("theirs")).ok());
  world_.Append(0, {kNow});
  process_->Pass(absl::Seconds(1));
  ExpectFailed(Reason::kConflict, path);
  EXPECT_EQ(*io::ReadFile(world_.disk, path, 100), "theirs");
  ASSERT_TRUE(world_.disk.Remove(path).ok());
  ASSERT_TRUE(process_->Resume().ok());
  process_->Pass(absl::Seconds(1));
  EXPECT_EQ(world_.checker.CheckComplete(), absl::OkStatus());
}

TEST_F(DumpJobsTest, DeletionKeepsPublishedFilesAndRemovesTheRest) {
  ASSERT_TRUE(process_->CreateJson({{"roll.ms", "60000"}}).ok());
  world_.Append(0, {kNow});
  process_->Pass(absl::Minutes(2));
  world_.Append(0, {kNow});
  process_->Settle();
  EXPECT_EQ(Names("/dump/orders/.open/1f3a9c04-0").size(), 1u);
  ASSERT_TRUE(process_->Remove().ok());
  EXPECT_TRUE(Names("/dump/orders/.open").empty());
  EXPECT_TRUE(world_.checker.CheckVisible().ok());
  EXPECT_EQ(world_.checker.files(), 1u);
  EXPECT_EQ(ReasonOf(process_->Describe().status()), Reason::kUnknownDumpJob);
  Restart();
  EXPECT_EQ(ReasonOf(process_->Describe().status()), Reason::kUnknownDumpJob);
  EXPECT_EQ(ReasonOf(process_->Remove()), Reason::kUnknownDumpJob);
}

TEST_F(DumpJobsTest, DeletionOfManyPartitionsTakesSeveralTransactions) {
  world_.source.AddPartitions(DumpWorld::kTopic, 250);
  ASSERT_TRUE(process_->CreateJson({}).ok());
  process_->Settle();
  ASSERT_EQ(Described().partitions.size(), 250u);
  ASSERT_TRUE(process_->Remove().ok());
  ASSERT_TRUE(process_->CreateJson({}).ok());
  for (const PartitionProgress& partition : Described().partitions) {
    EXPECT_EQ(partition.next_offset, Offset(0));
  }
}

TEST_F(DumpJobsTest, RequestsThatAreWrongAreRefusedByReason) {
  EXPECT_EQ(ReasonOf(process_->CreateJson({{"roll.size", "1"}})), Reason::kInvalidDumpJob);
  JobRequest request = support::JsonRequest();
  request.name = "a/b";
  EXPECT_EQ(ReasonOf(process_->Create(request)), Reason::kInvalidDumpJob);
  request = support::JsonRequest();
  request.target = "dump";
  EXPECT_EQ(ReasonOf(process_->Create(request)), Reason::kInvalidDumpJob);
  request = support::JsonRequest();
  request.topic = "nothing";
  EXPECT_EQ(ReasonOf(process_->Create(request)), Reason::kUnknownTopic);
  ASSERT_TRUE(process_->CreateJson({}).ok());
  EXPECT_EQ(ReasonOf(process_->CreateJson({})), Reason::kDumpJobExists);
}

TEST_F(DumpJobsTest, TwoJobsOfATopicNeverShareATarget) {
  ASSERT_TRUE(process_->CreateJson({}).ok());
  JobRequest request = support::JsonRequest();
  request.name = "second";
  request.target = "file:///dump//";
  const absl::Status status = process_->Create(request);
  EXPECT_EQ(ReasonOf(status), Reason::kInvalidDumpJob);
  EXPECT_THAT(std::string(status.message()), HasSubstr("'job'"));
  request.target = "file:///dump2";
  EXPECT_TRUE(process_->Create(request).ok());
}

TEST_F(DumpJobsTest, StoreThatIsAwayIsWaitedFor) {
  ASSERT_TRUE(process_->CreateJson({{"roll.ms", "100"}}).ok());
  // A fixed sequence without a period that the calls could fall into step with.
  uint64_t state = 1;
  world_.store.SetChooser([&state] {
    state = state * 6364136223846793005 + 1442695040888963407;
    const uint64_t fate = (state >> 33) % 3;
    if (fate == 0) return support::StoreFate::kAnswer;
    return fate == 1 ? support::StoreFate::kRefuse : support::StoreFate::kLoseAnswer;
  });
  for (int i = 0; i < 5; ++i) {
    world_.Append(0, {kNow});
    process_->Pass(absl::Minutes(1));
  }
  process_->Pass(absl::Minutes(10));
  EXPECT_EQ(Described().record.phase, JobPhase::kRunning);
  EXPECT_EQ(world_.checker.CheckComplete(), absl::OkStatus());
  EXPECT_EQ(Described().records_published, 5);
}

TEST_F(DumpJobsTest, RestartWhileTheStoreIsAwayGoesOnWhenItIsBack) {
  ASSERT_TRUE(process_->CreateJson({{"roll.ms", "100"}}).ok());
  world_.store.SetChooser([] { return support::StoreFate::kRefuse; });
  process_ = std::make_unique<DumpProcess>(world_);
  EXPECT_EQ(ReasonOf(process_->Start()), Reason::kDeadlineExceeded) << "it waits";
  world_.store.SetChooser(nullptr);
  world_.Append(0, {kNow});
  process_->Pass(absl::Minutes(1));
  EXPECT_EQ(world_.checker.CheckComplete(), absl::OkStatus());
}

TEST_F(DumpJobsTest, DeposedWorkerChangesNothing) {
  ASSERT_TRUE(process_->CreateJson({{"roll.ms", "1000"}}).ok());
  world_.Append(0, {kNow, kNow});
  process_->Settle();
  DumpProcess successor(world_);
  ASSERT_TRUE(successor.Start().ok());
  // The old one wakes with records open and its time to roll.
  process_->Pass(absl::Seconds(2));
  world_.Append(0, {kNow});
  process_->Pass(absl::Seconds(2));
  EXPECT_EQ(Described().record.phase, JobPhase::kFailed);
  successor.Pass(absl::Seconds(2));
  const auto job = successor.Describe();
  ASSERT_TRUE(job.ok());
  EXPECT_EQ(job->record.phase, JobPhase::kRunning);
  EXPECT_EQ(job->record.error, "");
  EXPECT_EQ(world_.checker.CheckComplete(), absl::OkStatus());
  EXPECT_EQ(job->records_published, 3);
}

TEST_F(DumpJobsTest, StopAnswersWhatWaits) {
  ASSERT_TRUE(process_->CreateJson({}).ok());
  world_.store.SetChooser([] { return support::StoreFate::kRefuse; });
  absl::Status answer;
  process_->jobs().Pause(DumpWorld::kJob,
                         [&answer](const absl::Status& status) { answer = status; });
  process_->Settle();
  EXPECT_TRUE(answer.ok()) << "not answered yet";
  bool is_stopped = false;
  process_->jobs().Stop([&is_stopped] { is_stopped = true; });
  process_->Settle();
  EXPECT_TRUE(is_stopped);
  EXPECT_EQ(ReasonOf(answer), Reason::kShuttingDown);
  EXPECT_EQ(ReasonOf(process_->Pause()), Reason::kShuttingDown);
}

TEST_F(DumpJobsTest, SecondOperationWaitsForNone) {
  ASSERT_TRUE(process_->CreateJson({}).ok());
  world_.store.SetChooser([] { return support::StoreFate::kRefuse; });
  EXPECT_EQ(ReasonOf(process_->Pause()), Reason::kDeadlineExceeded);
  const absl::Status second = process_->Remove();
  EXPECT_EQ(ReasonOf(second), Reason::kConflict);
  EXPECT_THAT(std::string(second.message()), HasSubstr("being paused"));
}

TEST_F(DumpJobsTest, CompressedAndRawAreDumpedToo) {
  JobRequest request = support::JsonRequest();
  request.format = FormatKind::kRaw;
  request.configs = {{"roll.ms", "100"}};
  ASSERT_TRUE(process_->Create(request).ok());
  world_.source.Append(world_.PartitionOf(0),
                       {{.timestamp_ms = kNow, .key = "k", .value = "one", .headers = {}},
                        {.timestamp_ms = kNow, .key = "k", .value = "two", .headers = {}}},
                       record::Codec::kZstd);
  process_->Pass(absl::Seconds(1));
  const std::string path =
      "/dump/orders/dt=2026-11-22/hour=06/1f3a9c04-0-00000000000000000000-1.raw";
  const auto content = io::ReadFile(world_.disk, path, 100);
  ASSERT_TRUE(content.ok()) << content.status();
  EXPECT_EQ(*content, "one\ntwo\n");
}

}  // namespace
}  // namespace talosmq::sink
