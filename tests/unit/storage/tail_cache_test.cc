// The bound of the tail cache, and who has to go first.

#include "storage/tail_cache.h"

#include "base/metrics.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"

namespace talosmq::storage {
namespace {

class TailCacheTest : public testing::Test {
 protected:
  static constexpr int64_t kCost = 1000;  ///< Of one batch, overhead included.

  base::Buffer Batch() const {
    return base::Buffer::Allocate(static_cast<size_t>(kCost - TailCache::kBatchOverheadBytes));
  }
  /// The batch of offset `offset` alone.
  absl::Status Add(TailCache::LogTail& log, int64_t offset) const {
    return log.Add(Offset(offset), Offset(offset + 1), Batch());
  }
  bool Holds(const TailCache::LogTail& log, int64_t offset) const {
    return log.Read(Offset(offset), Offset(1000), 1).is_held;
  }

  std::unique_ptr<base::MetricRegistry> metrics_ = base::MakeNullMetricRegistry();
  StorageMetrics storage_metrics_{*metrics_};
  TailCache cache_{3 * kCost, storage_metrics_};
  TailCache::LogTail a_ = cache_.AddLog();
  TailCache::LogTail b_ = cache_.AddLog();
};

TEST_F(TailCacheTest, UnflushedBytesAreNeverEvicted) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Add(a_, i).ok());
  EXPECT_EQ(ReasonOf(Add(b_, 0)), Reason::kOverloaded);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Holds(a_, i)) << i;
  a_.Unpin(Offset(1));
  EXPECT_TRUE(Add(b_, 0).ok());
  EXPECT_FALSE(Holds(a_, 0));
  EXPECT_TRUE(Holds(a_, 1));
}

TEST_F(TailCacheTest, OldestFlushedBatchGoesFirstWhosever) {
  ASSERT_TRUE(Add(b_, 0).ok());
  ASSERT_TRUE(Add(a_, 0).ok());
  ASSERT_TRUE(Add(a_, 1).ok());
  a_.Unpin(Offset(1));
  b_.Unpin(Offset(1));
  a_.Unpin(Offset(2));
  ASSERT_TRUE(Add(a_, 2).ok());
  EXPECT_FALSE(Holds(a_, 0));
  EXPECT_TRUE(Holds(b_, 0));
  ASSERT_TRUE(Add(a_, 3).ok());
  EXPECT_FALSE(Holds(b_, 0));
  EXPECT_TRUE(Holds(a_, 1));
}

TEST_F(TailCacheTest, OneBatchLargerThanTheBoundIsTakenAlone) {
  EXPECT_TRUE(a_.Add(Offset(0), Offset(1), base::Buffer::Allocate(5 * kCost)).ok());
  EXPECT_EQ(ReasonOf(Add(b_, 0)), Reason::kOverloaded);
  a_.Unpin(Offset(1));
  EXPECT_TRUE(Add(b_, 0).ok());
  EXPECT_FALSE(Holds(a_, 0));
}

TEST_F(TailCacheTest, DroppedLogGivesItsRoomBack) {
  {
    TailCache::LogTail gone = cache_.AddLog();
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(Add(gone, i).ok());
    gone.Unpin(Offset(2));
  }
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Add(a_, i).ok());
}

TEST_F(TailCacheTest, FencedLogGivesTheRoomOfItsLostBatchesBack) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Add(a_, i).ok());
  a_.Unpin(Offset(1));
  a_.DropPinned();
  EXPECT_TRUE(Holds(a_, 0));
  EXPECT_TRUE(Add(b_, 0).ok());
  EXPECT_TRUE(Add(b_, 1).ok());
}

TEST_F(TailCacheTest, ReadSharesTheBytesAndEndsAtLimitAndBound) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Add(a_, i).ok());
  EXPECT_EQ(a_.Read(Offset(0), Offset(2), 1 << 20).next_offset, Offset(2));
  EXPECT_EQ(a_.Read(Offset(0), Offset(3), 1).next_offset, Offset(1));
  const auto all = a_.Read(Offset(1), Offset(3), 1 << 20);
  EXPECT_EQ(all.chunks.size(), 2U);
  const auto again = a_.Read(Offset(1), Offset(3), 1 << 20);
  EXPECT_EQ(all.chunks[0].bytes().data(), again.chunks[0].bytes().data());
}

TEST_F(TailCacheTest, WhatWasReadOutlivesItsEviction) {
  ASSERT_TRUE(Add(a_, 0).ok());
  a_.Unpin(Offset(1));
  const auto read = a_.Read(Offset(0), Offset(1), 1 << 20);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Add(b_, i).ok());
  EXPECT_FALSE(Holds(a_, 0));
  EXPECT_EQ(read.chunks[0].size(), Batch().size());
}

}  // namespace
}  // namespace talosmq::storage
