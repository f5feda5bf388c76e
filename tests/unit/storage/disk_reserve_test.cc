#include "storage/disk_reserve.h"

#include "support/memory_file_system.h"
#include "support/storage_world.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <string>

namespace talosmq::storage {
namespace {

using support::DiskCall;
using support::MemoryFileSystem;
using support::StorageWorld;
using ::testing::HasSubstr;

constexpr int64_t kRoom = 1000;
constexpr int64_t kDisk = kRoom * DiskReserve::kShareOfDisk;

/// A small disk with a file that takes as much of it as the test says.
class DiskReserveTest : public ::testing::Test {
 protected:
  DiskReserveTest() {
    disk_.SetCapacity(kDisk);
    EXPECT_TRUE(disk_.MakeDirectories("data").ok());
  }

  void Open() {
    auto opened = DiskReserve::Open({.directory = "data", .bytes = kRoom}, {disk_, *metrics_});
    ASSERT_TRUE(opened.ok()) << opened.status();
    reserve_ = std::move(*opened);
  }
  /// Leaves so many bytes to all others, the reserve among them.
  void LeaveFree(int64_t bytes) {
    const auto file = disk_.Open("other", io::OpenMode::kCreate);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->Truncate(static_cast<uint64_t>(kDisk - bytes)).ok());
  }
  int64_t FreeNow() { return disk_.Space("data")->free_bytes; }
  bool IsHeld() { return *disk_.Exists("data/reserve"); }

  MemoryFileSystem disk_;
  std::unique_ptr<base::MetricRegistry> metrics_ = base::MakeNullMetricRegistry();
  std::unique_ptr<DiskReserve> reserve_;
};

TEST_F(DiskReserveTest, RoomIsHeldUntilItIsNeededAndTakenAgainWhenThereIsSpace) {
  Open();
  EXPECT_TRUE(IsHeld());
  EXPECT_TRUE(reserve_->CheckRoom().ok());

  LeaveFree(2 * kRoom - 1);
  EXPECT_TRUE(reserve_->Look(0).ok()) << "what has its offsets already may still be written";
  EXPECT_EQ(ReasonOf(reserve_->CheckRoom()), Reason::kStorageFull);
  EXPECT_THAT(std::string(reserve_->CheckRoom().message()), HasSubstr("1999 are free"));
  EXPECT_FALSE(IsHeld());
  EXPECT_GE(FreeNow(), kRoom);

  LeaveFree(3 * kRoom - 1);
  EXPECT_TRUE(reserve_->Look(0).ok());
  EXPECT_FALSE(reserve_->CheckRoom().ok()) << "a little space is used up at once";

  LeaveFree(3 * kRoom);
  EXPECT_TRUE(reserve_->Look(0).ok());
  EXPECT_TRUE(reserve_->CheckRoom().ok());
  EXPECT_TRUE(IsHeld());
}

TEST_F(DiskReserveTest, NothingIsWrittenThatWouldTakeTheRoom) {
  Open();
  LeaveFree(5 * kRoom);
  EXPECT_TRUE(reserve_->Look(4 * kRoom).ok());
  EXPECT_EQ(ReasonOf(reserve_->Look(4 * kRoom + 1)), Reason::kStorageFull);
}

TEST_F(DiskReserveTest, OpeningOnAFullDiskFreesTheRoom) {
  Open();
  LeaveFree(kRoom);
  EXPECT_EQ(FreeNow(), 0);
  Open();
  EXPECT_EQ(FreeNow(), kRoom);
  EXPECT_FALSE(reserve_->CheckRoom().ok());
  LeaveFree(0);
  Open();
  EXPECT_FALSE(reserve_->CheckRoom().ok());
}

TEST_F(DiskReserveTest, FileThatACrashCutOffIsMadeAnew) {
  Open();
  const auto file = disk_.Open("data/reserve", io::OpenMode::kReadWrite);
  ASSERT_TRUE(file.ok() && (*file)->Truncate(10).ok());
  Open();
  EXPECT_EQ(disk_.Open("data/reserve", io::OpenMode::kRead).value()->Size().value(),
            static_cast<uint64_t>(kRoom));
}

TEST_F(DiskReserveTest, RoomThatCannotBeHeldDoesNotStopTheServer) {
  disk_.FailNth(DiskCall::kPreallocate, 1, MemoryFileSystem::IoError("reserve"));
  Open();
  EXPECT_FALSE(IsHeld());
  EXPECT_TRUE(reserve_->CheckRoom().ok());
}

// It counted as free what the file did not hold, and let appends fill the disk to the end.
TEST_F(DiskReserveTest, FileOfHolesHoldsNoRoom) {
  disk_.KeepHoles();
  Open();
  EXPECT_FALSE(IsHeld());
  EXPECT_TRUE(reserve_->CheckRoom().ok());
  LeaveFree(2 * kRoom - 1);
  EXPECT_TRUE(reserve_->Look(0).ok());
  EXPECT_EQ(ReasonOf(reserve_->CheckRoom()), Reason::kStorageFull);
  EXPECT_THAT(std::string(reserve_->CheckRoom().message()), HasSubstr("1999 are free"));
}

TEST_F(DiskReserveTest, FileThatWasCopiedAsAHoleIsNotTakenForRoom) {
  Open();
  EXPECT_TRUE(IsHeld());
  disk_.KeepHoles();
  Open();
  EXPECT_FALSE(IsHeld());
}

TEST_F(DiskReserveTest, TellsTheSpaceThatTheLastLookHasFound) {
  Open();
  EXPECT_EQ(reserve_->space().capacity_bytes, kDisk);
  LeaveFree(5 * kRoom);
  EXPECT_TRUE(reserve_->Look(0).ok());
  EXPECT_EQ(reserve_->space().free_bytes, FreeNow());
}

TEST_F(DiskReserveTest, SmallDiskKeepsASmallRoom) {
  disk_.SetCapacity(kDisk / 4);
  Open();
  EXPECT_EQ(reserve_->bytes(), kRoom / 4);
}

/// A log on a disk that fills up.
class FullDiskTest : public ::testing::Test {
 protected:
  static constexpr int64_t kLogRoom = 64 << 10;

  FullDiskTest() {
    world_.reserve_options().bytes = kLogRoom;
    world_.disk().SetCapacity(kLogRoom * DiskReserve::kShareOfDisk);
    EXPECT_TRUE(world_.Start().ok());
    EXPECT_TRUE(world_.Open().ok());
    EXPECT_TRUE(world_.AppendDurably({.values = {"0"}}).ok());
  }

  void TakeSpace(int64_t bytes) {
    const auto file = world_.disk().Open("other", io::OpenMode::kCreate);
    ASSERT_TRUE(file.ok() && (*file)->Preallocate(static_cast<uint64_t>(bytes)).ok());
  }
  void GiveSpace() { ASSERT_TRUE(world_.disk().Remove("other").ok()); }
  void TakeAll() { TakeSpace(world_.disk().Space("data")->free_bytes); }

  StorageWorld world_;
};

TEST_F(FullDiskTest, BatchesThatWaitWhenTheDiskIsFullAreNotWrittenAtAll) {
  ASSERT_TRUE(world_.Append({.values = {std::string(1000, 'x')}}).ok());
  TakeAll();
  const auto before = world_.ReadFile(world_.Path("00000000000000000000.log"));
  world_.Run();
  EXPECT_EQ(ReasonOf(world_.last_told()), Reason::kStorageFull);
  EXPECT_EQ(ReasonOf(world_.Append({.values = {"y"}}).status()), Reason::kStorageFull);
  EXPECT_EQ(world_.ReadFile(world_.Path("00000000000000000000.log")), before);
  EXPECT_TRUE(world_.store().last_failure().ok()) << "no disk has failed";
}

TEST_F(FullDiskTest, AgeOfASegmentIsRecordedOnceThereIsRoom) {
  TakeAll();
  world_.Advance(absl::Seconds(2));
  world_.Run();
  EXPECT_TRUE(world_.last_told().ok());
  const std::string index = world_.Path("00000000000000000000.index");
  EXPECT_TRUE(!world_.Exists(index) || world_.ReadFile(index).empty());
  GiveSpace();
  world_.Advance(world_.store_options().space_interval);
  world_.Run();
  ASSERT_TRUE(world_.AppendDurably({.values = {"1"}}).ok());
  ASSERT_TRUE(world_.Close().ok());
  EXPECT_EQ(world_.ReadFile(index).size(), 64u);
}

TEST_F(FullDiskTest, LogIsOpenedAndReadWhileTheDiskIsFull) {
  ASSERT_TRUE(world_.Append({.values = {std::string(1000, 'x')}}).ok());
  TakeAll();
  world_.Run();
  ASSERT_TRUE(world_.Close().ok());
  ASSERT_TRUE(world_.Open().ok());
  EXPECT_EQ(world_.ReadAll()->size(), 1u);
}

TEST_F(FullDiskTest, HealthGoesRedAndGreenByItself) {
  EXPECT_TRUE(world_.store().health().ok());
  TakeAll();
  world_.Advance(world_.store_options().space_interval);
  world_.Run();
  EXPECT_EQ(ReasonOf(world_.store().health()), Reason::kStorageFull);
  EXPECT_EQ(ReasonOf(world_.store().CheckRoom()), Reason::kStorageFull);
  GiveSpace();
  world_.Advance(world_.store_options().space_interval);
  world_.Run();
  EXPECT_TRUE(world_.store().health().ok());
  EXPECT_TRUE(world_.store().CheckRoom().ok());
  EXPECT_TRUE(world_.AppendDurably({.values = {"1"}}).ok());
}

TEST_F(FullDiskTest, RoomThatTheJournalOwesToTheSegmentsIsSpokenFor) {
  world_.Kill();
  world_.store_options().direct_logs_max = 0;
  ASSERT_TRUE(world_.Start().ok());
  ASSERT_TRUE(world_.AppendDurably({.values = {std::string(30'000, 'x')}}).ok());
  // Beside the room, which the file of the reserve holds, 20,000 bytes are free.
  TakeSpace(world_.disk().Space("data")->free_bytes - 20'000);
  EXPECT_FALSE(world_.AppendDurably({.values = {"y"}}).ok());
  EXPECT_EQ(ReasonOf(world_.last_told()), Reason::kStorageFull);
}

TEST_F(FullDiskTest, LogIsDeletedWhileTheDiskIsFull) {
  TakeAll();
  world_.Advance(world_.store_options().space_interval);
  world_.Run();
  ASSERT_TRUE(world_.Close().ok());
  EXPECT_TRUE(world_.Delete().ok());
}

TEST_F(FullDiskTest, WriteCutOffByAFullDiskIsTakenBack) {
  // Of two batches of one size the first is in the file when the write fails in the middle.
  ASSERT_TRUE(world_.Append({.values = {"x"}}).ok());
  ASSERT_TRUE(world_.Append({.values = {"y"}}).ok());
  world_.disk().FailNth(DiskCall::kWrite, 1, MemoryFileSystem::StorageFull("quota"));
  world_.Run();
  EXPECT_EQ(ReasonOf(world_.last_told()), Reason::kStorageFull);
  ASSERT_TRUE(world_.Close().ok());
  ASSERT_TRUE(world_.Open().ok());
  EXPECT_EQ(world_.log().log_end(), Offset(1)) << "it was said not to be stored";
}

TEST_F(FullDiskTest, LogGrowsByWhatIsLeftWhenALargerStepDoesNotFit) {
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(world_.AppendDurably({.values = {std::string(100'000, 'x')}}).ok());
  }
  // The log has 1 MiB now and would take 1 MiB more in its next step.
  TakeSpace(world_.disk().Space("data")->free_bytes - 6 * kLogRoom);
  EXPECT_TRUE(world_.AppendDurably({.values = {std::string(250'000, 'x')}}).ok());
}

TEST_F(FullDiskTest, BatchThatMayBeFoundIsNotSaidToBeRefused) {
  world_.disk().FailNth(DiskCall::kSync, 1, MemoryFileSystem::StorageFull("quota"));
  EXPECT_FALSE(world_.AppendDurably({.values = {"x"}}).ok());
  EXPECT_EQ(ReasonOf(world_.Append({.values = {"y"}}).status()), Reason::kStorageFenced);
}

TEST_F(FullDiskTest, CheckpointThatFailedOnceIsForgottenWithTheNextOne) {
  int failures = 1;
  world_.disk().SetFaultHook([&failures](DiskCall call, const std::string& path) {
    if (call != DiskCall::kRename || !path.ends_with("checkpoint.tmp") || failures-- <= 0) {
      return absl::OkStatus();
    }
    return MemoryFileSystem::IoError(path);
  });
  ASSERT_TRUE(world_.AppendDurably({.values = {"1"}}).ok());
  world_.Advance(absl::Seconds(1));
  world_.Run();
  EXPECT_FALSE(world_.store().health().ok());
  world_.Advance(absl::Seconds(1));
  world_.Run();
  EXPECT_TRUE(world_.store().health().ok()) << world_.store().health();
}

}  // namespace
}  // namespace talosmq::storage
