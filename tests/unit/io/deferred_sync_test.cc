// Many changes made durable by one sync of the disk.

#include "io/deferred_sync.h"

#include "support/memory_file_system.h"
#include "support/temporary_directory.h"

#include "gtest/gtest.h"

#include <array>
#include <memory>
#include <string>

namespace talosmq::io {
namespace {

using support::DiskCall;
using support::MemoryFileSystem;
using support::PowerCut;

class DeferredSyncTest : public testing::Test {
 protected:
  DeferredSyncTest() {
    EXPECT_TRUE(disk_.MakeDirectories("data").ok());
    deferred_ = DeferredSync::Open(disk_, "data").value();
  }

  /// Two files in a new folder, each "synced" with its names.
  void WriteTwo() {
    ASSERT_TRUE(deferred_->MakeDirectories("data/new").ok());
    for (const char* name : {"data/new/a", "data/new/b"}) {
      const auto file = deferred_->Open(name, OpenMode::kCreateNew).value();
      const std::array<base::ByteSpan, 1> pieces = {base::AsBytes("content")};
      ASSERT_TRUE(file->Write(0, pieces).ok());
      ASSERT_TRUE(file->Sync().ok());
      ASSERT_TRUE(deferred_->SyncDirectory("data/new").ok());
    }
  }
  std::string Content(const std::string& path) { return ReadFile(disk_, path, 100).value_or(""); }

  MemoryFileSystem disk_;
  std::unique_ptr<DeferredSync> deferred_;
};

TEST_F(DeferredSyncTest, NothingIsDurableBeforeAllIs) {
  WriteTwo();
  EXPECT_EQ(Content("data/new/a"), "content") << "everybody sees it at once";
  disk_.CutPower(PowerCut::DropUnsynced());
  EXPECT_FALSE(disk_.Exists("data/new").value());
}

TEST_F(DeferredSyncTest, AllIsDurableAfterOneSync) {
  WriteTwo();
  const uint64_t changes = disk_.changes();
  ASSERT_TRUE(deferred_->SyncAll().ok());
  EXPECT_EQ(disk_.changes(), changes + 1);
  disk_.CutPower(PowerCut::DropUnsynced());
  EXPECT_EQ(Content("data/new/a"), "content");
  EXPECT_EQ(Content("data/new/b"), "content");
}

TEST_F(DeferredSyncTest, FailedSyncIsToldAndTheNextOneMendsNothing) {
  WriteTwo();
  disk_.FailNth(DiskCall::kSyncVolume, 1, MemoryFileSystem::IoError("data"));
  EXPECT_FALSE(deferred_->SyncAll().ok());
  EXPECT_TRUE(deferred_->SyncAll().ok());
  disk_.CutPower(PowerCut::DropUnsynced());
  EXPECT_EQ(Content("data/new/a"), "") << "what the kernel dropped stays dropped (R01)";
}

TEST(DeferredSyncOfTheKernelTest, WritesAndSyncs) {
  const support::TemporaryDirectory directory;
  const auto disk = MakePosixFileSystem();
  const auto deferred = DeferredSync::Open(*disk, directory.path()).value();
  const std::string path = directory.path() + "/file";
  const auto file = deferred->Open(path, OpenMode::kCreateNew).value();
  const std::array<base::ByteSpan, 1> pieces = {base::AsBytes("content")};
  EXPECT_TRUE(file->Write(0, pieces).ok());
  EXPECT_TRUE(file->Sync().ok());
  EXPECT_TRUE(deferred->SyncAll().ok());
  EXPECT_EQ(ReadFile(*disk, path, 100).value_or(""), "content");
  EXPECT_FALSE(DeferredSync::Open(*disk, directory.path() + "/none").ok());
}

}  // namespace
}  // namespace talosmq::io
