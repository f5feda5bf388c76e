#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/broker/broker_harness.h"

#include <memory>
#include <string>

namespace talosmq::broker {
namespace {

class StopTest : public ::testing::Test {
 protected:
  void SetUp() override {
    harness_.Start();
    const TopicId id = harness_.CreateTopic("orders", 3);
    used_ = {.topic_id = id, .partition = PartitionId(0)};
    fresh_ = {.topic_id = id, .partition = PartitionId(1)};
    harness_.AppendNow(used_, {.values = {"a"}});
  }

  BrokerHarness harness_;
  TopicPartition used_;   ///< Open and led.
  TopicPartition fresh_;  ///< Not opened yet.
};

TEST_F(StopTest, EverythingThatWaitsIsAnsweredOnce) {
  const auto parked = harness_.Append(used_, {.values = {"b"}});
  const auto fetch = harness_.Fetch(used_, 2, absl::Seconds(30));
  harness_.RunWithoutFlush();
  // On their way when the stop comes.
  const auto opening = harness_.Append(fresh_, {.values = {"c"}});
  const auto opening_fetch = harness_.Fetch(fresh_, 0, absl::Seconds(30));
  const auto query = harness_.FindOffset(fresh_, FromEnd{});
  harness_.Stop();
  EXPECT_EQ(fetch->calls, 1);
  EXPECT_EQ(ReasonOf(fetch->value.status), Reason::kShuttingDown);
  // It had its offset already: the truth is that it is durable.
  EXPECT_EQ(parked->calls, 1);
  EXPECT_TRUE(parked->value.status.ok()) << parked->value.status;
  EXPECT_EQ(opening->calls, 1);
  EXPECT_EQ(ReasonOf(opening->value.status), Reason::kShuttingDown) << opening->value.status;
  EXPECT_EQ(opening_fetch->calls, 1);
  EXPECT_EQ(query->calls, 1);
  harness_.Start();
  EXPECT_EQ(harness_.ReadAll(used_).size(), 2u);
}

TEST_F(StopTest, CallsAfterTheStopAreRefused) {
  int stopped = 0;
  harness_.broker().Stop([&stopped] { ++stopped; });
  const auto append = harness_.Append(used_, {.values = {"b"}});
  const auto fetch = harness_.Fetch(used_, 0);
  const auto query = harness_.FindOffset(used_, FromEnd{});
  auto created = std::make_shared<Answer<absl::Status>>();
  harness_.broker().topics().Delete("orders", absl::InfiniteDuration(), WriteDown(created));
  Reason identity = Reason::kNone;
  harness_.broker().messages().InitProducer(
      [&identity](const absl::StatusOr<ProducerIdentity>& given) {
        identity = ReasonOf(given.status());
      });
  EXPECT_EQ(ReasonOf(append->value.status), Reason::kShuttingDown);
  EXPECT_EQ(ReasonOf(fetch->value.status), Reason::kShuttingDown);
  EXPECT_EQ(ReasonOf(query->value.status), Reason::kShuttingDown);
  EXPECT_EQ(ReasonOf(created->value), Reason::kShuttingDown);
  EXPECT_EQ(identity, Reason::kShuttingDown);
  harness_.Run();
  EXPECT_EQ(stopped, 1);
}

TEST_F(StopTest, AStopWaitsForADescriptionAndAClaimUnderWay) {
  bool is_described = false;
  const auto append = harness_.Append(fresh_, {.values = {"b"}});
  harness_.broker().topics().Describe(
      "orders", [&is_described](const absl::StatusOr<TopicDescription>&) { is_described = true; });
  // A few steps in, wherever that is.
  for (int i = 0; i < 3; ++i) harness_.shard().RunOne();
  harness_.Stop();
  EXPECT_TRUE(is_described);
  EXPECT_EQ(append->calls, 1);
}

TEST_F(StopTest, AStopDuringADeletionLeavesTheRestForTheNextStart) {
  auto deleted = std::make_shared<Answer<absl::Status>>();
  harness_.broker().topics().Delete("orders", absl::InfiniteDuration(), WriteDown(deleted));
  harness_.Stop();
  harness_.Start();
  EXPECT_TRUE(harness_.broker().topics().image()->deletions.empty());
  EXPECT_EQ(harness_.CheckHealthNow().orphans.size(), 0u);
}

TEST_F(StopTest, OptionsOutOfRangeAreNamed) {
  BrokerOptions options;
  options.partition.pending_appends_max = 0;
  const absl::Status status = CheckOptions(options);
  EXPECT_EQ(ReasonOf(status), Reason::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("pending_appends_max"));
}

}  // namespace
}  // namespace talosmq::broker
