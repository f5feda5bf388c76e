#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/broker/broker_harness.h"

#include <string>
#include <vector>

namespace talosmq::broker {
namespace {

using support::DiskCall;
using support::MemoryFileSystem;

/// A log whose disk fails: everything that waits is told once, nothing acknowledged is lost, and
/// what comes later stands under a new epoch.
class FenceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    harness_.Start();
    target_ = {.topic_id = harness_.CreateTopic("orders", 1), .partition = PartitionId(0)};
    harness_.AppendNow(target_, {.values = {"acknowledged"}});
  }

  void FailNext(DiskCall call) {
    harness_.disk().FailNth(call, 1, MemoryFileSystem::IoError("data"));
  }
  void BreakLog() {
    FailNext(DiskCall::kSync);
    const auto append = harness_.Append(target_, {.values = {"lost or not"}});
    harness_.Run();
    ASSERT_EQ(ReasonOf(append->value.status), Reason::kStorageFenced) << append->value.status;
  }

  BrokerHarness harness_;
  TopicPartition target_;
};

TEST_F(FenceTest, AFailedSyncFailsEverythingThatWaitsOnce) {
  FailNext(DiskCall::kSync);
  const auto fetch = harness_.Fetch(target_, 1, absl::Seconds(30));
  const auto first = harness_.Append(target_, {.values = {"b"}});
  const auto second = harness_.Append(target_, {.values = {"c"}}, Acks::kLeader);
  harness_.Run();
  harness_.Advance(absl::Minutes(2));
  for (const auto& append : {first, second}) {
    EXPECT_EQ(append->calls, 1);
    EXPECT_EQ(ReasonOf(append->value.status), Reason::kStorageFenced) << append->value.status;
  }
  EXPECT_EQ(fetch->calls, 1);
  EXPECT_EQ(ReasonOf(fetch->value.status), Reason::kStorageFenced) << fetch->value.status;
}

TEST_F(FenceTest, AFailedWriteIsAsBadAsAFailedSync) {
  FailNext(DiskCall::kWrite);
  const auto append = harness_.Append(target_, {.values = {"b"}});
  harness_.Run();
  EXPECT_EQ(append->calls, 1);
  EXPECT_EQ(ReasonOf(append->value.status), Reason::kStorageFenced) << append->value.status;
}

TEST_F(FenceTest, HealthTellsUntilTheLogIsOpenAgain) {
  EXPECT_TRUE(harness_.CheckHealthNow().problems.empty());
  BreakLog();
  bool is_told = false;
  for (const HealthProblem& problem : harness_.CheckHealthNow().problems) {
    is_told = is_told || problem.object == "partition orders/0";
  }
  EXPECT_TRUE(is_told);
  harness_.Advance(absl::Seconds(1));
  harness_.AppendNow(target_, {.values = {"again"}});
  for (const HealthProblem& problem : harness_.CheckHealthNow().problems) {
    EXPECT_NE(problem.object, "partition orders/0") << problem.problem;
  }
}

TEST_F(FenceTest, TheLogRestsBeforeItIsOpenedAgain) {
  BreakLog();
  const auto during = harness_.Append(target_, {.values = {"too soon"}});
  harness_.Run();
  EXPECT_EQ(ReasonOf(during->value.status), Reason::kStorageFenced);
  harness_.Advance(harness_.options().partition.reopen_backoff_min);
  harness_.AppendNow(target_, {.values = {"later"}});
}

TEST_F(FenceTest, TheReopenedLogHasANewEpochAndAllThatWasAcknowledged) {
  BreakLog();
  harness_.Advance(absl::Seconds(1));
  const AppendOutcome again = harness_.AppendNow(target_, {.values = {"again"}});
  EXPECT_EQ(again.epoch, LeaderEpoch(2));
  EXPECT_EQ(harness_.EpochInStore(target_), LeaderEpoch(2));
  const auto records = harness_.ReadAll(target_);
  ASSERT_GE(records.size(), 2u);
  EXPECT_EQ(records.front().value, "acknowledged");
  EXPECT_EQ(records.back().value, "again");
  EXPECT_EQ(records.back().offset, again.base_offset);
  // And all of it survives a power cut, whatever the failed sync had left in the page cache.
  harness_.CutPower(support::PowerCut::DropUnsynced());
  harness_.Start();
  EXPECT_EQ(harness_.ReadAll(target_).size(), records.size());
}

TEST_F(FenceTest, AnotherPartitionGoesOnWhenOneLogIsBroken) {
  const TopicPartition other{.topic_id = harness_.CreateTopic("other", 1),
                             .partition = PartitionId(0)};
  harness_.AppendNow(other, {.values = {"a"}});
  BreakLog();
  harness_.AppendNow(other, {.values = {"b"}});
}

TEST_F(FenceTest, ALogThatCannotBeOpenedFailsWhatWaitsForIt) {
  harness_.Stop();
  harness_.Start();
  harness_.disk().SetFaultHook([](DiskCall call, const std::string& path) {
    const bool is_log = path.find("/topics/") != std::string::npos;
    return call == DiskCall::kOpen && is_log ? MemoryFileSystem::IoError(path) : absl::OkStatus();
  });
  const auto append = harness_.Append(target_, {.values = {"b"}});
  const auto fetch = harness_.Fetch(target_, 0);
  const auto query = harness_.FindOffset(target_, FromEnd{});
  harness_.Run();
  EXPECT_EQ(append->calls, 1);
  EXPECT_FALSE(append->value.status.ok());
  EXPECT_EQ(fetch->calls, 1);
  EXPECT_FALSE(fetch->value.status.ok());
  EXPECT_EQ(query->calls, 1);
  EXPECT_FALSE(query->value.status.ok());
  harness_.disk().SetFaultHook(nullptr);
  harness_.Advance(absl::Seconds(20));
  EXPECT_EQ(harness_.ReadAll(target_).size(), 1u);
}

TEST_F(FenceTest, AStopWhileALogIsBrokenStillEnds) {
  FailNext(DiskCall::kSync);
  const auto append = harness_.Append(target_, {.values = {"b"}});
  harness_.RunWithoutFlush();
  harness_.Stop();
  EXPECT_EQ(append->calls, 1);
  EXPECT_EQ(ReasonOf(append->value.status), Reason::kStorageFenced) << append->value.status;
}

}  // namespace
}  // namespace talosmq::broker
