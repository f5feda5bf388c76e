#include "support/memory_file_system.h"

#include "support/manual_clock.h"
#include "talosmq/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace talosmq::support {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// The simulated disk is what crash tests stand on, so its own rules are tested.
class MemoryFileSystemTest : public ::testing::Test {
 protected:
  std::unique_ptr<io::File> Open(const std::string& path,
                                 io::OpenMode mode = io::OpenMode::kCreate) {
    auto file = disk_.Open(path, mode);
    EXPECT_TRUE(file.ok()) << file.status();
    return std::move(file).value();
  }
  static absl::Status Write(io::File& file, uint64_t position, std::string_view bytes) {
    const base::ByteSpan piece = base::AsBytes(bytes);
    return file.Write(position, std::span(&piece, 1));
  }
  std::string Content(const std::string& path) {
    return io::ReadFile(disk_, path, 1 << 20).value_or("absent");
  }
  /// A file whose name and content are durable.
  std::unique_ptr<io::File> MakeDurable(const std::string& path, std::string_view content) {
    auto file = Open(path);
    EXPECT_TRUE(Write(*file, 0, content).ok());
    EXPECT_TRUE(file->Sync().ok());
    EXPECT_TRUE(disk_.SyncDirectory(io::ParentDirectory(path)).ok());
    return file;
  }

  MemoryFileSystem disk_;
};

TEST_F(MemoryFileSystemTest, PowerCutTakesUnsyncedBytes) {
  const auto file = MakeDurable("file", "old");
  ASSERT_TRUE(Write(*file, 0, "new and longer").ok());
  disk_.CutPower(PowerCut::DropUnsynced());
  EXPECT_EQ(Content("file"), "old");
}

TEST_F(MemoryFileSystemTest, PowerCutTakesAnUnsyncedName) {
  const auto file = Open("file");
  ASSERT_TRUE(Write(*file, 0, "bytes").ok());
  ASSERT_TRUE(file->Sync().ok());
  disk_.CutPower(PowerCut::DropUnsynced());
  EXPECT_THAT(disk_.List(".").value(), IsEmpty());
}

TEST_F(MemoryFileSystemTest, PowerCutUndoesAnUnsyncedRenameAndRemoval) {
  MakeDurable("a", "content of a");
  MakeDurable("b", "content of b");
  ASSERT_TRUE(disk_.Rename("a", "c").ok());
  ASSERT_TRUE(disk_.Remove("b").ok());
  disk_.CutPower(PowerCut::DropUnsynced());
  EXPECT_THAT(disk_.List(".").value(), ElementsAre("a", "b"));
  EXPECT_EQ(Content("b"), "content of b");
}

TEST_F(MemoryFileSystemTest, RandomCutsTearAWriteAnywhereAndNothingElse) {
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    MemoryFileSystem disk;
    const auto file = disk.Open("file", io::OpenMode::kCreate).value();
    ASSERT_TRUE(Write(*file, 0, "0123").ok());
    ASSERT_TRUE(file->Sync().ok());
    ASSERT_TRUE(disk.SyncDirectory(".").ok());
    ASSERT_TRUE(Write(*file, 1, "abcd").ok());
    disk.CutPower(PowerCut::Random(seed));
    seen.insert(io::ReadFile(disk, "file", 100).value());
  }
  EXPECT_THAT(seen, testing::UnorderedElementsAre("0123", "0a23", "0ab3", "0abc", "0abcd"));
}

TEST_F(MemoryFileSystemTest, RandomCutsNeverSplitARename) {
  std::set<std::vector<std::string>> seen;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    MemoryFileSystem disk;
    ASSERT_TRUE(disk.Open("a", io::OpenMode::kCreate).ok());
    ASSERT_TRUE(disk.SyncDirectory(".").ok());
    ASSERT_TRUE(disk.Rename("a", "b").ok());
    disk.CutPower(PowerCut::Random(seed));
    seen.insert(disk.List(".").value());
  }
  EXPECT_THAT(seen, testing::UnorderedElementsAre(ElementsAre("a"), ElementsAre("b")));
}

TEST_F(MemoryFileSystemTest, SameSeedTakesTheSame) {
  const auto after = [](uint64_t seed) {
    MemoryFileSystem disk;
    const auto file = disk.Open("file", io::OpenMode::kCreate).value();
    EXPECT_TRUE(disk.SyncDirectory(".").ok());
    EXPECT_TRUE(Write(*file, 0, std::string(1000, 'x')).ok());
    EXPECT_TRUE(Write(*file, 500, std::string(1000, 'y')).ok());
    disk.CutPower(PowerCut::Random(seed));
    return io::ReadFile(disk, "file", 10000).value();
  };
  for (uint64_t seed = 0; seed < 20; ++seed) EXPECT_EQ(after(seed), after(seed));
}

TEST_F(MemoryFileSystemTest, FailedSyncIsNotHealedByALaterOne) {
  const auto file = MakeDurable("file", "old");
  ASSERT_TRUE(Write(*file, 0, "new").ok());
  disk_.FailNth(DiskCall::kSync, 1, MemoryFileSystem::IoError("file"));
  EXPECT_FALSE(file->Sync().ok());
  EXPECT_TRUE(file->Sync().ok());
  EXPECT_EQ(Content("file"), "new");
  disk_.CutPower(PowerCut::DropUnsynced());
  EXPECT_EQ(Content("file"), "old");
}

TEST_F(MemoryFileSystemTest, FailedWriteLeavesAHalf) {
  const auto file = Open("file");
  disk_.FailNth(DiskCall::kWrite, 2, MemoryFileSystem::StorageFull("file"));
  EXPECT_TRUE(Write(*file, 0, "12").ok());
  EXPECT_EQ(ReasonOf(Write(*file, 2, "3456")), Reason::kStorageFull);
  EXPECT_TRUE(Write(*file, 6, "78").ok());
  EXPECT_EQ(Content("file"), std::string("1234\0\00078", 8));
}

TEST_F(MemoryFileSystemTest, DeadDiskTakesNothingUntilThePowerCut) {
  const auto file = MakeDurable("file", "old");
  disk_.DieAtChange(2);
  EXPECT_TRUE(Write(*file, 3, "+written").ok());
  EXPECT_FALSE(file->Sync().ok());
  EXPECT_FALSE(Write(*file, 0, "later").ok());
  EXPECT_FALSE(disk_.Open("file", io::OpenMode::kRead).ok());
  disk_.CutPower(PowerCut::DropUnsynced());
  EXPECT_EQ(Content("file"), "old");
}

TEST_F(MemoryFileSystemTest, FilesAndLocksDoNotOutliveAPowerCut) {
  const auto file = MakeDurable("file", "old");
  const auto lock = disk_.Lock("lock");
  ASSERT_TRUE(lock.ok());
  EXPECT_EQ(ReasonOf(disk_.Lock("lock").status()), Reason::kConflict);
  disk_.CutPower(PowerCut::DropUnsynced());
  EXPECT_FALSE(Write(*file, 0, "x").ok());
  EXPECT_FALSE(file->Size().ok());
  EXPECT_TRUE(disk_.Lock("lock").ok());
}

TEST_F(MemoryFileSystemTest, MadeDirectoriesAreDurable) {
  ASSERT_TRUE(disk_.MakeDirectories("/data/topics/").ok());
  disk_.CutPower(PowerCut::DropUnsynced());
  EXPECT_TRUE(disk_.Exists("/data/topics").value());
}

TEST_F(MemoryFileSystemTest, AtomicWriteIsOldOrNewAfterDeathAtEveryChange) {
  constexpr std::string_view kOld = "old content", kNew = "new";
  for (uint64_t change = 1; change <= 5; ++change) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      MemoryFileSystem disk;
      ASSERT_TRUE(io::WriteFileAtomically(disk, "file", base::AsBytes(kOld)).ok());
      disk.DieAtChange(change);
      const bool done = io::WriteFileAtomically(disk, "file", base::AsBytes(kNew)).ok();
      EXPECT_FALSE(done);
      disk.CutPower(PowerCut::Random(seed));
      const std::string found = io::ReadFile(disk, "file", 100).value_or("absent");
      EXPECT_TRUE(found == kOld || found == kNew) << found << " after change " << change;
    }
  }
}

TEST_F(MemoryFileSystemTest, FullDiskTakesNoMoreUntilSomethingGoes) {
  disk_.SetCapacity(100);
  const auto file = MakeDurable("file", std::string(60, 'x'));
  EXPECT_EQ(disk_.Space(".")->free_bytes, 40);
  const auto other = Open("other");
  EXPECT_EQ(ReasonOf(other->Preallocate(41)), Reason::kStorageFull);
  EXPECT_TRUE(other->Preallocate(30).ok());
  EXPECT_EQ(ReasonOf(Write(*file, 60, std::string(20, 'y'))), Reason::kStorageFull);
  EXPECT_EQ(Content("file"), std::string(60, 'x') + std::string(10, 'y')) << "half of it fits";
  EXPECT_TRUE(Write(*file, 0, "zz").ok()) << "what is there may be written over";
  ASSERT_TRUE(disk_.Remove("other").ok());
  EXPECT_TRUE(Write(*file, 60, std::string(40, 'y')).ok());
}

TEST_F(MemoryFileSystemTest, OrderedCutsNeverGrowAFileWithoutItsBytes) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    MemoryFileSystem disk;
    const auto file = disk.Open("file", io::OpenMode::kCreate).value();
    ASSERT_TRUE(disk.SyncDirectory(".").ok());
    ASSERT_TRUE(Write(*file, 0, "abcd").ok());
    disk.CutPower(PowerCut::Random(seed));
    const std::string found = io::ReadFile(disk, "file", 100).value();
    EXPECT_EQ(found, std::string("abcd").substr(0, found.size()));
  }
}

/// A file of one block that is written and not synced, on a disk where other blocks became free.
class StaleBlocksTest : public MemoryFileSystemTest {
 protected:
  static constexpr size_t kBlock = FreedBlocks::kBlockBytes;

  /// All that cuts by many seeds leave of it.
  std::set<std::string> Leftovers(const std::function<void(MemoryFileSystem&)>& free_blocks) {
    std::set<std::string> found;
    for (uint64_t seed = 0; seed < 300; ++seed) {
      MemoryFileSystem disk;
      free_blocks(disk);
      const auto file = disk.Open("new", io::OpenMode::kCreate).value();
      EXPECT_TRUE(disk.SyncDirectory(".").ok());
      EXPECT_TRUE(Write(*file, 0, std::string(kBlock, 'n')).ok());
      disk.CutPower(PowerCut::RandomWithStaleBlocks(seed));
      found.insert(io::ReadFile(disk, "new", 10'000).value());
    }
    return found;
  }
  static void MakeOld(MemoryFileSystem& disk) {
    const auto file = disk.Open("old", io::OpenMode::kCreate).value();
    EXPECT_TRUE(Write(*file, 0, std::string(kBlock, '0') + std::string(kBlock, '1')).ok());
    EXPECT_TRUE(file->Sync().ok());
    EXPECT_TRUE(disk.SyncDirectory(".").ok());
  }
  static bool AnyHas(const std::set<std::string>& found, char byte) {
    return std::ranges::any_of(
        found, [byte](const std::string& content) { return content.find(byte) != content.npos; });
  }
};

TEST_F(StaleBlocksTest, GrownFileHasZerosOnAFreshDisk) {
  const auto found = Leftovers([](MemoryFileSystem&) {});
  EXPECT_TRUE(found.contains(""));
  EXPECT_TRUE(found.contains(std::string(kBlock, 'n')));
  EXPECT_TRUE(AnyHas(found, '\0'));
}

TEST_F(StaleBlocksTest, BlocksOfARemovedFileComeBack) {
  const auto found = Leftovers([](MemoryFileSystem& disk) {
    MakeOld(disk);
    EXPECT_TRUE(disk.Remove("old").ok());
    EXPECT_TRUE(disk.SyncDirectory(".").ok());
  });
  EXPECT_TRUE(AnyHas(found, '0'));
  EXPECT_TRUE(AnyHas(found, '1')) << "from another position";
  EXPECT_TRUE(AnyHas(found, '\0'));
}

TEST_F(StaleBlocksTest, BlocksOfARemovedFileThatIsOpenAreNotFree) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    MemoryFileSystem disk;
    MakeOld(disk);
    const auto old = disk.Open("old", io::OpenMode::kRead).value();
    ASSERT_TRUE(disk.Remove("old").ok());
    const auto file = disk.Open("new", io::OpenMode::kCreate).value();
    ASSERT_TRUE(disk.SyncDirectory(".").ok());
    ASSERT_TRUE(Write(*file, 0, std::string(kBlock, 'n')).ok());
    disk.CutPower(PowerCut::RandomWithStaleBlocks(seed));
    const std::string found = io::ReadFile(disk, "new", 10'000).value();
    EXPECT_EQ(found.find_first_of("01"), found.npos);
  }
}

TEST_F(StaleBlocksTest, OnlyTheBlocksThatATruncatedFileGaveUpComeBack) {
  const auto found = Leftovers([](MemoryFileSystem& disk) {
    MakeOld(disk);
    const auto file = disk.Open("old", io::OpenMode::kReadWrite).value();
    ASSERT_TRUE(file->Truncate(kBlock - 1).ok());
    ASSERT_TRUE(file->Sync().ok());
  });
  EXPECT_FALSE(AnyHas(found, '0'));
  EXPECT_TRUE(AnyHas(found, '1'));
}

TEST_F(StaleBlocksTest, SyncedBytesStay) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    MemoryFileSystem disk;
    MakeOld(disk);
    ASSERT_TRUE(disk.Remove("old").ok());
    ASSERT_TRUE(disk.SyncDirectory(".").ok());
    const auto file = disk.Open("new", io::OpenMode::kCreate).value();
    ASSERT_TRUE(disk.SyncDirectory(".").ok());
    ASSERT_TRUE(Write(*file, 0, "synced").ok());
    ASSERT_TRUE(file->Sync().ok());
    ASSERT_TRUE(Write(*file, 6, std::string(2 * kBlock, 'n')).ok());
    disk.CutPower(PowerCut::RandomWithStaleBlocks(seed));
    EXPECT_TRUE(io::ReadFile(disk, "new", 10'000).value().starts_with("synced"));
  }
}

TEST_F(MemoryFileSystemTest, MisdirectedWriteIsDurableInTheWrongPlaceOnly) {
  const auto file = MakeDurable("file", "0123456789");
  MakeDurable("other", "abcdef");
  const auto to_other = [](const WritePlace& meant) {
    EXPECT_EQ(meant.path, "file");
    return WritePlace{.path = "other", .position = meant.position};
  };
  disk_.MisdirectNth(2, to_other);
  EXPECT_TRUE(Write(*file, 0, "xx").ok());
  EXPECT_TRUE(Write(*file, 2, "yy").ok());
  EXPECT_TRUE(Write(*file, 4, "zz").ok());
  EXPECT_TRUE(file->Sync().ok());
  disk_.CutPower(PowerCut::DropUnsynced());
  EXPECT_EQ(Content("file"), "xx23zz6789");
  EXPECT_EQ(Content("other"), "abyyef");
}

TEST_F(MemoryFileSystemTest, MisdirectedWriteGrowsItsOwnFileAndNoOther) {
  const auto file = MakeDurable("file", "01");
  MakeDurable("other", "abc");
  disk_.MisdirectNth(1, [](const WritePlace&) { return WritePlace{"other", 2}; });
  EXPECT_TRUE(Write(*file, 2, "xyz").ok());
  disk_.MisdirectNth(1, [](const WritePlace&) { return WritePlace{"other", 3}; });
  EXPECT_TRUE(Write(*file, 0, "lost").ok());
  EXPECT_EQ(Content("file"), std::string("01\0\0\0", 5));
  EXPECT_EQ(Content("other"), "abx");
}

TEST_F(MemoryFileSystemTest, FlippedBitIsSeenByAllAndNoChange) {
  const auto file = MakeDurable("file", "abc");
  const uint64_t changes = disk_.changes();
  disk_.FlipBit("file", 1, 0);
  EXPECT_EQ(disk_.changes(), changes);
  EXPECT_EQ(Content("file"), "acc");
  disk_.CutPower(PowerCut::DropUnsynced());
  EXPECT_EQ(Content("file"), "acc");
}

TEST_F(MemoryFileSystemTest, SlowCallTakesTimeAndWorks) {
  ManualClock clock;
  const absl::Time begin = clock.Now();
  disk_.SetFaultHook(MemoryFileSystem::Delay(DiskCall::kSync, absl::Seconds(3), clock));
  const auto file = MakeDurable("file", "content");
  EXPECT_EQ(clock.Now() - begin, absl::Seconds(3));
  EXPECT_TRUE(file->Sync().ok());
  EXPECT_EQ(clock.Now() - begin, absl::Seconds(6));
  disk_.CutPower(PowerCut::DropUnsynced());
  EXPECT_EQ(Content("file"), "content");
}

}  // namespace
}  // namespace talosmq::support
