#include "broker/reopenable_log.h"

#include "support/manual_executor.h"
#include "support/storage_world.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"

#include <optional>
#include <vector>

namespace talosmq::broker {
namespace {

using support::StorageWorld;

/// Gives every log that opens up for `cause`, when there is one.
class CountingOwner final : public ReopenableLog::Owner {
 public:
  void OnLogOpened() override {
    ++opened;
    if (!cause.ok()) log->Fence(cause);
  }
  void OnLogFailed(const absl::Status& status) override { told = status; }
  void OnLogDurable() override {}
  void OnLogDamaged(const absl::Status& damage) override { damages.push_back(damage); }

  ReopenableLog* log = nullptr;
  absl::Status cause;
  absl::Status told;
  std::vector<absl::Status> damages;
  int opened = 0;
};

class ReopenableLogTest : public ::testing::Test {
 protected:
  ReopenableLogTest() {
    EXPECT_TRUE(world_.Start().ok());
    log_.emplace(StorageWorld::kLog, options_,
                 ReopenableLog::Dependencies{
                     .store = world_.store(), .shard = shard_, .clock = world_.clock()},
                 owner_);
    owner_.log = &*log_;
  }
  ~ReopenableLogTest() override {
    bool is_shut = false;
    log_->Shut([&is_shut] { is_shut = true; });
    Run();
    EXPECT_TRUE(is_shut);
  }

  void Run() {
    do {
      world_.Run();
    } while (shard_.RunUntilIdle() > 0);
  }
  void Open() {
    EXPECT_TRUE(log_->Open({}).ok());
    Run();
  }
  void WaitForLongestRest() {
    world_.Advance(options_.reopen_backoff_max);
    Run();
  }

  StorageWorld world_;
  support::ManualExecutor shard_{world_.clock()};
  const PartitionOptions options_;
  CountingOwner owner_;
  std::optional<ReopenableLog> log_;
};

TEST_F(ReopenableLogTest, LogThatFailedIsOpenedAgainByItself) {
  owner_.cause = MakeError(Reason::kInternal, "EIO");
  Open();
  EXPECT_EQ(owner_.opened, 1);
  WaitForLongestRest();
  EXPECT_EQ(owner_.opened, 2);
}

// Users are told of a fence, and by that alone it looked like a disk that may work again: the log
// was recovered every few seconds, to find the same.
TEST_F(ReopenableLogTest, LogWhoseRecordsAreLostIsOpenedAgainOnTheNextUseOnly) {
  owner_.cause = MakeError(Reason::kCorruptData, "committed records are gone");
  Open();
  EXPECT_EQ(owner_.opened, 1);
  EXPECT_EQ(ReasonOf(owner_.told), Reason::kStorageFenced) << owner_.told;
  WaitForLongestRest();
  WaitForLongestRest();
  EXPECT_EQ(owner_.opened, 1);
  Open();
  EXPECT_EQ(owner_.opened, 2);
}

}  // namespace
}  // namespace talosmq::broker
