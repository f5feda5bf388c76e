#include "server/start_guard.h"

#include "base/bytes.h"
#include "support/memory_file_system.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <string>

namespace talosmq::server {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

class StartGuardTest : public testing::Test {
 protected:
  StartGuardTest() { EXPECT_TRUE(files_.MakeDirectories("/data").ok()); }

  absl::StatusOr<std::unique_ptr<StartGuard>> Begin() { return StartGuard::Begin(files_, "/data"); }
  /// A start that dies without a word.
  void Die() { EXPECT_TRUE(Begin().ok()); }
  void Fail(const absl::Status& why) {
    const auto guard = Begin();
    ASSERT_TRUE(guard.ok()) << guard.status();
    EXPECT_TRUE((*guard)->NoteFailed(why).ok());
  }
  void BecomeReady() {
    const auto guard = Begin();
    ASSERT_TRUE(guard.ok()) << guard.status();
    EXPECT_TRUE((*guard)->NoteReady().ok());
  }
  bool HasFile() { return *files_.Exists(kPath); }

  static constexpr const char* kPath = "/data/failed-starts.json";
  support::MemoryFileSystem files_;
};

TEST_F(StartGuardTest, SixthStartAfterFiveDeathsIsRefusedWithWhatToDo) {
  for (int i = 0; i < 5; ++i) Die();
  for (int i = 0; i < 2; ++i) {
    const absl::Status refused = Begin().status();
    EXPECT_EQ(ReasonOf(refused), Reason::kUnavailable);
    EXPECT_THAT(refused.ToString(), AllOf(HasSubstr(kPath), HasSubstr("5 starts in a row"),
                                          HasSubstr("without a word"), HasSubstr("remove")));
  }
  ASSERT_TRUE(files_.Remove(kPath).ok());
  EXPECT_TRUE(Begin().ok());
}

TEST_F(StartGuardTest, FailuresAreCountedAndTheLastOneIsTold) {
  for (int i = 0; i < 4; ++i) Fail(MakeError(Reason::kInternal, "an earlier one"));
  Fail(MakeError(Reason::kCorruptData, "the \"store\"\nis \xff hurt"));
  EXPECT_THAT(Begin().status().ToString(),
              AllOf(HasSubstr("5 starts"), HasSubstr("hurt"), Not(HasSubstr("earlier"))));
}

TEST_F(StartGuardTest, ReadyServerBeginsTheCountAnew) {
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 4; ++i) Die();
    BecomeReady();
    EXPECT_FALSE(HasFile());
  }
}

TEST_F(StartGuardTest, CountAndItsEndAreDurable) {
  for (int i = 0; i < 5; ++i) {
    Die();
    files_.CutPower(support::PowerCut::DropUnsynced());
  }
  EXPECT_FALSE(Begin().ok());
  ASSERT_TRUE(files_.Remove(kPath).ok());
  BecomeReady();
  files_.CutPower(support::PowerCut::DropUnsynced());
  EXPECT_FALSE(HasFile());
}

TEST_F(StartGuardTest, SettingsAndTakenPortsAreNotCounted) {
  for (int i = 0; i < 4; ++i) Die();
  for (const Reason reason : {Reason::kInvalidConfig, Reason::kUnavailable}) {
    for (int i = 0; i < 6; ++i) Fail(MakeError(reason, "put right outside"));
  }
  Die();
  EXPECT_FALSE(Begin().ok());
}

TEST_F(StartGuardTest, NothingIsLeftWhenOnlySettingsWereWrong) {
  Fail(MakeError(Reason::kInvalidConfig, "tls.cert"));
  EXPECT_FALSE(HasFile());
}

TEST_F(StartGuardTest, FileThatCannotBeReadCountsAsNone) {
  for (const char* text : {"", "{", "[]", "{}", "{\"failed_starts\": -1, \"last_error\": \"x\"}",
                           "{\"failed_starts\": \"9\", \"last_error\": \"x\"}",
                           "{\"failed_starts\": 9, \"last_error\": 3}",
                           "{\"failed_starts\": 9, \"last_error\": \"no checksum\"}"}) {
    ASSERT_TRUE(io::WriteFileAtomically(files_, kPath, base::AsBytes(text)).ok());
    EXPECT_TRUE(Begin().ok()) << text;
  }
}

// One bit makes 1 failed start 5 of them, and 5 of them 4.
TEST_F(StartGuardTest, FlippedBitNeverMakesAnotherCount) {
  for (int i = 0; i < 4; ++i) Die();
  const std::string good = *io::ReadFile(files_, kPath, 1 << 20);
  for (size_t i = 0; i < good.size() * 8; ++i) {
    std::string text = good;
    text[i / 8] = static_cast<char>(text[i / 8] ^ (1 << (i % 8)));
    ASSERT_TRUE(io::WriteFileAtomically(files_, kPath, base::AsBytes(text)).ok());
    Die();
    EXPECT_THAT(*io::ReadFile(files_, kPath, 1 << 20),
                AnyOf(HasSubstr("\"failed_starts\": 1,"), HasSubstr("\"failed_starts\": 5,")))
        << "bit " << i << ": " << text;
  }
}

TEST_F(StartGuardTest, CutFileCountsAsNoneAndAnOlderCopyAsMany) {
  Die();
  const std::string older = *io::ReadFile(files_, kPath, 1 << 20);
  for (int i = 0; i < 4; ++i) Die();
  const std::string good = *io::ReadFile(files_, kPath, 1 << 20);
  for (size_t size = 0; size + 2 < good.size(); ++size) {
    ASSERT_TRUE(io::WriteFileAtomically(files_, kPath, base::AsBytes(good.substr(0, size))).ok());
    EXPECT_TRUE(Begin().ok()) << "cut at " << size;
  }
  ASSERT_TRUE(io::WriteFileAtomically(files_, kPath, base::AsBytes(older)).ok());
  for (int i = 0; i < 4; ++i) Die();
  EXPECT_FALSE(Begin().ok());
}

TEST_F(StartGuardTest, FileThatTheDiskDoesNotGiveCountsAsNone) {
  for (int i = 0; i < 5; ++i) Die();
  files_.FailNth(support::DiskCall::kRead, 1, support::MemoryFileSystem::IoError(kPath));
  EXPECT_TRUE(Begin().ok());
}

TEST_F(StartGuardTest, DiskThatCannotCountRefusesTheStart) {
  files_.FailNth(support::DiskCall::kSync, 1, support::MemoryFileSystem::IoError(kPath));
  EXPECT_FALSE(Begin().ok());
}

}  // namespace
}  // namespace talosmq::server
