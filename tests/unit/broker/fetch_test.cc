#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/broker/broker_harness.h"

#include <string>
#include <utility>
#include <vector>

namespace talosmq::broker {
namespace {

class FetchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    harness_.Start();
    source_ = {.topic_id = harness_.CreateTopic("orders", 1), .partition = PartitionId(0)};
  }

  BrokerHarness harness_;
  TopicPartition source_;
};

TEST_F(FetchTest, NothingAboveTheHighWatermarkIsRead) {
  harness_.AppendNow(source_, {.values = {"committed"}});
  harness_.Append(source_, {.values = {"not yet"}});
  harness_.RunWithoutFlush();
  const auto from_start = harness_.Fetch(source_, 0);
  const auto at_end = harness_.Fetch(source_, 1);
  harness_.RunWithoutFlush();
  ASSERT_EQ(from_start->calls, 1);
  EXPECT_EQ(RecordsIn(from_start->value.chunks, Offset(0)).size(), 1u);
  EXPECT_EQ(from_start->value.high_watermark, Offset(1));
  ASSERT_EQ(at_end->calls, 1);
  EXPECT_TRUE(at_end->value.status.ok()) << at_end->value.status;
  EXPECT_TRUE(at_end->value.chunks.empty());
  EXPECT_EQ(at_end->value.next_offset, Offset(1));
}

TEST_F(FetchTest, AWaitingFetchIsAnsweredByTheCommitAndNotByTheAppend) {
  harness_.AppendNow(source_, {.values = {"a"}});
  const auto fetch = harness_.Fetch(source_, 1, absl::Seconds(30));
  harness_.Append(source_, {.values = {"b"}});
  harness_.RunWithoutFlush();
  EXPECT_EQ(fetch->calls, 0);
  harness_.Run();
  ASSERT_EQ(fetch->calls, 1);
  const auto records = RecordsIn(fetch->value.chunks, Offset(1));
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records.front().value, "b");
  harness_.Advance(absl::Minutes(1));
  EXPECT_EQ(fetch->calls, 1);
}

TEST_F(FetchTest, AWaitThatIsOverIsAnsweredWithNothing) {
  const auto fetch = harness_.Fetch(source_, 0, absl::Milliseconds(500));
  harness_.Run();
  harness_.Advance(absl::Milliseconds(499));
  EXPECT_EQ(fetch->calls, 0);
  harness_.Advance(absl::Milliseconds(1));
  ASSERT_EQ(fetch->calls, 1);
  EXPECT_TRUE(fetch->value.status.ok());
  EXPECT_TRUE(fetch->value.chunks.empty());
  EXPECT_EQ(fetch->value.next_offset, Offset(0));
}

TEST_F(FetchTest, ACancelledFetchIsAnsweredOnceAndOtherTicketsAreIgnored) {
  FetchRequest request;
  request.source = source_;
  request.bytes_max = 1000;
  request.wait_until = harness_.clock().Monotonic() + absl::Seconds(30);
  FetchTicket ticket{};
  const auto fetch = harness_.Fetch(request, &ticket);
  harness_.broker().messages().CancelFetches({{source_, FetchTicket{99}}});
  harness_.Run();
  EXPECT_EQ(fetch->calls, 0);
  harness_.broker().messages().CancelFetches({{source_, ticket}});
  harness_.broker().messages().CancelFetches({{source_, ticket}});
  harness_.Run();
  EXPECT_EQ(fetch->calls, 1);
  EXPECT_EQ(ReasonOf(fetch->value.status), Reason::kCancelled);
  harness_.Advance(absl::Minutes(1));
  EXPECT_EQ(fetch->calls, 1);
}

TEST_F(FetchTest, ManyFetchesAndTheirCancellationsTakeOnePlaceInTheQueueOfAShard) {
  const absl::Duration until = harness_.clock().Monotonic() + absl::Seconds(30);
  const TopicPartition unknown{.topic_id = source_.topic_id, .partition = PartitionId(7)};
  std::vector<FetchRequest> requests(
      3, {.source = source_, .offset = Offset(0), .bytes_max = 1, .wait_until = until});
  requests[1].source = unknown;
  std::vector<AnswerPtr<FetchOutcome>> answers;
  for (size_t i = 0; i < requests.size(); ++i) {
    answers.push_back(std::make_shared<Answer<FetchOutcome>>());
  }
  const auto write_down = [&answers](size_t index, FetchOutcome outcome) {
    WriteDown<FetchOutcome>(answers[index])(std::move(outcome));
  };
  harness_.shard().set_queue_tasks_max(2);

  const std::vector<FetchTicket> tickets =
      harness_.broker().messages().FetchAll(requests, write_down);
  const auto other = harness_.FindOffset(source_, FromEnd{});
  harness_.Run();
  ASSERT_EQ(tickets.size(), requests.size());
  EXPECT_TRUE(other->value.status.ok()) << other->value.status;
  EXPECT_EQ(answers[0]->calls + answers[2]->calls, 0);
  ASSERT_EQ(answers[1]->calls, 1);
  EXPECT_EQ(ReasonOf(answers[1]->value.status), Reason::kUnknownPartition);

  harness_.broker().messages().CancelFetches(
      {{source_, tickets[0]}, {unknown, tickets[1]}, {source_, tickets[2]}});
  const auto another = harness_.FindOffset(source_, FromEnd{});
  harness_.Run();
  EXPECT_TRUE(another->value.status.ok()) << another->value.status;
  for (const size_t index : {size_t{0}, size_t{2}}) {
    EXPECT_EQ(answers[index]->calls, 1);
    EXPECT_EQ(ReasonOf(answers[index]->value.status), Reason::kCancelled);
  }

  harness_.shard().set_queue_tasks_max(0);
  harness_.broker().messages().FetchAll({requests[0]}, write_down);
  EXPECT_EQ(answers[0]->calls, 2);
  EXPECT_EQ(ReasonOf(answers[0]->value.status), Reason::kOverloaded);
}

TEST_F(FetchTest, AFetchMayBeCancelledWhileTheLogOpens) {
  harness_.AppendNow(source_, {.values = {"a"}});
  harness_.Stop();
  harness_.Start();
  FetchRequest request;
  request.source = source_;
  request.offset = Offset(1);
  request.wait_until = harness_.clock().Monotonic() + absl::Seconds(30);
  FetchTicket ticket{};
  const auto fetch = harness_.Fetch(request, &ticket);
  harness_.broker().messages().CancelFetches({{source_, ticket}});
  harness_.Run();
  EXPECT_EQ(fetch->calls, 1);
  EXPECT_EQ(ReasonOf(fetch->value.status), Reason::kCancelled);
}

TEST_F(FetchTest, AnOffsetOutsideOfTheLogIsNamedWithTheRange) {
  harness_.AppendNow(source_, {.values = {"a", "b"}});
  for (const int64_t offset : {-1, 3}) {
    const auto fetch = harness_.Fetch(source_, offset, absl::Seconds(1));
    harness_.Run();
    ASSERT_EQ(fetch->calls, 1);
    EXPECT_EQ(ReasonOf(fetch->value.status), Reason::kOffsetOutOfRange);
    EXPECT_THAT(std::string(fetch->value.status.message()), ::testing::HasSubstr("[0, 2]"));
    EXPECT_EQ(fetch->value.high_watermark, Offset(2));
  }
}

TEST_F(FetchTest, EpochsOtherThanTheLeadersAreRefused) {
  harness_.AppendNow(source_, {.values = {"a"}});
  FetchRequest request;
  request.source = source_;
  request.bytes_max = 1000;
  request.known_epoch = LeaderEpoch(0);
  const auto older = harness_.Fetch(request, nullptr);
  request.known_epoch = LeaderEpoch(2);
  const auto newer = harness_.Fetch(request, nullptr);
  harness_.Run();
  EXPECT_EQ(ReasonOf(older->value.status), Reason::kFencedEpoch);
  EXPECT_EQ(older->value.epoch, LeaderEpoch(1));
  EXPECT_EQ(ReasonOf(newer->value.status), Reason::kUnknownEpoch);
}

TEST_F(FetchTest, MoreWaitersThanTheBoundAreRefused) {
  harness_.Stop();
  harness_.options().partition.waiting_fetches_max = 2;
  harness_.Start();
  std::vector<AnswerPtr<FetchOutcome>> fetches;
  for (int i = 0; i < 3; ++i) {
    fetches.push_back(harness_.Fetch(source_, 0, absl::Seconds(30)));
    harness_.Run();
  }
  EXPECT_EQ(fetches[0]->calls, 0);
  EXPECT_EQ(fetches[1]->calls, 0);
  EXPECT_EQ(ReasonOf(fetches[2]->value.status), Reason::kOverloaded);
}

TEST_F(FetchTest, AfterAStartTheHighWatermarkIsTheRecoveredEnd) {
  harness_.AppendNow(source_, {.values = {"a", "b"}});
  harness_.CutPower(support::PowerCut::DropUnsynced());
  harness_.Start();
  const FetchOutcome fetched = harness_.FetchNow(source_, 0);
  EXPECT_EQ(fetched.high_watermark, Offset(2));
  EXPECT_EQ(RecordsIn(fetched.chunks, Offset(0)).size(), 2u);
}

TEST_F(FetchTest, OffsetsByStartEndAndTime) {
  harness_.AppendNow(source_, {.values = {"a"}, .timestamp_ms = 1'000});
  harness_.AppendNow(source_, {.values = {"b"}, .timestamp_ms = 2'000});
  harness_.Append(source_, {.values = {"c"}, .timestamp_ms = 3'000});
  harness_.RunWithoutFlush();
  const auto start = harness_.FindOffset(source_, FromStart{});
  const auto end = harness_.FindOffset(source_, FromEnd{});
  const auto time = harness_.FindOffset(source_, absl::FromUnixMillis(1'500));
  const auto uncommitted = harness_.FindOffset(source_, absl::FromUnixMillis(2'500));
  harness_.RunWithoutFlush();
  EXPECT_EQ(start->value.offset, Offset(0));
  EXPECT_EQ(end->value.offset, Offset(2));
  EXPECT_EQ(end->value.log_end, Offset(3));
  EXPECT_EQ(time->value.offset, Offset(1));
  EXPECT_EQ(uncommitted->value.offset, Offset(2));
}

// What was committed during the search made "none" look like an offset that was found.
TEST_F(FetchTest, TimeBehindAllRecordsStaysNoneWhenOneIsCommittedMeanwhile) {
  harness_.AppendNow(source_, {.values = {"a"}, .timestamp_ms = 1'000});
  const auto found = harness_.FindOffset(source_, absl::FromUnixMillis(9'000));
  const auto appended = harness_.Append(source_, {.values = {"b"}, .timestamp_ms = 2'000});
  harness_.Run();
  ASSERT_EQ(found->value.log_end, Offset(2)) << "the append did not come in between";
  EXPECT_EQ(found->value.offset, Offset(1));
  EXPECT_EQ(found->value.high_watermark, Offset(1));
}

TEST_F(FetchTest, AReaderOfAnEmptyPartitionWaitsAndFilesDoNotAppear) {
  const uint64_t changes = harness_.disk().changes();
  const auto fetch = harness_.Fetch(source_, 0, absl::Seconds(1));
  harness_.Run();
  EXPECT_EQ(fetch->calls, 0);
  EXPECT_EQ(harness_.disk().changes(), changes);
}

}  // namespace
}  // namespace talosmq::broker
