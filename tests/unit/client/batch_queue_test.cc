#include "client/batch_queue.h"

#include "support/manual_clock.h"
#include "talosmq/error.h"

#include <gtest/gtest.h>

#include <thread>
#include <utility>

namespace talosmq::client {
namespace {

using Verdict = BatchQueue::Verdict;
using TakeOpen = BatchQueue::TakeOpen;
using Opening = BatchQueue::Opening;

class BatchQueueTest : public ::testing::Test {
 protected:
  void Start(const BatchQueue::Options& options) {
    queue_.emplace(options,
                   BatchQueue::Deps{.budget = budget_, .flushes = flushes_, .clock = clock_});
  }
  BatchQueue::Appended Append(std::string_view value, uint64_t tag = 0,
                              Opening opening = Opening::kAllowed) {
    const record::RecordInput input{.value = value};
    return queue_->Append(input, std::nullopt, record::BatchBuilder::EncodedBytesMax(input), tag,
                          opening);
  }
  static record::BatchHeader HeaderOf(const Batch& batch) {
    EXPECT_TRUE(record::VerifyCrc(batch.bytes.bytes()).ok());
    return *record::ParseHeader(batch.bytes.bytes());
  }
  int64_t Taken() {
    int64_t room = 0;
    while (budget_->TryTake(1)) ++room;
    budget_->Give(room);
    return kBudgetBytes - room;
  }

  static constexpr int64_t kBudgetBytes = 64 << 10;
  support::ManualClock clock_;
  const std::shared_ptr<BufferBudget> budget_ = std::make_shared<BufferBudget>(kBudgetBytes);
  FlushTracker flushes_;
  std::optional<BatchQueue> queue_;
};

TEST_F(BatchQueueTest, TheSenderIsWokenOnceUntilItLooks) {
  Start({.batch_bytes = 1 << 20});
  EXPECT_TRUE(Append("a").wake_sender);
  EXPECT_FALSE(Append("b").wake_sender);
  queue_->AckWake();
  ASSERT_NE(queue_->Take(TakeOpen::kWhenDue), nullptr);
  EXPECT_TRUE(Append("c").wake_sender);
}

TEST_F(BatchQueueTest, ABatchEndsByBytes) {
  Start({.batch_bytes = 1024});
  const std::string value(600, 'x');
  Append(value, 1);
  queue_->AckWake();
  EXPECT_TRUE(Append(value, 2).wake_sender);
  const auto first = queue_->Take(TakeOpen::kWhenDue);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->tags, std::vector<uint64_t>{1});
  EXPECT_EQ(HeaderOf(*first).count, 1);
  EXPECT_EQ(queue_->Take(TakeOpen::kWhenDue)->tags, std::vector<uint64_t>{2});
}

TEST_F(BatchQueueTest, ABatchEndsByCount) {
  Start({.batch_bytes = 1 << 20, .batch_records = 2});
  for (uint64_t tag = 1; tag <= 3; ++tag) Append("x", tag);
  EXPECT_EQ(queue_->Take(TakeOpen::kWhenDue)->tags, (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(queue_->Take(TakeOpen::kWhenDue)->tags, (std::vector<uint64_t>{3}));
}

TEST_F(BatchQueueTest, ARecordLargerThanABatchTravelsAlone) {
  Start({.batch_bytes = 1024});
  Append("small", 1);
  EXPECT_EQ(Append(std::string(5000, 'x'), 2).verdict, Verdict::kAppended);
  Append("small", 3);
  for (uint64_t tag = 1; tag <= 3; ++tag) {
    EXPECT_EQ(queue_->Take(TakeOpen::kWhenDue)->tags, std::vector<uint64_t>{tag});
  }
}

TEST_F(BatchQueueTest, LingerHoldsTheOpenBatchBackUntilItIsOver) {
  Start({.batch_bytes = 1 << 20, .linger = absl::Milliseconds(5)});
  Append("x");
  EXPECT_EQ(queue_->Take(TakeOpen::kWhenDue), nullptr);
  EXPECT_EQ(queue_->NextDue(), clock_.Monotonic() + absl::Milliseconds(5));
  clock_.Advance(absl::Milliseconds(5));
  EXPECT_NE(queue_->Take(TakeOpen::kWhenDue), nullptr);
}

TEST_F(BatchQueueTest, AFlushCutsLingerShort) {
  Start({.batch_bytes = 1 << 20, .linger = absl::Minutes(1)});
  Append("x");
  bool flushed = false;
  flushes_.Flush([&] { flushed = true; });
  const auto batch = queue_->Take(TakeOpen::kWhenDue);
  ASSERT_NE(batch, nullptr);
  EXPECT_FALSE(flushed);
  flushes_.BatchDone(batch->generation);
  EXPECT_TRUE(flushed);
}

TEST_F(BatchQueueTest, OneWhoNeedsRoomCutsLingerShortOnlyWhenLittleIsUnderWay) {
  Start({.batch_bytes = 1 << 20, .linger = absl::Minutes(1)});
  std::optional<BudgetShare> under_way(std::in_place, budget_);
  ASSERT_TRUE(under_way->TryGrowTo(kBudgetBytes / 2));
  under_way->NoteFull();
  Append("x");
  const auto take_while_one_waits = [&] {
    std::thread waiter([&] { budget_->WaitForRoom(kBudgetBytes, absl::InfiniteDuration()); });
    while (!budget_->has_waiters()) std::this_thread::yield();
    const auto batch = queue_->Take(TakeOpen::kWhenDue);
    if (batch == nullptr) under_way.reset();
    return std::pair(std::move(waiter), batch != nullptr);
  };
  auto [first, is_taken] = take_while_one_waits();
  first.join();  // What was under way has arrived.
  EXPECT_FALSE(is_taken);
  auto [second, is_taken_now] = take_while_one_waits();
  second.join();
  EXPECT_TRUE(is_taken_now);
}

TEST_F(BatchQueueTest, AFullBufferRefusesAndKeepsWhatItHas) {
  Start({.batch_bytes = 1 << 20});
  const std::string value(10'000, 'x');
  int accepted = 0;
  while (Append(value).verdict == Verdict::kAppended) ++accepted;
  EXPECT_GE(accepted, 5);
  EXPECT_EQ(Append(value).verdict, Verdict::kBufferFull);
  auto batch = queue_->Take(TakeOpen::kWhenDue);
  EXPECT_EQ(batch->tags.size(), static_cast<size_t>(accepted));
  EXPECT_EQ(batch->share->bytes(), Taken());
  batch = nullptr;
  EXPECT_EQ(Append(value).verdict, Verdict::kAppended);
}

TEST_F(BatchQueueTest, TheBudgetCountsBytesThatSomebodyStillHolds) {
  Start({.batch_bytes = 1 << 20});
  Append(std::string(10'000, 'x'));
  auto batch = queue_->Take(TakeOpen::kWhenDue);
  base::Buffer held = batch->bytes.Slice(5, 1);
  Restamp(*batch, {.producer_id = ProducerId(1), .producer_epoch = 0, .base_sequence = 0});
  base::Buffer restamped = batch->bytes;
  batch = nullptr;
  held = {};
  EXPECT_GE(Taken(), 10'000);
  restamped = {};
  EXPECT_EQ(Taken(), 0);
}

TEST_F(BatchQueueTest, AJoiningRecordOpensNothing) {
  Start({.batch_bytes = 1 << 20});
  EXPECT_EQ(Append("x", 1, Opening::kRefused).verdict, Verdict::kNoOpenBatch);
  EXPECT_EQ(Taken(), 0);
  Append("x", 2);
  EXPECT_EQ(Append("x", 3, Opening::kRefused).verdict, Verdict::kAppended);
}

TEST_F(BatchQueueTest, AJoinerThatFindsTheBatchFullStillWakesTheSender) {
  Start({.batch_bytes = 1 << 20, .batch_records = 1});
  Append("x", 1);
  queue_->AckWake();
  const BatchQueue::Appended joined = Append("x", 2, Opening::kRefused);
  EXPECT_EQ(joined.verdict, Verdict::kNoOpenBatch);
  EXPECT_TRUE(joined.wake_sender);
}

TEST_F(BatchQueueTest, SequencesArePredictedInOrder) {
  Start({.batch_bytes = 1 << 20, .batch_records = 2});
  queue_->PredictStamp({.producer_id = ProducerId(7), .producer_epoch = 1, .base_sequence = 0});
  for (uint64_t tag = 1; tag <= 3; ++tag) Append("x", tag);
  EXPECT_EQ(HeaderOf(*queue_->Take(TakeOpen::kWhenDue)).base_sequence, 0);
  EXPECT_EQ(HeaderOf(*queue_->Take(TakeOpen::kWhenDue)).base_sequence, 2);
}

TEST_F(BatchQueueTest, WhatIsPutBackComesFirst) {
  Start({.batch_bytes = 1 << 20, .batch_records = 1});
  for (uint64_t tag = 1; tag <= 3; ++tag) Append("x", tag);
  auto first = queue_->Take(TakeOpen::kWhenDue);
  auto second = queue_->Take(TakeOpen::kWhenDue);
  queue_->PutBack(std::move(second));
  queue_->PutBack(std::move(first));
  for (uint64_t tag = 1; tag <= 3; ++tag) {
    EXPECT_EQ(queue_->Take(TakeOpen::kWhenDue)->tags.front(), tag);
  }
}

TEST_F(BatchQueueTest, AClosedQueueRefusesWithItsFirstReason) {
  Start({.batch_bytes = 1 << 20, .linger = absl::Minutes(1)});
  Append("x");
  queue_->Close(MakeError(Reason::kUnknownTopicId, "gone"));
  queue_->Close(MakeError(Reason::kClosed, "closed"));
  EXPECT_EQ(Append("y").verdict, Verdict::kClosed);
  EXPECT_EQ(ReasonOf(queue_->close_status()), Reason::kUnknownTopicId);
  EXPECT_NE(queue_->Take(TakeOpen::kWhenDue), nullptr) << "what is there goes without linger";
}

TEST_F(BatchQueueTest, TimestampsAreGivenOrTheMomentOfSend) {
  Start({.batch_bytes = 1 << 20});
  Append("x");
  clock_.Advance(absl::Milliseconds(7));
  Append("y");
  const record::BatchHeader header = HeaderOf(*queue_->Take(TakeOpen::kWhenDue));
  EXPECT_EQ(header.max_timestamp_ms, absl::ToUnixMillis(clock_.Now()));
  EXPECT_EQ(header.base_timestamp_ms, header.max_timestamp_ms - 7);

  const record::RecordInput input{.value = "z"};
  queue_->Append(input, absl::FromUnixMillis(123), 100, 0, Opening::kAllowed);
  EXPECT_EQ(HeaderOf(*queue_->Take(TakeOpen::kWhenDue)).base_timestamp_ms, 123);
}

TEST_F(BatchQueueTest, CompressedBatchesAreSealedAsSuch) {
  Start({.codec = record::Codec::kZstd, .batch_bytes = 1 << 20});
  Append(std::string(10'000, 'x'));
  const auto batch = queue_->Take(TakeOpen::kWhenDue);
  EXPECT_EQ(HeaderOf(*batch).codec(), record::Codec::kZstd);
  EXPECT_LT(batch->bytes.size(), 1000u);
}

TEST(FlushTrackerTest, AFlushOfNothingIsOverAtOnce) {
  FlushTracker flushes;
  bool flushed = false;
  flushes.Flush([&] { flushed = true; });
  EXPECT_TRUE(flushed);
}

TEST(FlushTrackerTest, AFlushDoesNotWaitForWhatCameLater) {
  FlushTracker flushes;
  const int64_t before = flushes.BatchOpened();
  bool flushed = false;
  flushes.Flush([&] { flushed = true; });
  const int64_t after = flushes.BatchOpened();
  EXPECT_TRUE(flushes.IsAwaited(before));
  EXPECT_FALSE(flushes.IsAwaited(after));
  flushes.BatchDone(before);
  EXPECT_TRUE(flushed);
}

TEST(FlushTrackerTest, OverlappingFlushesEndInOrder) {
  FlushTracker flushes;
  std::vector<int> ended;
  const int64_t first = flushes.BatchOpened();
  flushes.Flush([&] { ended.push_back(1); });
  const int64_t second = flushes.BatchOpened();
  flushes.Flush([&] { ended.push_back(2); });
  flushes.BatchDone(second);
  EXPECT_TRUE(ended.empty()) << "the second flush waits for the first batch, too";
  flushes.BatchDone(first);
  EXPECT_EQ(ended, (std::vector<int>{1, 2}));
}

}  // namespace
}  // namespace talosmq::client
