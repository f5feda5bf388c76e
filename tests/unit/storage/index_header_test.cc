// The header of an index whose sync has failed may be in the page cache alone: it is written again
// before anything is said to stand behind it.

#include "storage/segment.h"
#include "support/storage_world.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"

#include <string>
#include <string_view>

namespace talosmq::storage {
namespace {

using support::DiskCall;
using support::MemoryFileSystem;
using support::PowerCut;
using support::StorageWorld;

class IndexHeaderTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(world_.Start().ok());
    ASSERT_TRUE(world_.Open().ok());
  }

  void FailSyncsOfIndexes(absl::Status (*failure)(std::string_view path)) {
    world_.disk().SetFaultHook([failure](DiskCall call, const std::string& path) {
      const bool is_hit = call == DiskCall::kSync && path.ends_with(kIndexSuffix);
      return is_hit ? failure(path) : absl::OkStatus();
    });
  }
  void Checkpoint() {
    world_.Advance(absl::Seconds(2));
    world_.Run();
  }
  /// Of more than one entry of the index.
  void AppendRuns() {
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(world_.AppendDurably({.values = {std::string(5'000, 'v')}}).ok());
    }
    Checkpoint();
  }
  void ExpectWholeIndexAfterAPowerCut() {
    world_.CutPower(PowerCut::DropUnsynced());
    ASSERT_TRUE(world_.Start().ok());
    const auto report = world_.Open();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->indexes_rebuilt, 0);
    EXPECT_TRUE(report->notes.empty()) << report->notes.front();
  }

  StorageWorld world_;
};

TEST_F(IndexHeaderTest, WithoutRoomItIsWrittenAgain) {
  FailSyncsOfIndexes(&MemoryFileSystem::StorageFull);
  ASSERT_TRUE(world_.AppendDurably({.values = {"a"}}).ok());
  Checkpoint();
  world_.disk().SetFaultHook(nullptr);
  AppendRuns();
  ExpectWholeIndexAfterAPowerCut();
}

TEST_F(IndexHeaderTest, WithoutRoomAndThenKilledItIsWrittenAgain) {
  FailSyncsOfIndexes(&MemoryFileSystem::StorageFull);
  ASSERT_TRUE(world_.AppendDurably({.values = {"a"}}).ok());
  Checkpoint();
  world_.Kill();
  world_.disk().SetFaultHook(nullptr);
  ASSERT_TRUE(world_.Start().ok());
  ASSERT_TRUE(world_.Open().ok());
  AppendRuns();
  ExpectWholeIndexAfterAPowerCut();
}

TEST_F(IndexHeaderTest, AfterAnErrorAndThenKilledItIsWrittenAgain) {
  FailSyncsOfIndexes(&MemoryFileSystem::IoError);
  ASSERT_TRUE(world_.AppendDurably({.values = {"a"}}).ok());
  Checkpoint();
  world_.Kill();
  world_.disk().SetFaultHook(nullptr);
  ASSERT_TRUE(world_.Start().ok());
  ASSERT_TRUE(world_.Open().ok());
  AppendRuns();
  ExpectWholeIndexAfterAPowerCut();
}

TEST_F(IndexHeaderTest, WhatIsOnTheDiskIsNotWrittenAtEachStart) {
  ASSERT_TRUE(world_.AppendDurably({.values = {"a"}}).ok());
  Checkpoint();
  world_.CutPower(PowerCut::DropUnsynced());
  ASSERT_TRUE(world_.Start().ok());
  int writes = 0;
  world_.disk().SetFaultHook([&writes](DiskCall call, const std::string& path) {
    if (call == DiskCall::kWrite && path.ends_with(kIndexSuffix)) ++writes;
    return absl::OkStatus();
  });
  ASSERT_TRUE(world_.Open().ok());
  Checkpoint();
  EXPECT_EQ(writes, 0);
}

}  // namespace
}  // namespace talosmq::storage
