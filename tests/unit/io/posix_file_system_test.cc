#include "io/file_system.h"
#include "talosmq/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace talosmq::io {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A folder of its own for each test, and the kernel's file system.
class PosixFileSystemTest : public ::testing::Test {
 protected:
  PosixFileSystemTest() {
    std::string name = (std::filesystem::temp_directory_path() / "talosmq-io-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  ~PosixFileSystemTest() override { std::filesystem::remove_all(directory_); }

  std::string Path(const std::string& name) const { return directory_ + "/" + name; }
  std::unique_ptr<File> Make(const std::string& name) {
    auto file = disk_->Open(Path(name), OpenMode::kCreate);
    EXPECT_TRUE(file.ok()) << file.status();
    return std::move(file).value();
  }
  static absl::Status Write(File& file, uint64_t position, std::string_view bytes) {
    const base::ByteSpan piece = base::AsBytes(bytes);
    return file.Write(position, std::span(&piece, 1));
  }
  std::string Content(const std::string& name) {
    return ReadFile(*disk_, Path(name), uint64_t{1} << 30).value_or("unreadable");
  }

  std::string directory_;
  std::unique_ptr<FileSystem> disk_ = MakePosixFileSystem();
};

TEST_F(PosixFileSystemTest, MissingFileIsNotFoundAndNamed) {
  for (const OpenMode mode : {OpenMode::kRead, OpenMode::kReadWrite}) {
    const auto file = disk_->Open(Path("absent"), mode);
    EXPECT_EQ(file.status().code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(std::string(file.status().message()), HasSubstr("absent: open: ENOENT"));
  }
  EXPECT_EQ(disk_->Remove(Path("absent")).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(disk_->Rename(Path("absent"), Path("x")).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(disk_->List(Path("absent")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(disk_->SyncDirectory(Path("absent")).code(), absl::StatusCode::kNotFound);
}

TEST_F(PosixFileSystemTest, NewFileDoesNotTakeAnExistingOne) {
  Make("file");
  EXPECT_EQ(disk_->Open(Path("file"), OpenMode::kCreateNew).status().code(),
            absl::StatusCode::kAlreadyExists);
}

TEST_F(PosixFileSystemTest, FullDiskIsStorageFull) {
  const auto full = disk_->Open("/dev/full", OpenMode::kReadWrite);
  ASSERT_TRUE(full.ok()) << full.status();
  const absl::Status status = Write(**full, 0, "bytes");
  EXPECT_EQ(ReasonOf(status), Reason::kStorageFull);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/dev/full: pwritev: ENOSPC"));
}

TEST_F(PosixFileSystemTest, PartialWriteIsContinuedAndItsErrorTold) {
  // With a limit on the size of files the kernel first takes a part, then refuses the rest.
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto file = Make("file");
  const rlimit limit{.rlim_cur = 5, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  const absl::Status status = Write(*file, 0, "0123456789");
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(ReasonOf(status), Reason::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("EFBIG"));
  EXPECT_EQ(Content("file"), "01234");
}

TEST_F(PosixFileSystemTest, WriteIntoAFileOpenForReadingFails) {
  Make("file");
  const auto file = disk_->Open(Path("file"), OpenMode::kRead);
  ASSERT_TRUE(file.ok());
  EXPECT_THAT(std::string(Write(**file, 0, "x").message()), HasSubstr("EBADF"));
}

TEST_F(PosixFileSystemTest, MorePiecesThanOneCallTakesArriveInOrder) {
  std::vector<std::string> texts;
  std::string expected;
  for (int i = 0; i < 3000; ++i) {
    texts.push_back(i % 7 == 0 ? "" : std::to_string(i) + ",");
    expected += texts.back();
  }
  std::vector<base::ByteSpan> pieces;
  for (const std::string& text : texts) pieces.push_back(base::AsBytes(text));
  const auto file = Make("file");
  ASSERT_TRUE(file->Write(2, pieces).ok());
  EXPECT_EQ(Content("file"), std::string(2, '\0') + expected);
}

TEST_F(PosixFileSystemTest, WritingNothingIsFine) {
  const auto file = Make("file");
  EXPECT_TRUE(file->Write(0, {}).ok());
  EXPECT_TRUE(Write(*file, 0, "").ok());
  EXPECT_EQ(file->Size().value(), 0u);
}

TEST_F(PosixFileSystemTest, ReadIsShortOnlyAtTheEnd) {
  const auto file = Make("file");
  ASSERT_TRUE(Write(*file, 0, "abcdef").ok());
  std::array<std::byte, 4> into{};
  EXPECT_EQ(file->Read(0, into).value(), 4u);
  EXPECT_EQ(file->Read(4, into).value(), 2u);
  EXPECT_EQ(file->Read(6, into).value(), 0u);
  EXPECT_EQ(base::AsText(into).substr(0, 2), "ef");
}

TEST_F(PosixFileSystemTest, PreallocatedBytesAreZeroAndCounted) {
  const auto file = Make("file");
  ASSERT_TRUE(Write(*file, 0, "ab").ok());
  ASSERT_TRUE(file->Preallocate(6).ok());
  EXPECT_EQ(Content("file"), std::string("ab\0\0\0\0", 6));
  ASSERT_TRUE(file->Preallocate(3).ok());
  EXPECT_EQ(file->Size().value(), 6u);
  ASSERT_TRUE(file->Truncate(1).ok());
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(Content("file"), "a");
}

TEST_F(PosixFileSystemTest, HolesAreNotAllocatedAndPreallocatedBytesAre) {
  constexpr uint64_t kBytes = 1 << 20;
  const auto file = Make("file");
  ASSERT_TRUE(file->Truncate(kBytes).ok());
  EXPECT_LT(file->AllocatedBytes().value(), kBytes);
  ASSERT_TRUE(file->Preallocate(kBytes).ok());
  EXPECT_GE(file->AllocatedBytes().value(), kBytes);
}

TEST_F(PosixFileSystemTest, OpenModesKeepOrDropWhatIsThere) {
  ASSERT_TRUE(Write(*Make("file"), 0, "kept").ok());
  EXPECT_TRUE(disk_->Open(Path("file"), OpenMode::kCreate).ok());
  EXPECT_EQ(Content("file"), "kept");
  EXPECT_TRUE(disk_->Open(Path("file"), OpenMode::kTruncate).ok());
  EXPECT_EQ(Content("file"), "");
}

TEST_F(PosixFileSystemTest, DirectoriesComeWithTheirParents) {
  ASSERT_TRUE(disk_->MakeDirectories(Path("a/b/c/")).ok());
  ASSERT_TRUE(disk_->MakeDirectories(Path("a/b/c")).ok());
  EXPECT_THAT(disk_->List(Path("a/b")).value(), ElementsAre("c"));
  EXPECT_EQ(ReasonOf(disk_->RemoveDirectory(Path("a"))), Reason::kInternal);
  EXPECT_TRUE(disk_->RemoveDirectory(Path("a/b/c")).ok());
  EXPECT_FALSE(disk_->Exists(Path("a/b/c")).value());
}

TEST_F(PosixFileSystemTest, FileInTheWayOfADirectoryIsToldOf) {
  Make("file");
  EXPECT_THAT(std::string(disk_->MakeDirectories(Path("file")).message()), HasSubstr("ENOTDIR"));
  EXPECT_THAT(std::string(disk_->MakeDirectories(Path("file/below")).message()),
              HasSubstr("ENOTDIR"));
}

TEST_F(PosixFileSystemTest, NamesAreListedSorted) {
  for (const char* name : {"b", "a", ".c"}) Make(name);
  EXPECT_THAT(disk_->List(directory_).value(), ElementsAre(".c", "a", "b"));
}

TEST_F(PosixFileSystemTest, RenameReplaces) {
  ASSERT_TRUE(Write(*Make("old"), 0, "old").ok());
  ASSERT_TRUE(Write(*Make("new"), 0, "new").ok());
  ASSERT_TRUE(disk_->Rename(Path("new"), Path("old")).ok());
  EXPECT_EQ(Content("old"), "new");
  EXPECT_FALSE(disk_->Exists(Path("new")).value());
}

TEST_F(PosixFileSystemTest, SecondLockIsAConflictUntilTheFirstGoes) {
  auto first = disk_->Lock(Path("lock"));
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(ReasonOf(disk_->Lock(Path("lock")).status()), Reason::kConflict);
  first->reset();
  EXPECT_TRUE(disk_->Lock(Path("lock")).ok());
}

TEST_F(PosixFileSystemTest, FileLargerThanExpectedIsNotRead) {
  ASSERT_TRUE(Write(*Make("file"), 0, "12345").ok());
  const auto content = ReadFile(*disk_, Path("file"), 4);
  EXPECT_EQ(ReasonOf(content.status()), Reason::kInvalidArgument);
  EXPECT_THAT(std::string(content.status().message()), HasSubstr("at most 4 bytes, found 5"));
}

TEST_F(PosixFileSystemTest, WholeFileIsReplaced) {
  ASSERT_TRUE(WriteFileAtomically(*disk_, Path("file"), base::AsBytes("longer")).ok());
  ASSERT_TRUE(WriteFileAtomically(*disk_, Path("file"), base::AsBytes("short")).ok());
  EXPECT_EQ(Content("file"), "short");
  EXPECT_THAT(disk_->List(directory_).value(), ElementsAre("file"));
}

TEST(ParentDirectoryTest, GoesUpToTheLastSlash) {
  EXPECT_EQ(ParentDirectory("a/b"), "a");
  EXPECT_EQ(ParentDirectory("a/b/"), "a");
  EXPECT_EQ(ParentDirectory("/a"), "/");
  EXPECT_EQ(ParentDirectory("/"), "/");
  EXPECT_EQ(ParentDirectory("a"), ".");
  EXPECT_EQ(ParentDirectory(""), ".");
}

TEST_F(PosixFileSystemTest, SpaceIsThatOfTheFileSystem) {
  const auto space = disk_->Space(directory_);
  ASSERT_TRUE(space.ok()) << space.status();
  EXPECT_GT(space->capacity_bytes, 0);
  EXPECT_LE(space->free_bytes, space->capacity_bytes);
  EXPECT_TRUE(absl::IsNotFound(disk_->Space(Path("missing")).status()));
}

}  // namespace
}  // namespace talosmq::io
