#include "client/fetch_core.h"

#include "client/fetched_queue.h"
#include "support/manual_clock.h"
#include "support/manual_executor.h"
#include "talosmq/error.h"

#include "unit/client/scripted_transport.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace talosmq::client {
namespace {

using ::testing::HasSubstr;

class NoRandom final : public base::Random {
 public:
  uint64_t Next() override { return 0; }
};

constexpr int64_t kPrefetchBytes = 8 << 20;

/// A consumer's core over two partitions on one thread, with the test as the cluster.
class FetchCoreTest : public ::testing::Test {
 protected:
  FetchCoreTest() {
    auto transport = std::make_unique<ScriptedTransport>();
    net_ = transport.get();
    net_->topics["events"] = {ScriptedTransport::IdOf(1), {{0, 4}, {0, 4}}};
    core_ = std::make_unique<ClientCore>(
        ClientOptions{.server = "seed:1"}, std::move(transport),
        ClientCore::Deps{.executor = executor_, .clock = clock_, .random = random_});
  }
  ~FetchCoreTest() override {
    if (fetcher_ != nullptr) fetcher_->Close();
    fetcher_ = nullptr;
    executor_.DropAll();
  }

  void Start(OutOfRangePolicy policy = OutOfRangePolicy::kFail,
             OnCorrupt on_corrupt = OnCorrupt::kFail) {
    core_->metadata().FindByName("events", [&](absl::StatusOr<TopicImagePtr> image) {
      fetcher_ = std::make_shared<FetchCore>(
          *core_,
          ConsumerOptions{
              .prefetch_bytes = kPrefetchBytes,
              .out_of_range = policy,
              .on_corrupt = on_corrupt,
              .on_partitions_added = [this](int32_t count) { told_counts_.push_back(count); },
              .on_topic_deleted =
                  [this](const absl::Status& why) { told_ends_.push_back(ReasonOf(why)); }},
          *std::move(image), queue_);
      fetcher_->Start();
    });
    Run();
    net_->calls.clear();
  }
  void Run() { executor_.RunUntilIdle(); }
  void Advance(absl::Duration by) {
    clock_.Advance(by);
    Run();
  }
  void Wish(int32_t partition, int64_t offset) {
    fetcher_->Seek({.partition = PartitionId(partition),
                    .offset = Offset(offset),
                    .generation = ++last_generation_});
    Run();
  }
  ScriptedFetchStream::End& stream() { return net_->fetch(); }
  FetchSubscription LastSubscription() { return stream().subscriptions().back(); }
  void SendRecords(uint64_t subscription, int64_t next_offset, size_t bytes = 100) {
    stream().Send({.subscription_id = subscription,
                   .status = absl::OkStatus(),
                   .high_watermark = Offset(1000),
                   .next_offset = Offset(next_offset),
                   .records = base::Buffer::Allocate(bytes)});
    Run();
  }
  std::optional<FetchedChunk> TakeChunk() { return queue_->Take(absl::ZeroDuration()); }

  support::ManualClock clock_;
  support::ManualExecutor executor_{clock_};
  NoRandom random_;
  ScriptedTransport* net_ = nullptr;
  std::unique_ptr<ClientCore> core_;
  const std::shared_ptr<FetchedQueue> queue_ = std::make_shared<FetchedQueue>();
  std::shared_ptr<FetchCore> fetcher_;
  std::vector<int32_t> told_counts_;
  std::vector<Reason> told_ends_;
  uint64_t last_generation_ = 0;
};

TEST_F(FetchCoreTest, ClosingEndsTheStreams) {
  Start();
  Wish(0, 10);
  ASSERT_EQ(net_->fetch_streams.size(), 1);
  fetcher_->Close();
  EXPECT_TRUE(net_->fetch().is_cancelled);
}

TEST_F(FetchCoreTest, PartitionsOfOneBrokerShareAStreamAndItsCredit) {
  Start();
  Wish(0, 5);
  Wish(1, 6);
  ASSERT_EQ(net_->fetch_streams.size(), 1u);
  EXPECT_EQ(stream().credit_bytes(), kPrefetchBytes);
  ASSERT_EQ(stream().subscriptions().size(), 2u);
  EXPECT_EQ(stream().subscriptions()[0].offset, Offset(5));
  EXPECT_EQ(stream().subscriptions()[0].known_epoch, LeaderEpoch(4));
  EXPECT_EQ(stream().subscriptions()[1].source.partition, PartitionId(1));
}

TEST_F(FetchCoreTest, AfterABreakItGoesOnBehindTheLastChunk) {
  Start();
  Wish(0, 0);
  SendRecords(LastSubscription().id, 42);
  stream().Break();
  Run();
  Advance(absl::Seconds(1));
  ASSERT_EQ(net_->fetch_streams.size(), 2u);
  EXPECT_EQ(LastSubscription().offset, Offset(42));
  EXPECT_EQ(TakeChunk()->next_offset, Offset(42));
}

TEST_F(FetchCoreTest, WhatLiesInTheQueueIsNotGivenAsCreditAgain) {
  Start();
  Wish(0, 0);
  SendRecords(LastSubscription().id, 1, 3 << 20);
  stream().Break();
  Run();
  Advance(absl::Seconds(1));
  EXPECT_EQ(stream().credit_bytes(), kPrefetchBytes - (3 << 20));
}

TEST_F(FetchCoreTest, CreditIsReturnedOnceItIsWorthAMessage) {
  Start();
  Wish(0, 0);
  fetcher_->ReturnCredit(PartitionId(0), 1000);
  Run();
  EXPECT_EQ(stream().credit_bytes(), kPrefetchBytes);
  fetcher_->ReturnCredit(PartitionId(0), 2 << 20);
  Run();
  EXPECT_EQ(stream().credit_bytes(), kPrefetchBytes + (2 << 20) + 1000);
}

TEST_F(FetchCoreTest, DataOfAnOldSubscriptionIsDroppedAndItsCreditReturned) {
  Start();
  Wish(0, 0);
  const uint64_t old = LastSubscription().id;
  Wish(0, 500);
  EXPECT_EQ(stream().commands.back().unsubscribe, std::vector<uint64_t>{old});
  SendRecords(old, 10, 4 << 20);
  EXPECT_FALSE(TakeChunk().has_value());
  EXPECT_EQ(stream().credit_bytes(), kPrefetchBytes + (4 << 20));
}

TEST_F(FetchCoreTest, CreditOfAPartitionThatIsReadNoMoreIsReturnedToo) {
  Start();
  Wish(0, 0);
  SendRecords(LastSubscription().id, 10, kPrefetchBytes);
  fetcher_->Assign({{.partition = PartitionId(1), .offset = Offset(3), .generation = 9}});
  Run();
  ASSERT_TRUE(TakeChunk().has_value());
  fetcher_->ReturnCredit(PartitionId(0), kPrefetchBytes);
  Run();
  EXPECT_EQ(stream().credit_bytes(), 2 * kPrefetchBytes);
}

TEST_F(FetchCoreTest, ANewLeaderIsFollowed) {
  Start();
  Wish(0, 7);
  net_->brokers[1] = "other:1";
  net_->topics["events"].leaders[0] = {1, 5};
  stream().Fail(LastSubscription().id, Reason::kNotLeader);
  Run();
  Advance(absl::Seconds(1));
  EXPECT_EQ(stream().address, "other:1");
  EXPECT_EQ(LastSubscription().offset, Offset(7));
  EXPECT_EQ(LastSubscription().known_epoch, LeaderEpoch(5));
}

TEST_F(FetchCoreTest, OutOfRangeStopsThePartitionAndIsTold) {
  Start();
  Wish(0, 7);
  stream().Fail(LastSubscription().id, Reason::kOffsetOutOfRange);
  Run();
  const auto chunk = TakeChunk();
  EXPECT_EQ(ReasonOf(chunk->status), Reason::kOffsetOutOfRange);
  EXPECT_THAT(std::string(chunk->status.message()),
              ::testing::AllOf(HasSubstr("partition 0"), HasSubstr("offset 7")));
  Advance(absl::Minutes(1));
  EXPECT_EQ(stream().subscriptions().size(), 1u);
  Wish(0, 8);
  EXPECT_EQ(LastSubscription().offset, Offset(8));
}

TEST_F(FetchCoreTest, DamageStopsThePartitionAndIsToldWithItsOffsets) {
  Start();
  Wish(0, 7);
  const CorruptRange damage{.first = Offset(6), .next = Offset(9)};
  stream().Refuse(LastSubscription().id, MakeCorruptData("0.log: damaged", damage));
  Run();
  const auto chunk = TakeChunk();
  EXPECT_EQ(CorruptRangeOf(chunk->status), damage);
  Advance(absl::Minutes(1));
  EXPECT_EQ(stream().subscriptions().size(), 1u);
}

TEST_F(FetchCoreTest, DamageMayBeSkippedAndIsTold) {
  Start(OutOfRangePolicy::kFail, OnCorrupt::kSkip);
  Wish(0, 7);
  stream().Refuse(LastSubscription().id,
                  MakeCorruptData("0.log: damaged", {.first = Offset(6), .next = Offset(9)}));
  Run();
  EXPECT_EQ(LastSubscription().offset, Offset(9));
  const auto chunk = TakeChunk();
  ASSERT_EQ(chunk->skipped.size(), 1u);
  EXPECT_EQ(chunk->skipped[0].first, Offset(7)) << "what lies before was read already";
  EXPECT_EQ(chunk->skipped[0].next, Offset(9));
  EXPECT_EQ(ReasonOf(chunk->skipped[0].why), Reason::kCorruptData);
  EXPECT_TRUE(chunk->status.ok());
  EXPECT_EQ(chunk->next_offset, Offset(9));
  EXPECT_EQ(chunk->high_watermark, Offset(1000));
  SendRecords(LastSubscription().id, 12);
  EXPECT_EQ(TakeChunk()->next_offset, Offset(12));
}

TEST_F(FetchCoreTest, DamageThatDoesNotSayWhereItEndsStopsThePartition) {
  Start(OutOfRangePolicy::kFail, OnCorrupt::kSkip);
  Wish(0, 7);
  Wish(1, 7);
  stream().Refuse(stream().subscriptions()[0].id, MakeError(Reason::kCorruptData, "somewhere"));
  stream().Refuse(stream().subscriptions()[1].id,
                  MakeCorruptData("0.log", {.first = Offset(3), .next = Offset(7)}));
  Run();
  EXPECT_EQ(ReasonOf(TakeChunk()->status), Reason::kCorruptData);
  EXPECT_EQ(ReasonOf(TakeChunk()->status), Reason::kCorruptData);
  Advance(absl::Minutes(1));
  EXPECT_EQ(stream().subscriptions().size(), 2u);
}

TEST_F(FetchCoreTest, OutOfRangeMayMoveToTheStart) {
  Start(OutOfRangePolicy::kStart);
  net_->log_start = 300;
  Wish(0, 7);
  stream().Fail(LastSubscription().id, Reason::kOffsetOutOfRange);
  Run();
  EXPECT_EQ(LastSubscription().offset, Offset(300));
  EXPECT_EQ(TakeChunk()->moved_to, Offset(300));
}

TEST_F(FetchCoreTest, OutOfRangeMayMoveBackToTheEnd) {
  Start(OutOfRangePolicy::kEnd);
  net_->log_end = 10;
  Wish(0, 7000);
  stream().Fail(LastSubscription().id, Reason::kOffsetOutOfRange);
  Run();
  EXPECT_EQ(LastSubscription().offset, Offset(10));
  EXPECT_EQ(TakeChunk()->moved_to, Offset(10));
}

TEST_F(FetchCoreTest, ADeletedTopicStopsItsPartitions) {
  Start();
  Wish(0, 7);
  net_->topics.clear();
  stream().Fail(LastSubscription().id, Reason::kUnknownTopicId);
  Run();
  Advance(absl::Seconds(1));
  EXPECT_EQ(ReasonOf(TakeChunk()->status), Reason::kUnknownTopicId);
}

TEST_F(FetchCoreTest, ATopicThatIsBeingDeletedStopsItsPartitionsForTheSameReason) {
  Start();
  Wish(0, 7);
  net_->topics.clear();
  stream().Fail(LastSubscription().id, Reason::kTopicDeleting);
  Run();
  Advance(absl::Seconds(1));
  EXPECT_EQ(ReasonOf(TakeChunk()->status), Reason::kUnknownTopicId);
}

TEST_F(FetchCoreTest, TheEndOfTheTopicIsToldOnceAndOnceForEachPartition) {
  Start();
  Wish(0, 7);
  Wish(1, 8);
  net_->topics.clear();
  stream().Fail(stream().subscriptions()[0].id, Reason::kUnknownTopicId);
  stream().Fail(stream().subscriptions()[1].id, Reason::kUnknownTopicId);
  Run();
  Advance(absl::Seconds(1));
  Advance(absl::Minutes(1));
  for (int32_t partition = 0; partition < 2; ++partition) {
    const auto chunk = TakeChunk();
    ASSERT_TRUE(chunk.has_value());
    EXPECT_EQ(chunk->partition, PartitionId(partition));
    EXPECT_EQ(ReasonOf(chunk->status), Reason::kUnknownTopicId);
  }
  EXPECT_FALSE(TakeChunk().has_value());
  EXPECT_EQ(told_ends_, std::vector<Reason>{Reason::kUnknownTopicId});
}

TEST_F(FetchCoreTest, ATopicOfTheSameNameIsAnotherOne) {
  Start();
  Wish(0, 7);
  net_->topics["events"].id = ScriptedTransport::IdOf(2);
  Advance(absl::Seconds(30));
  EXPECT_EQ(ReasonOf(TakeChunk()->status), Reason::kUnknownTopicId);
  Wish(0, 0);
  EXPECT_EQ(ReasonOf(TakeChunk()->status), Reason::kUnknownTopicId);
  EXPECT_EQ(stream().subscriptions().size(), 1u) << "nothing of the new topic is asked for";
  EXPECT_EQ(told_ends_.size(), 1u);
}

TEST_F(FetchCoreTest, AddedPartitionsAreToldWithinTheMetadatasAge) {
  Start();
  net_->topics["events"].leaders = {{0, 4}, {0, 4}, {0, 1}};
  Advance(absl::Seconds(29));
  EXPECT_EQ(fetcher_->partition_count(), 2);
  Advance(absl::Seconds(1));
  EXPECT_EQ(fetcher_->partition_count(), 3);
  Advance(absl::Minutes(5));
  EXPECT_EQ(told_counts_, std::vector<int32_t>{3});
  Wish(2, 0);
  EXPECT_EQ(LastSubscription().source.partition, PartitionId(2));
}

TEST_F(FetchCoreTest, NothingIsToldOnceItIsClosed) {
  Start();
  fetcher_->Close();
  net_->topics.clear();
  Advance(absl::Minutes(1));
  EXPECT_TRUE(told_ends_.empty());
  EXPECT_EQ(net_->CountCalls("/talosmq.v1.TopicService/GetMetadata"), 0);
}

TEST_F(FetchCoreTest, ARemovedPartitionIsFetchedNoMore) {
  Start();
  Wish(0, 7);
  const uint64_t removed = LastSubscription().id;
  fetcher_->Remove(PartitionId(0));
  Run();
  EXPECT_EQ(stream().commands.back().unsubscribe, std::vector<uint64_t>{removed});
  SendRecords(removed, 10);
  stream().Break();
  Run();
  Advance(absl::Seconds(1));
  EXPECT_FALSE(TakeChunk().has_value());
  EXPECT_EQ(net_->fetch_streams.size(), 1u);
}

TEST_F(FetchCoreTest, TransientErrorsAreRetriedWithoutBeingTold) {
  Start();
  Wish(0, 7);
  for (int i = 0; i < 5; ++i) {
    stream().Fail(LastSubscription().id, Reason::kOverloaded);
    Run();
    Advance(absl::Seconds(1));
  }
  EXPECT_EQ(stream().subscriptions().size(), 6u);
  EXPECT_FALSE(TakeChunk().has_value());
}

TEST_F(FetchCoreTest, AServerThatHangsDoesNotEndAPartition) {
  Start();
  Wish(0, 7);
  net_->refusals["/talosmq.v1.TopicService/GetMetadata"] = {Reason::kDeadlineExceeded};
  stream().Fail(LastSubscription().id, Reason::kUnknownTopicId);
  Run();
  Advance(absl::Seconds(1));
  Advance(absl::Seconds(1));
  EXPECT_FALSE(TakeChunk().has_value());
  EXPECT_EQ(stream().subscriptions().size(), 2u);
}

TEST_F(FetchCoreTest, AHaltedPartitionStaysSoAcrossReconnects) {
  Start();
  Wish(0, 0);
  Wish(1, 0);
  fetcher_->Halt(PartitionId(0), 1);
  Run();
  stream().Break();
  Run();
  Advance(absl::Seconds(1));
  ASSERT_EQ(stream().subscriptions().size(), 1u);
  EXPECT_EQ(LastSubscription().source.partition, PartitionId(1));
}

TEST_F(FetchCoreTest, ARetryThatWasPendingDoesNotWakeAHaltedPartition) {
  Start();
  Wish(0, 0);
  stream().Fail(LastSubscription().id, Reason::kOverloaded);
  Run();
  fetcher_->Halt(PartitionId(0), 1);
  Advance(absl::Seconds(1));
  EXPECT_EQ(stream().subscriptions().size(), 1u);
}

TEST_F(FetchCoreTest, AnAssignmentReplacesTheOneBefore) {
  Start();
  Wish(0, 0);
  fetcher_->Assign({{.partition = PartitionId(1), .offset = Offset(3), .generation = 9}});
  Run();
  EXPECT_EQ(stream().commands.back().unsubscribe.size(), 1u);
  EXPECT_EQ(LastSubscription().source.partition, PartitionId(1));
}

}  // namespace
}  // namespace talosmq::client
