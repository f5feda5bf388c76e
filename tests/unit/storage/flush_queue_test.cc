#include "storage/flush_queue.h"

#include "support/manual_clock.h"
#include "support/manual_executor.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <memory>
#include <string>
#include <vector>

namespace talosmq::storage {
namespace {

using testing::ElementsAre;

class FlushQueueTest : public testing::Test {
 protected:
  std::shared_ptr<LogFiles> Log(int partition) {
    return std::make_shared<LogFiles>(
        TopicPartition{.topic_id = TopicId({1}), .partition = PartitionId(partition)},
        "topics/1/" + std::to_string(partition), shard_);
  }
  void Push(const std::shared_ptr<LogFiles>& log, int64_t end, size_t bytes) {
    queue_.Push({.files = log,
                 .segment = Offset(0),
                 .position = 0,
                 .batch = base::Buffer::Allocate(bytes),
                 .end_offset = Offset(end),
                 .epochs = {},
                 .snapshot = std::nullopt});
  }
  /// As "partition:end offset".
  std::vector<std::string> Take(int64_t bytes_max) {
    std::vector<std::string> taken;
    for (const QueuedBatch& batch : queue_.TakeGroup(bytes_max)) {
      taken.push_back(std::to_string(batch.files->id.partition.value()) + ":" +
                      std::to_string(batch.end_offset.value()));
    }
    return taken;
  }

  static constexpr size_t kTurn = FlushQueue::kTurnBytes;
  support::ManualClock clock_;
  support::ManualExecutor shard_{clock_};
  FlushQueue queue_;
};

TEST_F(FlushQueueTest, NothingWaitsInAnEmptyOne) {
  EXPECT_TRUE(queue_.empty());
  EXPECT_THAT(Take(100), ElementsAre());
}

TEST_F(FlushQueueTest, BytesAreThoseOfTheBatchesThatWait) {
  const auto log = Log(1);
  const auto fenced = Log(2);
  Push(log, 1, 100);
  Push(log, 2, 50);
  Push(fenced, 1, 30);
  EXPECT_EQ(queue_.bytes(), 180);
  Take(100);
  EXPECT_EQ(queue_.bytes(), 80);
  fenced->fence = absl::InternalError("disk");
  Take(1000);
  EXPECT_EQ(queue_.bytes(), 0);
}

TEST_F(FlushQueueTest, SmallBatchIsNotHeldBackByALogWithMuchToWrite) {
  const auto greedy = Log(0);
  const auto modest = Log(1);
  for (int64_t i = 1; i <= 8; ++i) Push(greedy, i, kTurn);
  Push(modest, 1, 100);
  EXPECT_THAT(Take(2 * FlushQueue::kTurnBytes), ElementsAre("0:1", "1:1"));
  EXPECT_THAT(Take(2 * FlushQueue::kTurnBytes), ElementsAre("0:2", "0:3"));
}

TEST_F(FlushQueueTest, LogsKeepTheirOwnOrderAndTakeTurns) {
  const auto a = Log(0);
  const auto b = Log(1);
  for (int64_t i = 1; i <= 3; ++i) Push(a, i, kTurn * 3 / 4);
  for (int64_t i = 1; i <= 3; ++i) Push(b, i, kTurn * 3 / 4);
  EXPECT_THAT(Take(100 * FlushQueue::kTurnBytes),
              ElementsAre("0:1", "1:1", "0:2", "1:2", "0:3", "1:3"));
  EXPECT_TRUE(queue_.empty());
}

TEST_F(FlushQueueTest, LogThatHadNothingWaitingComesFirst) {
  const auto a = Log(0);
  const auto b = Log(1);
  const auto modest = Log(2);
  for (int64_t i = 1; i <= 8; ++i) Push(a, i, kTurn);
  for (int64_t i = 1; i <= 8; ++i) Push(b, i, kTurn);
  EXPECT_THAT(Take(2 * FlushQueue::kTurnBytes), ElementsAre("0:1", "1:1"));
  Push(modest, 1, 100);
  EXPECT_THAT(Take(2 * FlushQueue::kTurnBytes), ElementsAre("2:1", "0:2"));
}

TEST_F(FlushQueueTest, LogsThatAlwaysHaveMoreAreNotStarved) {
  const auto greedy = Log(0);
  for (int64_t i = 1; i <= 8; ++i) Push(greedy, i, kTurn);
  EXPECT_THAT(Take(kTurn), ElementsAre("0:1"));
  std::vector<std::shared_ptr<LogFiles>> logs;
  for (int i = 1; i <= 8; ++i) logs.push_back(Log(i));
  for (size_t i = 0; i < 4; ++i) Push(logs[i], 1, kTurn);
  EXPECT_THAT(Take(4 * FlushQueue::kTurnBytes), ElementsAre("1:1", "2:1", "0:2", "3:1"));
  for (size_t i = 4; i < 8; ++i) Push(logs[i], 1, kTurn);
  EXPECT_THAT(Take(4 * FlushQueue::kTurnBytes), ElementsAre("5:1", "6:1", "4:1", "0:3"));
}

TEST_F(FlushQueueTest, AllThatWaitsIsOneGroupWhenItFits) {
  const auto log = Log(0);
  for (int64_t i = 1; i <= 4; ++i) Push(log, i, 10);
  EXPECT_THAT(Take(40), ElementsAre("0:1", "0:2", "0:3", "0:4"));
}

TEST_F(FlushQueueTest, GroupStaysWithinItsBound) {
  const auto log = Log(0);
  for (int64_t i = 1; i <= 4; ++i) Push(log, i, 10);
  EXPECT_THAT(Take(39), ElementsAre("0:1", "0:2", "0:3"));
  EXPECT_THAT(Take(39), ElementsAre("0:4"));
}

TEST_F(FlushQueueTest, BatchAboveTheBoundGoesAlone) {
  const auto a = Log(0);
  const auto b = Log(1);
  Push(a, 1, 3 * kTurn);
  Push(b, 1, 10);
  EXPECT_THAT(Take(100), ElementsAre("0:1"));
  EXPECT_THAT(Take(100), ElementsAre("1:1"));
}

TEST_F(FlushQueueTest, BatchesOfAFencedLogAreDropped) {
  const auto fenced = Log(0);
  const auto sound = Log(1);
  Push(fenced, 1, 10);
  Push(sound, 1, 10);
  Push(fenced, 2, 10);
  fenced->fence = MakeError(Reason::kStorageFenced, "a write failed");
  EXPECT_THAT(Take(100), ElementsAre("1:1"));
  EXPECT_TRUE(queue_.empty());
}

}  // namespace
}  // namespace talosmq::storage
