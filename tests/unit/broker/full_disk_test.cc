#include "support/checkers.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/broker/broker_harness.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::broker {
namespace {

using support::DiskCall;
using support::MemoryFileSystem;
using ::testing::HasSubstr;

/// A broker on a small disk that others fill up and leave again.
class FullDiskTest : public ::testing::Test {
 protected:
  static constexpr int64_t kRoom = 256 << 10;

  void SetUp() override {
    harness_.reserve_options().bytes = kRoom;
    harness_.disk().SetCapacity(kRoom * storage::DiskReserve::kShareOfDisk);
    harness_.Start();
    target_ = {.topic_id = harness_.CreateTopic("orders", 1), .partition = PartitionId(0)};
    harness_.AppendNow(target_, {.values = {"acknowledged"}});
  }

  void TakeAllSpace() {
    harness_.disk().SetFaultHook(nullptr);  // The others have better luck.
    const int64_t free = harness_.disk().Space("data")->free_bytes;
    const auto file = harness_.disk().Open("other", io::OpenMode::kCreate);
    ASSERT_TRUE(file.ok() && (*file)->Preallocate(static_cast<uint64_t>(free)).ok());
    ASSERT_TRUE((*file)->Sync().ok() && harness_.disk().SyncDirectory(".").ok());
  }
  void FillUp() {
    TakeAllSpace();
    harness_.Advance(absl::Seconds(1));
  }
  void MakeRoom() {
    harness_.disk().SetFaultHook(nullptr);
    ASSERT_TRUE(harness_.disk().Remove("other").ok() && harness_.disk().SyncDirectory(".").ok());
    harness_.Advance(absl::Seconds(1));
  }
  absl::Status TryAppend(std::string value) {
    const auto append = harness_.Append(target_, {.values = {std::move(value)}});
    harness_.Run();
    EXPECT_EQ(append->calls, 1);
    return append->value.status;
  }
  std::vector<std::string> Problems() {
    std::vector<std::string> found;
    for (const HealthProblem& problem : harness_.CheckHealthNow().problems) {
      found.push_back(problem.object + ": " + problem.problem);
    }
    return found;
  }

  BrokerHarness harness_;
  TopicPartition target_;
};

TEST_F(FullDiskTest, AppendsAreRefusedAndGoOnByThemselvesWhenThereIsSpace) {
  FillUp();
  const absl::Status refused = TryAppend("refused");
  EXPECT_EQ(ReasonOf(refused), Reason::kStorageFull);
  EXPECT_TRUE(IsRetrySafe(ReasonOf(refused)));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("partition orders/0: the disk of data"));
  EXPECT_EQ(harness_.ReadAll(target_).size(), 1u);
  EXPECT_THAT(Problems(), ::testing::ElementsAre(HasSubstr("data directory: the disk of data is")));

  MakeRoom();
  EXPECT_THAT(Problems(), ::testing::IsEmpty());
  const AppendOutcome again = harness_.AppendNow(target_, {.values = {"again"}});
  EXPECT_EQ(again.base_offset, Offset(1));
  EXPECT_EQ(again.epoch, LeaderEpoch(1)) << "no write has failed, so no epoch has ended";
}

TEST_F(FullDiskTest, CommitsAreRefusedAndNoneIsLost) {
  const auto commit = [this](int64_t offset) {
    group::CommitRequest request{.group = "g"};
    request.offsets.push_back({.partition = target_, .value = {.offset = Offset(offset)}});
    auto answer = std::make_shared<Answer<std::vector<absl::Status>>>();
    harness_.broker().groups().Commit(std::move(request), WriteDown(answer));
    harness_.Run();
    return answer;
  };
  const auto committed = [this] {
    auto answer = std::make_shared<Answer<absl::StatusOr<group::Offsets>>>();
    harness_.broker().groups().FetchOffsets({.group = "g"}, WriteDown(answer));
    harness_.Run();
    EXPECT_TRUE(answer->value.ok()) << answer->value.status();
    return answer->value.ok() ? answer->value->at(target_).offset : Offset(-1);
  };
  commit(0);  // Makes the topic of the offsets.
  ASSERT_TRUE(commit(1)->value.at(0).ok());
  FillUp();
  const auto short_of_room = commit(2);
  EXPECT_EQ(short_of_room->calls, 0) << "there may be room again soon";
  MakeRoom();
  ASSERT_EQ(short_of_room->calls, 1);
  EXPECT_TRUE(short_of_room->value.at(0).ok()) << short_of_room->value.at(0);

  FillUp();
  const auto refused = commit(3);
  for (int i = 0; i < 110; ++i) harness_.Advance(absl::Milliseconds(50));
  ASSERT_EQ(refused->calls, 1);
  EXPECT_EQ(ReasonOf(refused->value.at(0)), Reason::kStorageFull) << refused->value.at(0);
  harness_.Advance(absl::Seconds(1));
  EXPECT_EQ(committed(), Offset(2)) << "groups are read while the disk is full";
  MakeRoom();
  EXPECT_TRUE(commit(4)->value.at(0).ok());
  harness_.CutPower(support::PowerCut::DropUnsynced());
  harness_.Start();
  EXPECT_EQ(committed(), Offset(4));
}

TEST_F(FullDiskTest, WhatHadItsOffsetsWhenTheDiskBecameFullIsRefusedAsNotStored) {
  const auto append = harness_.Append(target_, {.values = {"in flight"}});
  harness_.RunWithoutFlush();
  TakeAllSpace();
  harness_.Run();
  EXPECT_EQ(append->calls, 1);
  EXPECT_EQ(ReasonOf(append->value.status), Reason::kStorageFull) << append->value.status;
  harness_.Advance(absl::Seconds(1));
  EXPECT_EQ(harness_.ReadAll(target_).size(), 1u) << "the log is read while the disk is full";

  MakeRoom();
  EXPECT_THAT(Problems(), ::testing::IsEmpty());
  const AppendOutcome again = harness_.AppendNow(target_, {.values = {"again"}});
  EXPECT_EQ(again.base_offset, Offset(1));
  EXPECT_EQ(again.epoch, LeaderEpoch(2));
}

// A read's ENOSPC was taken for a fence: what waited for its flush was refused as not stored, and
// became durable all the same.
TEST_F(FullDiskTest, AReadThatFindsNoSpaceLeavesAppendsAlone) {
  harness_.Stop();
  harness_.Start();
  harness_.AppendNow(target_, {.values = {"leads"}});
  const auto append = harness_.Append(target_, {.values = {"in flight"}});
  harness_.disk().SetFaultHook([](DiskCall call, const std::string& path) {
    return call == DiskCall::kRead ? MemoryFileSystem::StorageFull(path) : absl::OkStatus();
  });
  const auto fetch = harness_.Fetch(target_, 0);
  harness_.RunWithoutFlush();
  EXPECT_EQ(ReasonOf(fetch->value.status), Reason::kStorageFull) << fetch->value.status;
  harness_.disk().SetFaultHook(nullptr);
  harness_.Run();
  EXPECT_EQ(append->calls, 1);
  EXPECT_TRUE(append->value.status.ok()) << append->value.status;
  EXPECT_EQ(harness_.ReadAll(target_).size(), 3u);
}

TEST_F(FullDiskTest, ARestartOnAFullDiskServesReadsAndDeletions) {
  FillUp();
  harness_.Kill();
  harness_.Start();
  EXPECT_EQ(ReasonOf(TryAppend("refused")), Reason::kStorageFull);
  EXPECT_EQ(harness_.ReadAll(target_).size(), 1u);

  absl::Status deleted = absl::UnknownError("no answer");
  harness_.broker().topics().Delete("orders", absl::InfiniteDuration(),
                                    [&deleted](const absl::Status& status) { deleted = status; });
  harness_.Run();
  EXPECT_TRUE(deleted.ok()) << deleted;
  EXPECT_THAT(*harness_.disk().List("data/topics"), ::testing::IsEmpty());
}

TEST_F(FullDiskTest, AFencedLogIsOpenAgainWithoutAnyRequest) {
  harness_.disk().FailNth(DiskCall::kSync, 1, MemoryFileSystem::IoError("data"));
  EXPECT_EQ(ReasonOf(TryAppend("lost or not")), Reason::kStorageFenced);
  EXPECT_FALSE(Problems().empty());
  harness_.Advance(absl::Seconds(1));
  EXPECT_THAT(Problems(), ::testing::IsEmpty());
  const auto warnings = harness_.CheckHealthNow().warnings;
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_THAT(warnings.front().problem, HasSubstr("EIO"));
}

/// Appends, writes that fail, a disk that fills up and empties, kill -9 and power cuts, as the seed
/// has it: what was acknowledged stays (G1), and what was read (G2).
class FailingDiskTest : public FullDiskTest, public ::testing::WithParamInterface<uint64_t> {
 protected:
  uint64_t Choose(uint64_t end) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return (state_ >> 33) % end;
  }

  void FailOneCall() {
    const std::vector<DiskCall> calls = {DiskCall::kWrite,       DiskCall::kSync,
                                         DiskCall::kPreallocate, DiskCall::kOpen,
                                         DiskCall::kRename,      DiskCall::kSyncDirectory};
    const DiskCall call = calls[Choose(calls.size())];
    const absl::Status status =
        Choose(2) == 0 ? MemoryFileSystem::IoError("data") : MemoryFileSystem::StorageFull("data");
    harness_.disk().FailNth(call, 1 + Choose(3), status);
  }

  void Crash() {
    harness_.disk().SetFaultHook(nullptr);
    if (Choose(2) == 0) {
      harness_.Kill();
    } else {
      harness_.CutPower(support::PowerCut::Random(Choose(1'000'000)));
    }
    harness_.Start();
  }

  void Step() {
    switch (Choose(8)) {
      case 0:
        return FailOneCall();
      case 1:
        return is_full_ ? void() : (is_full_ = true, TakeAllSpace());
      case 2:
        return is_full_ ? (is_full_ = false, MakeRoom()) : void();
      case 3:
        return Crash();
      default:
        return AppendSome();
    }
  }

  void AppendSome() {
    std::vector<std::pair<std::string, AnswerPtr<AppendOutcome>>> appends;
    for (uint64_t i = Choose(3) + 1; i > 0; --i) {
      const std::string value = "value " + std::to_string(++values_);
      order_.Sent(target_, value);
      appends.emplace_back(value, harness_.Append(target_, {.values = {value}}));
    }
    const auto fetch = harness_.Fetch(target_, 0);
    harness_.Run();
    if (fetch->value.status.ok()) {
      EXPECT_TRUE(
          reads_
              .Read(target_, RecordsIn(fetch->value.chunks, Offset(0)), fetch->value.high_watermark)
              .ok());
    }
    harness_.Advance(absl::Seconds(1 + static_cast<int64_t>(Choose(12))));
    for (const auto& [value, append] : appends) {
      ASSERT_EQ(append->calls, 1);
      const AppendOutcome& outcome = append->value;
      if (outcome.status.ok()) durable_.Acknowledged(target_, outcome.base_offset, value);
      if (ReasonOf(outcome.status) == Reason::kStorageFull) refused_.insert(value);
    }
  }

  void ExpectAllThere() {
    harness_.disk().SetFaultHook(nullptr);
    if (is_full_) MakeRoom();
    harness_.Advance(absl::Seconds(20));
    const auto records = harness_.ReadAll(target_);
    for (const absl::Status& status :
         {durable_.Check(target_, records), reads_.Check(target_, records),
          order_.Check(target_, Offset(0), records)}) {
      EXPECT_TRUE(status.ok()) << status;
    }
    for (const auto& record : records) {
      EXPECT_FALSE(refused_.contains(record.value)) << record.value << " was said not to be stored";
    }
  }

  uint64_t state_ = 0;
  int values_ = 0;
  bool is_full_ = false;
  support::DurableChecker durable_;
  support::CommittedReadsChecker reads_;
  support::OrderChecker order_;
  std::set<std::string> refused_;
};

INSTANTIATE_TEST_SUITE_P(Seeds, FailingDiskTest, ::testing::Range<uint64_t>(1, 41));

TEST_P(FailingDiskTest, NothingAcknowledgedIsLostAndNothingRefusedIsStored) {
  state_ = GetParam();
  order_.Sent(target_, "acknowledged");
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  for (int i = 0; i < 60 && !HasFatalFailure(); ++i) Step();
  ExpectAllThere();
  EXPECT_TRUE(TryAppend("the end").ok());
  EXPECT_THAT(Problems(), ::testing::IsEmpty());
}

}  // namespace
}  // namespace talosmq::broker
