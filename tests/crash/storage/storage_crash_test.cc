// The process dies, or the disk fails, at every single change that a fixed scenario makes on disk:
// what was acknowledged is there afterwards, in order, once (G1, G3, G4).

#include "support/memory_file_system.h"
#include "support/storage_world.h"

#include "crash/storage/scenario.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <cstdint>
#include <ostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::storage {
namespace {

using support::DiskCall;
using support::MemoryFileSystem;
using support::PowerCut;
using support::StorageWorld;

/// Of what was not synced nothing survives by the first of them, by the others anything may, and by
/// the last ones zeros and stale blocks stand where a file grew.
constexpr uint64_t kCuts = 6;
PowerCut CutOf(uint64_t change, uint64_t which) {
  if (which == 0) return PowerCut::DropUnsynced();
  const uint64_t seed = change * 10 + which;
  return which < kCuts / 2 ? PowerCut::Random(seed) : PowerCut::RandomWithStaleBlocks(seed);
}

class StorageCrashTest : public testing::TestWithParam<WayToDisk> {
 protected:
  uint64_t ChangesOfTheScenario();
};

uint64_t StorageCrashTest::ChangesOfTheScenario() {
  Scenario scenario(GetParam());
  scenario.Run();
  EXPECT_GE(scenario.produced(), 23U);
  EXPECT_EQ(scenario.acknowledged(), scenario.produced());
  return scenario.world().disk().changes();
}

TEST_P(StorageCrashTest, PowerIsCutAtEveryChange) {
  const uint64_t changes = ChangesOfTheScenario();
  ASSERT_GT(changes, 100U);
  for (uint64_t change = 1; change <= changes + 1; ++change) {
    for (uint64_t cut = 0; cut < kCuts; ++cut) {
      SCOPED_TRACE("change " + std::to_string(change) + " cut " + std::to_string(cut));
      Scenario scenario(GetParam());
      scenario.world().disk().DieAtChange(change);
      scenario.Run();
      scenario.world().CutPower(CutOf(change, cut));
      scenario.Verify();
      if (testing::Test::HasFailure()) return;
    }
  }
}

/// Time goes on while the disk works, so that checkpoints are due at other moments.
TEST_P(StorageCrashTest, PowerIsCutAtEveryChangeOfASlowDisk) {
  const auto slow_down = [](StorageWorld& world) {
    world.disk().SetFaultHook(
        MemoryFileSystem::Delay(DiskCall::kSync, absl::Milliseconds(700), world.clock()));
  };
  Scenario whole(GetParam());
  slow_down(whole.world());
  whole.Run();
  EXPECT_EQ(whole.acknowledged(), whole.produced());
  const uint64_t changes = whole.world().disk().changes();
  for (uint64_t change = 1; change <= changes + 1; ++change) {
    SCOPED_TRACE("change " + std::to_string(change));
    Scenario scenario(GetParam());
    slow_down(scenario.world());
    scenario.world().disk().DieAtChange(change);
    scenario.Run();
    scenario.world().CutPower(CutOf(change, change % kCuts));
    scenario.Verify();
    if (testing::Test::HasFailure()) return;
  }
}

TEST_P(StorageCrashTest, PowerIsCutAgainAtEveryChangeOfTheRecovery) {
  const uint64_t changes = ChangesOfTheScenario();
  for (uint64_t change = 5; change <= changes; change += 7) {
    for (uint64_t second = 1; second <= 12; ++second) {
      SCOPED_TRACE("change " + std::to_string(change) + " then " + std::to_string(second));
      Scenario scenario(GetParam());
      StorageWorld& world = scenario.world();
      world.disk().DieAtChange(change);
      scenario.Run();
      world.CutPower(CutOf(change, 1 + second % (kCuts - 1)));
      world.disk().DieAtChange(second);
      if (world.Start().ok() && world.Open().ok()) (void)world.Open(Scenario::kOther);
      world.CutPower(CutOf(change * 100 + second, second % kCuts));
      scenario.Verify();
      if (testing::Test::HasFailure()) return;
    }
  }
}

/// A log, its epoch file as it was before the crash, and epochs that only the journal has.
struct EpochFileCase {
  const char* name;
  bool has_file;
  bool write_back_fails;       ///< The file shows the epochs, and need not have them.
  std::vector<int32_t> begun;  ///< The last one has a batch.

  friend void PrintTo(const EpochFileCase& epoch_file, std::ostream* out) {
    *out << epoch_file.name;
  }
};
class EpochFileCrashTest : public testing::TestWithParam<EpochFileCase> {
 protected:
  static void BeginEpochs(StorageWorld& world, const std::vector<int32_t>& epochs) {
    for (const int32_t epoch : epochs) {
      ASSERT_TRUE(world.log().BeginEpoch(LeaderEpoch(epoch)).ok());
    }
    ASSERT_TRUE(world.Append({.values = {"v"}}).ok());
  }
  static void WriteBack(StorageWorld& world) {
    for (int interval = 0; interval < 2; ++interval) {
      world.Run();
      world.Advance(world.store_options().space_interval);
    }
    world.Run();
  }
  using Epochs = std::vector<std::pair<LeaderEpoch, Offset>>;
  static Epochs EpochsOf(StorageWorld& world) {
    Epochs epochs;
    for (const EpochEntry& entry : world.log().epochs()) {
      epochs.emplace_back(entry.epoch, entry.start_offset);
    }
    return epochs;
  }
  static Epochs Without(const std::set<int32_t>& lost, Epochs epochs) {
    std::erase_if(epochs, [&](const auto& entry) { return lost.contains(entry.first.value()); });
    return epochs;
  }
};

/// Epochs without batches, for one those that retention has taken, are nowhere but in their file.
TEST_P(EpochFileCrashTest, HasAllEpochsWhereverTheReplayIsCutOff) {
  for (uint64_t change = 1; change <= 40; ++change) {
    for (uint64_t cut = 0; cut < 20; ++cut) {
      SCOPED_TRACE("change " + std::to_string(change) + " cut " + std::to_string(cut));
      StorageWorld world;
      world.store_options().direct_logs_max = 0;
      ASSERT_TRUE(world.Start().ok());
      ASSERT_TRUE(world.Append({.values = {"v"}}).ok());  // Under epoch 1.
      if (GetParam().has_file) {
        ASSERT_NO_FATAL_FAILURE(BeginEpochs(world, {3, 4}));
        WriteBack(world);
      }
      ASSERT_EQ(world.Exists(world.Path("epochs")), GetParam().has_file);
      ASSERT_NO_FATAL_FAILURE(BeginEpochs(world, GetParam().begun));
      world.RunWithoutWriteBack();
      const auto epochs = EpochsOf(world);
      if (GetParam().write_back_fails) {
        world.disk().FailNth(DiskCall::kSyncVolume, 1, MemoryFileSystem::IoError("disk"));
        WriteBack(world);
        ASSERT_FALSE(world.last_told().ok());
        world.disk().SetFaultHook(nullptr);
        world.Kill();
      } else {
        world.CutPower(PowerCut::DropUnsynced());
      }
      world.disk().DieAtChange(change);
      (void)world.Start();
      world.CutPower(cut % 2 == 0 ? PowerCut::Random(change * 100 + cut)
                                  : PowerCut::RandomWithStaleBlocks(change * 100 + cut));
      ASSERT_TRUE(world.Start().ok());
      const auto report = world.Open();
      ASSERT_TRUE(report.ok()) << report.status();
      if (GetParam().write_back_fails) {
        // Of what it tore, the log has what its batches say.
        ASSERT_THAT(EpochsOf(world), testing::AnyOf(epochs, Without({7, 8}, epochs)));
        continue;
      }
      ASSERT_THAT(report->notes, testing::Each(testing::Not(testing::HasSubstr("made again"))));
      ASSERT_EQ(EpochsOf(world), epochs);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, EpochFileCrashTest,
                         testing::Values(EpochFileCase{"OneMore", true, false, {9}},
                                         EpochFileCase{"SeveralMore", true, false, {7, 8, 9}},
                                         EpochFileCase{"SeveralShown", true, true, {7, 8, 9}},
                                         EpochFileCase{"NewFile", false, false, {3, 9}}),
                         [](const auto& param) { return param.param.name; });

TEST_P(StorageCrashTest, EveryCallFailsOnce) {
  for (const DiskCall call :
       {DiskCall::kOpen, DiskCall::kWrite, DiskCall::kSync, DiskCall::kTruncate,
        DiskCall::kPreallocate, DiskCall::kRename, DiskCall::kRemove, DiskCall::kSyncDirectory,
        DiskCall::kMakeDirectory, DiskCall::kRead, DiskCall::kList, DiskCall::kSize,
        DiskCall::kSyncVolume}) {
    for (uint64_t nth = 1; nth <= 60; ++nth) {
      SCOPED_TRACE("call " + std::to_string(static_cast<int>(call)) + " number " +
                   std::to_string(nth));
      Scenario scenario(GetParam());
      scenario.world().disk().FailNth(
          call, nth,
          nth % 2 == 0 ? MemoryFileSystem::IoError("disk") : MemoryFileSystem::StorageFull("disk"));
      scenario.Run();
      scenario.world().CutPower(PowerCut::Random(nth));
      scenario.Verify();
      if (testing::Test::HasFailure()) return;
    }
  }
}

class CompactionCrashTest : public testing::TestWithParam<WayToDisk> {};

TEST_P(CompactionCrashTest, PowerIsCutAtEveryChange) {
  CompactionScenario whole(GetParam());
  whole.Run();
  ASSERT_EQ(whole.keys(), 6U);
  const uint64_t changes = whole.world().disk().changes();
  ASSERT_GT(changes, 100U);
  for (uint64_t change = 1; change <= changes + 1; ++change) {
    for (uint64_t cut = 0; cut < kCuts; ++cut) {
      SCOPED_TRACE("change " + std::to_string(change) + " cut " + std::to_string(cut));
      CompactionScenario scenario(GetParam());
      scenario.world().disk().DieAtChange(change);
      scenario.Run();
      scenario.world().CutPower(CutOf(change, cut));
      scenario.Verify();
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST_P(CompactionCrashTest, EveryCallFailsOnce) {
  for (const DiskCall call :
       {DiskCall::kOpen, DiskCall::kWrite, DiskCall::kSync, DiskCall::kRename, DiskCall::kRemove,
        DiskCall::kSyncDirectory, DiskCall::kRead, DiskCall::kSize, DiskCall::kSyncVolume}) {
    for (uint64_t nth = 1; nth <= 60; ++nth) {
      SCOPED_TRACE("call " + std::to_string(static_cast<int>(call)) + " number " +
                   std::to_string(nth));
      CompactionScenario scenario(GetParam());
      scenario.world().disk().FailNth(
          call, nth,
          nth % 2 == 0 ? MemoryFileSystem::IoError("disk") : MemoryFileSystem::StorageFull("disk"));
      scenario.Run();
      scenario.world().CutPower(PowerCut::Random(nth));
      scenario.Verify();
      if (testing::Test::HasFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(BothWays, CompactionCrashTest,
                         testing::Values(WayToDisk::kSegments, WayToDisk::kJournal),
                         [](const auto& way) { return NameOf(way.param); });

INSTANTIATE_TEST_SUITE_P(AllWays, StorageCrashTest,
                         testing::Values(WayToDisk::kSegments, WayToDisk::kJournal,
                                         WayToDisk::kAwaited),
                         [](const auto& way) { return NameOf(way.param); });

}  // namespace
}  // namespace talosmq::storage
