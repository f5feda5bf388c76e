// How often a cold reader opens files again.

#include "storage/segment_cache.h"

#include "storage/segment.h"
#include "support/storage_world.h"

#include "gtest/gtest.h"

#include <string>

namespace talosmq::storage {
namespace {

using support::DiskCall;
using support::StorageWorld;

/// Each batch is a run by itself, and every read is a cold one.
class SegmentCacheTest : public testing::Test {
 protected:
  SegmentCacheTest() {
    world_.store_options().tail_cache_bytes_max = 1;
    EXPECT_TRUE(world_.Start().ok());
  }

  void Append(int count) {
    for (int i = 0; i < count; ++i) {
      const auto appended = world_.AppendDurably({.values = {std::string(kRunBytesMin, 'v')}});
      ASSERT_TRUE(appended.ok()) << appended.status();
    }
  }
  void Checkpoint() {
    world_.Advance(absl::Seconds(2));
    world_.Run();
  }
  /// Reads each offset in [begin, end) and tells how many index files that has opened.
  int IndexesOpenedByReading(int64_t begin, int64_t end) {
    int opened = 0;
    world_.disk().SetFaultHook([&](DiskCall call, const std::string& path) {
      opened += call == DiskCall::kOpen && path.ends_with(kIndexSuffix) ? 1 : 0;
      return absl::OkStatus();
    });
    for (int64_t offset = begin; offset < end; ++offset) {
      const auto read = world_.Read(Offset(offset), 1);
      EXPECT_TRUE(read.ok()) << read.status();
      EXPECT_EQ(read.ok() ? read->next_offset : Offset(offset), Offset(offset + 1));
    }
    world_.disk().SetFaultHook(nullptr);
    return opened;
  }

  StorageWorld world_;
};

TEST_F(SegmentCacheTest, IndexOfTheNewestSegmentIsReadOnceForEachCheckpointThatMovedEntriesToIt) {
  Append(4);
  EXPECT_EQ(IndexesOpenedByReading(0, 4), 0) << "all entries are pending";
  Checkpoint();
  EXPECT_EQ(IndexesOpenedByReading(0, 4), 1);
  EXPECT_EQ(IndexesOpenedByReading(0, 4), 0);

  Append(2);
  EXPECT_EQ(IndexesOpenedByReading(0, 6), 0) << "nothing has moved";
  Checkpoint();
  EXPECT_EQ(IndexesOpenedByReading(0, 6), 1);
  Checkpoint();
  EXPECT_EQ(IndexesOpenedByReading(0, 6), 0) << "the checkpoint had nothing to move";
}

TEST_F(SegmentCacheTest, CompletedSegmentIsNotReadAgainForEntriesOfAnother) {
  world_.log_options().segment_bytes = 3 * (kRunBytesMin + 200);
  Append(5);
  ASSERT_TRUE(world_.Exists(world_.Path(OffsetFileName(Offset(3), kSegmentSuffix))));
  Checkpoint();
  EXPECT_EQ(IndexesOpenedByReading(0, 5), 2) << "each of them once";

  Append(1);
  Checkpoint();
  EXPECT_EQ(IndexesOpenedByReading(0, 3), 0);
  EXPECT_EQ(IndexesOpenedByReading(3, 6), 1);
}

}  // namespace
}  // namespace talosmq::storage
