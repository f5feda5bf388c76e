// The disk becomes full at every single call that takes room, and stays so through a restart: what
// was acknowledged is there, what was refused is not, and all goes on once there is room again.

#include "support/memory_file_system.h"
#include "support/storage_world.h"

#include "crash/storage/scenario.h"
#include "gtest/gtest.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>

namespace talosmq::storage {
namespace {

using support::DiskCall;
using support::MemoryFileSystem;
using support::PowerCut;
using support::StorageWorld;

enum class FullDisk {
  kFailsOnce,          ///< Somebody makes room at once.
  kTakesNothing,       ///< As one whose blocks are given at the write or the sync: not even those
                       ///< that replace others.
  kTakesWhatHasPlace,  ///< Files do not grow.
};

bool TakesRoom(DiskCall call) {
  switch (call) {
    case DiskCall::kCreate:
    case DiskCall::kWrite:
    case DiskCall::kSync:
    case DiskCall::kPreallocate:
    case DiskCall::kMakeDirectory:
    case DiskCall::kRename:
    case DiskCall::kSyncDirectory:
    case DiskCall::kSyncVolume:
      return true;
    case DiskCall::kOpen:
    case DiskCall::kRead:
    case DiskCall::kTruncate:
    case DiskCall::kSize:
    case DiskCall::kExists:
    case DiskCall::kList:
    case DiskCall::kRemove:
    case DiskCall::kRemoveDirectory:
    case DiskCall::kSpace:
    case DiskCall::kLock:
      return false;
  }
  return false;
}

/// From the `nth` call that takes room on (1: the next one). Counts these calls.
std::shared_ptr<std::atomic<uint64_t>> FillUpAt(MemoryFileSystem& disk, FullDisk how,
                                                uint64_t nth) {
  auto calls = std::make_shared<std::atomic<uint64_t>>(0);
  disk.SetFaultHook([&disk, how, nth, calls](DiskCall call, const std::string& path) {
    if (!TakesRoom(call)) return absl::OkStatus();
    const uint64_t number = ++*calls;
    if (number < nth) return absl::OkStatus();
    if (how == FullDisk::kTakesWhatHasPlace) {
      if (number == nth) disk.SetCapacity(0);
      return call == DiskCall::kCreate || call == DiskCall::kMakeDirectory
                 ? MemoryFileSystem::StorageFull(path)
                 : absl::OkStatus();
    }
    if (how == FullDisk::kFailsOnce && number > nth) return absl::OkStatus();
    return MemoryFileSystem::StorageFull(path);
  });
  return calls;
}

void MakeRoom(MemoryFileSystem& disk) {
  disk.SetFaultHook(nullptr);
  disk.SetCapacity(MemoryFileSystem::kUnlimited);
}

template <typename AnyScenario>
void FillUpAtEveryCall(WayToDisk way, FullDisk how) {
  uint64_t calls = 0;
  {
    AnyScenario whole(way);
    const auto counted = FillUpAt(whole.world().disk(), FullDisk::kFailsOnce, UINT64_MAX);
    whole.Run();
    calls = *counted;
  }
  ASSERT_GT(calls, 100U);
  for (uint64_t nth = 1; nth <= calls && !testing::Test::HasFailure(); ++nth) {
    SCOPED_TRACE("call " + std::to_string(nth));
    AnyScenario scenario(way);
    StorageWorld& world = scenario.world();
    FillUpAt(world.disk(), how, nth);
    scenario.Run();
    if (nth % 2 == 0) world.CutPower(PowerCut::Random(nth));
    scenario.VerifyOnFullDisk();
    MakeRoom(world.disk());
    scenario.GoOn();
    scenario.Verify();
  }
}

class FullDiskTest : public testing::TestWithParam<std::tuple<WayToDisk, FullDisk>> {};

TEST_P(FullDiskTest, NothingAcknowledgedIsLostAndNothingRefusedIsStored) {
  const auto [way, how] = GetParam();
  FillUpAtEveryCall<Scenario>(way, how);
}

TEST_P(FullDiskTest, CompactionKeepsTheLastRecordOfEachKey) {
  const auto [way, how] = GetParam();
  FillUpAtEveryCall<CompactionScenario>(way, how);
}

/// After a power cut: the recovery is the first that misses the room.
TEST_P(FullDiskTest, RecoveryLosesNothing) {
  const auto [way, how] = GetParam();
  uint64_t changes = 0;
  {
    Scenario whole(way);
    whole.Run();
    changes = whole.world().disk().changes();
  }
  for (uint64_t change = 5; change <= changes; change += 7) {
    for (uint64_t nth = 1; nth <= 12; ++nth) {
      SCOPED_TRACE("change " + std::to_string(change) + " then call " + std::to_string(nth));
      Scenario scenario(way);
      StorageWorld& world = scenario.world();
      world.disk().DieAtChange(change);
      scenario.Run();
      world.CutPower(PowerCut::Random(change));
      FillUpAt(world.disk(), how, nth);
      scenario.VerifyOnFullDisk();
      MakeRoom(world.disk());
      scenario.GoOn();
      scenario.Verify();
      if (HasFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllWays, FullDiskTest,
                         testing::Combine(testing::Values(WayToDisk::kSegments, WayToDisk::kJournal,
                                                          WayToDisk::kAwaited),
                                          testing::Values(FullDisk::kFailsOnce,
                                                          FullDisk::kTakesNothing,
                                                          FullDisk::kTakesWhatHasPlace)),
                         [](const auto& ways) {
                           const std::string way = NameOf(std::get<0>(ways.param));
                           switch (std::get<1>(ways.param)) {
                             case FullDisk::kFailsOnce:
                               return way + "Once";
                             case FullDisk::kTakesNothing:
                               return way + "TakesNothing";
                             case FullDisk::kTakesWhatHasPlace:
                               return way + "TakesWhatHasPlace";
                           }
                           return way;
                         });

}  // namespace
}  // namespace talosmq::storage
