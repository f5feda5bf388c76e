#include "talosmq/error.h"

#include "gtest/gtest.h"
#include "unit/broker/broker_harness.h"

#include <memory>
#include <optional>
#include <utility>

namespace talosmq::broker {
namespace {

/// A partition that epochs 1, 2 and 3 wrote two, three and one records of.
class HistoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    harness_.Start();
    log_ = {.topic_id = harness_.CreateTopic("orders", 1), .partition = PartitionId(0)};
    harness_.AppendNow(log_, {.values = {"0", "1"}});
    first_ = harness_.EpochInStore(log_);
    Restart();
    harness_.AppendNow(log_, {.values = {"2", "3", "4"}});
    second_ = harness_.EpochInStore(log_);
    Restart();
    harness_.AppendNow(log_, {.values = {"5"}});
    third_ = harness_.EpochInStore(log_);
  }

  void Restart() {
    harness_.Stop();
    harness_.Start();
  }
  HistoryOutcome Find(LeaderEpoch epoch, LeaderEpoch known = kNoEpoch) {
    const auto answer = std::make_shared<Answer<HistoryOutcome>>();
    harness_.broker().messages().FindHistory({.source = log_, .epoch = epoch, .known_epoch = known},
                                             WriteDown(answer));
    harness_.Run();
    EXPECT_EQ(answer->calls, 1);
    return std::move(answer->value);
  }
  std::pair<LeaderEpoch, Offset> EndOf(LeaderEpoch epoch) {
    const HistoryOutcome history = Find(epoch);
    EXPECT_TRUE(history.status.ok()) << history.status;
    if (!history.last_epoch) return {kNoEpoch, Offset(-1)};
    return {history.last_epoch->epoch, history.last_epoch->end};
  }

  BrokerHarness harness_;
  TopicPartition log_;
  LeaderEpoch first_;
  LeaderEpoch second_;
  LeaderEpoch third_;
};

TEST_F(HistoryTest, AnEpochThatIsNewerThanTheLeadersHasNoEnd) {
  EXPECT_FALSE(Find(LeaderEpoch(third_.value() + 1)).last_epoch.has_value());
  EXPECT_FALSE(Find(kNoEpoch).last_epoch.has_value());
}

TEST_F(HistoryTest, AnEpochEndsWhereTheNextBegins) {
  EXPECT_EQ(EndOf(first_), std::pair(first_, Offset(2)));
  EXPECT_EQ(EndOf(second_), std::pair(second_, Offset(5)));
}

TEST_F(HistoryTest, TheLeadersEpochEndsWhereTheLogDoes) {
  EXPECT_EQ(EndOf(third_), std::pair(third_, Offset(6)));
  harness_.Append(log_, {.values = {"not committed yet"}});
  harness_.RunWithoutFlush();
  const auto answer = std::make_shared<Answer<HistoryOutcome>>();
  harness_.broker().messages().FindHistory({.source = log_, .epoch = third_}, WriteDown(answer));
  harness_.RunWithoutFlush();
  EXPECT_EQ(answer->value.last_epoch->end, Offset(7));
  EXPECT_EQ(answer->value.epoch_end, Offset(6));
}

// A leader takes its epoch with its first append.
TEST_F(HistoryTest, AfterARestartTheLastEpochEndsWhereTheLogDoes) {
  Restart();
  EXPECT_EQ(EndOf(third_), std::pair(third_, Offset(6)));
  EXPECT_EQ(EndOf(second_), std::pair(second_, Offset(5)));
  EXPECT_FALSE(Find(LeaderEpoch(third_.value() + 1)).last_epoch.has_value());
}

// A leader that is lost before its first record is on the disk leaves a gap.
TEST_F(HistoryTest, AnEpochThatWroteNothingEndsAsTheOneBeforeIt) {
  Restart();
  harness_.Append(log_, {.values = {"lost"}});
  harness_.RunWithoutFlush();
  harness_.Kill();
  harness_.Start();
  const LeaderEpoch silent = harness_.EpochInStore(log_);
  ASSERT_LT(third_, silent);
  harness_.AppendNow(log_, {.values = {"6"}});
  const LeaderEpoch last = harness_.EpochInStore(log_);
  ASSERT_LT(silent, last);
  EXPECT_EQ(EndOf(silent), std::pair(third_, Offset(6)));
  EXPECT_EQ(EndOf(last), std::pair(last, Offset(7)));
}

TEST_F(HistoryTest, EpochsOfRecordsThatWereDeletedAreStillKnown) {
  const auto deleted = std::make_shared<Answer<DeletionOutcome>>();
  harness_.broker().messages().DeleteRecords({.target = log_, .before = Offset(4)},
                                             WriteDown(deleted));
  harness_.Run();
  ASSERT_TRUE(deleted->value.status.ok()) << deleted->value.status;
  const HistoryOutcome history = Find(first_);
  EXPECT_EQ(history.log_start, Offset(4));
  ASSERT_TRUE(history.last_epoch.has_value());
  EXPECT_EQ(history.last_epoch->epoch, first_);
  EXPECT_EQ(history.last_epoch->end, Offset(2));
  EXPECT_EQ(EndOf(second_), std::pair(second_, Offset(5)));
  EXPECT_EQ(EndOf(third_), std::pair(third_, Offset(6)));
}

TEST_F(HistoryTest, AnEpochBeforeAllEndsWhereTheFirstBegan) {
  const LeaderEpoch before(first_.value() - 1);
  EXPECT_EQ(EndOf(before), std::pair(before, Offset(0)));
}

TEST_F(HistoryTest, WhoeverKnowsAnotherLeaderIsTold) {
  EXPECT_EQ(ReasonOf(Find(first_, second_).status), Reason::kFencedEpoch);
  EXPECT_EQ(ReasonOf(Find(first_, LeaderEpoch(third_.value() + 1)).status), Reason::kUnknownEpoch);
  EXPECT_TRUE(Find(first_, third_).status.ok());
}

// A leader that has not appended yet is known by its epoch, which the log does not have.
TEST_F(HistoryTest, ALogThatNobodyWroteEndsAtItsStart) {
  log_ = {.topic_id = harness_.CreateTopic("empty", 1), .partition = PartitionId(0)};
  const LeaderEpoch leader = harness_.EpochInStore(log_);
  EXPECT_EQ(EndOf(leader), std::pair(leader, Offset(0)));
}

}  // namespace
}  // namespace talosmq::broker
