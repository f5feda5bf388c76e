#include "storage/checkpointer.h"

#include "support/manual_clock.h"
#include "support/manual_executor.h"
#include "support/memory_file_system.h"
#include "support/storage_world.h"

#include "gtest/gtest.h"

#include <string>

namespace talosmq::storage {
namespace {

using support::StorageWorld;

/// A checkpointer that begins with the points of two logs.
class CheckpointerTest : public ::testing::Test {
 protected:
  static TopicPartition Other() {
    return {.topic_id = StorageWorld::kLog.topic_id, .partition = PartitionId(7)};
  }

  CheckpointerTest() {
    EXPECT_TRUE(disk_.MakeDirectories("data").ok());
    deferred_sync_ = io::DeferredSync::Open(disk_, "data").value();
    const FlushedPoint point{.log_start = Offset(0), .end_offset = Offset(5), .segment = Offset(0)};
    checkpointer_ = std::make_unique<Checkpointer>(
        Checkpointer::Options{.directory = "data", .interval = absl::Seconds(1), .bytes = 1 << 20},
        Checkpointer::Dependencies{.file_system = disk_,
                                   .deferred_sync = *deferred_sync_,
                                   .executor = executor_,
                                   .gate = gate_,
                                   .on_log_failure = [](auto, auto) {},
                                   .on_recorded = [](auto) {}},
        FlushedPoints{{StorageWorld::kLog, point}, {Other(), point}}, JournalMark());
  }

  FlushedPoints OnDisk() {
    const auto content = io::ReadFile(disk_, "data/checkpoint", 1 << 20);
    EXPECT_TRUE(content.ok()) << content.status();
    return content.ok() ? ParseCheckpoint(base::AsBytes(*content))->points : FlushedPoints();
  }

  support::ManualClock clock_;
  support::MemoryFileSystem disk_;
  std::unique_ptr<io::DeferredSync> deferred_sync_;
  support::ManualExecutor executor_{clock_};
  base::Gate gate_;
  std::unique_ptr<Checkpointer> checkpointer_;
};

TEST_F(CheckpointerTest, DeletedLogIsNotInTheNextFile) {
  checkpointer_->Forget(Other());
  EXPECT_EQ(checkpointer_->Find(Other()), std::nullopt);
  clock_.Advance(absl::Seconds(1));
  support::RunAllUntilIdle({&executor_});
  EXPECT_FALSE(OnDisk().contains(Other()));
  EXPECT_TRUE(OnDisk().contains(StorageWorld::kLog));
}

// Forget() had dropped its work when the gate was shut, and the last file of all named the log.
TEST_F(CheckpointerTest, LogDeletedWhileTheStoreClosesIsNotInTheLastFile) {
  checkpointer_->Stop();
  gate_.CloseAndWait();
  checkpointer_->Forget(Other());
  ASSERT_TRUE(checkpointer_->RecordNow().ok());
  EXPECT_FALSE(OnDisk().contains(Other()));
  EXPECT_TRUE(OnDisk().contains(StorageWorld::kLog));
}

}  // namespace
}  // namespace talosmq::storage
