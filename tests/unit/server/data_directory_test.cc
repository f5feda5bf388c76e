#include "server/data_directory.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "support/memory_file_system.h"
#include "talosmq/error.h"

#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <memory>
#include <string>
#include <utility>

namespace talosmq::server {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const kv::StoreMark kMark{
    .writes = 5, .manifest = "M", .manifest_bytes = 1 << 20, .manifest_crc = 0xffffffff};

class CountingRandom final : public base::Random {
 public:
  uint64_t Next() override { return ++last_; }

 private:
  uint64_t last_ = 0;
};

class DataDirectoryTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<DataDirectory>> Open(const std::string& store = "rocksdb:") {
    return DataDirectory::Open(files_, "/data", store, random_);
  }

  std::unique_ptr<DataDirectory> MustOpen() {
    auto directory = Open();
    EXPECT_TRUE(directory.ok()) << directory.status();
    return *std::move(directory);
  }

  static DataDirectory::StoredBoot StoredBy(const DataDirectory& directory) {
    return {.cluster_id = directory.identity().cluster_id,
            .directory_id = directory.identity().directory_id,
            .boot_counter = directory.identity().boot_counter};
  }

  void Write(const std::string& path, std::string_view text) {
    ASSERT_TRUE(io::WriteFileAtomically(files_, path, base::AsBytes(text)).ok());
  }
  std::string Read(const std::string& path) { return *io::ReadFile(files_, path, 1 << 20); }

  support::MemoryFileSystem files_;
  CountingRandom random_;
};

TEST_F(DataDirectoryTest, SecondServerIsRefusedByTheLock) {
  const auto first = MustOpen();
  const auto second = Open();
  EXPECT_EQ(ReasonOf(second.status()), Reason::kConflict);
  EXPECT_THAT(second.status().ToString(), AllOf(HasSubstr("/data"), HasSubstr("in use")));
}

TEST_F(DataDirectoryTest, DataWithoutNodeFileIsRefusedAndKept) {
  ASSERT_TRUE(files_.MakeDirectories("/data/topics/x").ok());
  ASSERT_TRUE(files_.MakeDirectories("/data/kv").ok());
  const auto directory = Open();
  EXPECT_EQ(ReasonOf(directory.status()), Reason::kCorruptData);
  EXPECT_THAT(directory.status().ToString(),
              AllOf(HasSubstr("/data/node.json is missing"), HasSubstr("/data/kv"),
                    HasSubstr("/data/topics")));
  EXPECT_TRUE(*files_.Exists("/data/topics/x"));
  EXPECT_FALSE(*files_.Exists("/data/node.json"));
}

TEST_F(DataDirectoryTest, DamagedNodeFileIsRefusedNamingTheDamage) {
  MustOpen();
  const std::string good = Read("/data/node.json");
  const auto error_with = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    Write("/data/node.json", text);
    const absl::Status status = Open().status();
    EXPECT_FALSE(status.ok()) << text;
    return status.ToString();
  };
  EXPECT_THAT(error_with("{", ""), AllOf(HasSubstr("/data/node.json"), HasSubstr("JSON object")));
  EXPECT_THAT(error_with("\"boot_counter\": 0", "\"boot_counter\": 8"), HasSubstr("crc32c"));
  EXPECT_THAT(error_with("\"boot_counter\": 0", "\"boot_counter\": -1"),
              HasSubstr("boot_counter is not a number"));
  EXPECT_THAT(error_with("cluster_id", "cluster"), HasSubstr("cluster_id is missing"));
  EXPECT_THAT(error_with("\"clean_stop\": true", "\"clean_stop\": 1"),
              HasSubstr("clean_stop is not true or false"));
  EXPECT_THAT(error_with("\"format\": 2", "\"format\": 3"), HasSubstr("format 3"));
  EXPECT_THAT(error_with("\"format\": 2", "\"format\": 1"), HasSubstr("crc32c"));
  EXPECT_THAT(error_with("\"store_writes\": 0", "\"store_writes\": 1"), HasSubstr("crc32c"));
  for (size_t size = 0; size + 2 < good.size(); ++size) {
    Write("/data/node.json", good.substr(0, size));
    EXPECT_FALSE(Open().ok()) << "cut at " << size;
  }
}

TEST_F(DataDirectoryTest, EveryFlippedBitOfTheNodeFileIsFound) {
  const NodeIdentity identity = MustOpen()->identity();
  const std::string good = Read("/data/node.json");
  for (size_t i = 0; i < good.size() * 8; ++i) {
    std::string text = good;
    text[i / 8] = static_cast<char>(text[i / 8] ^ (1 << (i % 8)));
    const auto decoded = DecodeNodeIdentity(text);
    EXPECT_TRUE(!decoded.ok() || *decoded == identity) << "bit " << i << ": " << text;
  }
}

TEST_F(DataDirectoryTest, NodeFileOfFormatOneKnowsNoStore) {
  constexpr std::string_view kOld =
      R"({"format": 1, "cluster_id": "c", "broker_id": 0, "directory_id": "d",
          "metadata_store": "rocksdb:", "boot_counter": 3, "clean_stop": true,
          "crc32c": "CRC"})";
  const std::string checksum =
      absl::StrFormat("%08x", base::Crc32c(base::AsBytes("1\nc\n0\nd\nrocksdb:\n3\nclean")));
  std::string text(kOld);
  text.replace(text.find("CRC"), 3, checksum);
  const auto decoded = DecodeNodeIdentity(text);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->boot_counter, 3);
  EXPECT_EQ(decoded->store, kv::StoreMark());
}

TEST_F(DataDirectoryTest, ErrorOfTheStoreNamesBothOnceThereWasOne) {
  const auto directory = MustOpen();
  const absl::Status error = MakeError(Reason::kCorruptData, "cannot be read");
  EXPECT_EQ(directory->DescribeStoreError(error), error);
  ASSERT_TRUE(directory->NoteStore(kMark).ok());
  const absl::Status described = directory->DescribeStoreError(error);
  EXPECT_EQ(ReasonOf(described), Reason::kCorruptData);
  EXPECT_THAT(described.ToString(),
              AllOf(HasSubstr("/data/node.json"), HasSubstr("/data/kv"),
                    HasSubstr("cannot be read"), HasSubstr("accept_restored_copy")));
}

TEST_F(DataDirectoryTest, MarkOfTheStoreOutlivesARestart) {
  ASSERT_TRUE(MustOpen()->NoteStore(kMark).ok());
  EXPECT_EQ(MustOpen()->identity().store, kMark);
}

TEST_F(DataDirectoryTest, AnotherMetadataStoreIsRefused) {
  MustOpen();
  EXPECT_THAT(Open("etcd://a:1/x").status().ToString(),
              AllOf(HasSubstr("etcd://a:1/x"), HasSubstr("rocksdb:")));
}

TEST_F(DataDirectoryTest, OlderCopyIsRefusedWithWhatToSet) {
  const auto directory = MustOpen();
  ASSERT_TRUE(directory->BeginBoot(0).ok());
  DataDirectory::StoredBoot stored = StoredBy(*directory);
  EXPECT_TRUE(directory->CheckAgainst(stored, DataDirectory::OldCopy::kRefuse).ok());
  stored.boot_counter = 5;
  const absl::Status status = directory->CheckAgainst(stored, DataDirectory::OldCopy::kRefuse);
  EXPECT_THAT(status.ToString(), AllOf(HasSubstr("seen 1 starts"), HasSubstr("store 5"),
                                       HasSubstr("recovery.accept_restored_copy: true")));
  EXPECT_TRUE(directory->CheckAgainst(stored, DataDirectory::OldCopy::kAccept).ok());
  ASSERT_TRUE(directory->BeginBoot(stored.boot_counter).ok());
  EXPECT_EQ(directory->identity().boot_counter, 6);
}

TEST_F(DataDirectoryTest, CounterAheadOfTheStoreIsFine) {
  const auto directory = MustOpen();
  const DataDirectory::StoredBoot stored = StoredBy(*directory);
  ASSERT_TRUE(directory->BeginBoot(0).ok());
  EXPECT_TRUE(directory->CheckAgainst(stored, DataDirectory::OldCopy::kRefuse).ok());
}

TEST_F(DataDirectoryTest, ForeignStoreIsRefused) {
  const auto directory = MustOpen();
  DataDirectory::StoredBoot stored = StoredBy(*directory);
  stored.cluster_id = "another";
  EXPECT_THAT(directory->CheckAgainst(stored, DataDirectory::OldCopy::kAccept).ToString(),
              HasSubstr("another"));
  stored = StoredBy(*directory);
  stored.directory_id = "another";
  EXPECT_FALSE(directory->CheckAgainst(stored, DataDirectory::OldCopy::kAccept).ok());
}

TEST_F(DataDirectoryTest, EmptyStoreBesideLogsIsRefused) {
  const auto directory = MustOpen();
  EXPECT_TRUE(directory->CheckAgainst(std::nullopt, DataDirectory::OldCopy::kRefuse).ok());
  ASSERT_TRUE(files_.MakeDirectories("/data/topics").ok());
  EXPECT_THAT(directory->CheckAgainst(std::nullopt, DataDirectory::OldCopy::kRefuse).ToString(),
              AllOf(HasSubstr("/data/kv is empty"), HasSubstr("/data/topics")));
}

TEST_F(DataDirectoryTest, IdentityAndCounterOutliveARestart) {
  NodeIdentity identity;
  {
    const auto directory = MustOpen();
    ASSERT_TRUE(directory->BeginBoot(0).ok());
    EXPECT_FALSE(directory->identity().is_clean);
    ASSERT_TRUE(
        directory->WriteListeners({.grpc = "127.0.0.1:5", .http = "127.0.0.1:6", .kafka = {}})
            .ok());
    EXPECT_THAT(Read("/data/listeners.json"), HasSubstr("\"grpc\": \"127.0.0.1:5\""));
    ASSERT_TRUE(directory->MarkCleanStop().ok());
    EXPECT_FALSE(*files_.Exists("/data/listeners.json"));
    identity = directory->identity();
  }
  EXPECT_EQ(MustOpen()->identity(), identity);
  EXPECT_TRUE(identity.is_clean);
  EXPECT_EQ(identity.boot_counter, 1);
}

TEST_F(DataDirectoryTest, ListenersOfAKilledServerAreRemoved) {
  {
    const auto directory = MustOpen();
    ASSERT_TRUE(
        directory->WriteListeners({.grpc = "127.0.0.1:5", .http = "127.0.0.1:6", .kafka = {}})
            .ok());
  }
  MustOpen();
  EXPECT_FALSE(*files_.Exists("/data/listeners.json"));
}

TEST_F(DataDirectoryTest, PowerCutAtAnyMomentNeverLowersTheCounter) {
  int64_t boots = 0;
  for (uint64_t moment = 1; moment < 60; ++moment) {
    files_.DieAtChange(moment % 12 + 1);
    {
      auto directory = Open();
      if (directory.ok() && (*directory)->BeginBoot(boots).ok()) {
        boots = (*directory)->identity().boot_counter;
      }
    }
    files_.CutPower(support::PowerCut::Random(moment));
    const auto directory = MustOpen();
    EXPECT_GE(directory->identity().boot_counter, boots);
    boots = directory->identity().boot_counter;
  }
  EXPECT_GT(boots, 0);
}

}  // namespace
}  // namespace talosmq::server
