#include "server/registration.h"

#include "base/random.h"
#include "metadata/codec.h"
#include "metadata/keys.h"
#include "metadata/memory/memory_store.h"
#include "server/await.h"
#include "support/memory_file_system.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace talosmq::server {
namespace {

class RegistrationTest : public testing::Test {
 protected:
  RegistrationTest()
      : executor_({.name = "store"}), store_(metadata::MakeMemoryStore({}, executor_)) {
    Reopen();
  }
  ~RegistrationTest() override { executor_.Stop(); }

  void Reopen() {
    directory_.reset();
    auto directory = DataDirectory::Open(files_, "/data", "rocksdb:", random_);
    ASSERT_TRUE(directory.ok()) << directory.status();
    directory_ = *std::move(directory);
  }

  absl::Status Register(const std::string& address = "127.0.0.1:9191") {
    return RegisterNode(*directory_, DataDirectory::OldCopy::kRefuse, address, *store_, executor_,
                        clock_);
  }

  metadata::BrokerRecord Broker() {
    using Entry = absl::StatusOr<std::optional<metadata::KeyValue>>;
    const auto entry = Await<Entry>([&](auto done) {
      store_->Get(metadata::BrokerKey(BrokerId(0)), executor_, std::move(done));
    });
    return *metadata::Decode<metadata::BrokerRecord>(**entry);
  }

  support::MemoryFileSystem files_;
  base::SystemRandom random_;
  base::SystemClock clock_;
  base::ThreadExecutor executor_;
  std::unique_ptr<metadata::MetadataStore> store_;
  std::unique_ptr<DataDirectory> directory_;
};

TEST_F(RegistrationTest, StoreOfAnotherClusterIsRefusedAndNotChanged) {
  ASSERT_TRUE(Register().ok());
  ASSERT_TRUE(files_.Remove("/data/node.json").ok());
  Reopen();
  EXPECT_EQ(ReasonOf(Register("10.0.0.1:1")), Reason::kCorruptData);
  EXPECT_EQ(Broker().boot_counter, 1);
  EXPECT_EQ(Broker().grpc_address, "127.0.0.1:9191");
  EXPECT_EQ(directory_->identity().boot_counter, 0);
}

TEST_F(RegistrationTest, OlderNodeFileIsRefusedAndNotChanged) {
  const std::string first = *io::ReadFile(files_, "/data/node.json", 1 << 20);
  ASSERT_TRUE(Register().ok());
  Reopen();
  ASSERT_TRUE(Register().ok());
  ASSERT_TRUE(io::WriteFileAtomically(files_, "/data/node.json", base::AsBytes(first)).ok());
  Reopen();
  EXPECT_EQ(ReasonOf(Register()), Reason::kCorruptData);
  EXPECT_EQ(directory_->identity().boot_counter, 0);
}

TEST_F(RegistrationTest, FailedCommitLeavesTheNodeFileAheadAndTheNextStartGoesOn) {
  ASSERT_TRUE(Register().ok());
  ASSERT_TRUE(directory_->BeginBoot(1).ok());  // A start that died before the store knew.
  Reopen();
  ASSERT_TRUE(Register().ok());
  EXPECT_EQ(directory_->identity().boot_counter, 3);
  EXPECT_EQ(Broker().boot_counter, 3);
}

TEST_F(RegistrationTest, NodeFileThatCannotBeWrittenLeavesTheStoreAsItWas) {
  ASSERT_TRUE(Register().ok());
  Reopen();
  files_.FailNth(support::DiskCall::kSync, 1, support::MemoryFileSystem::IoError("node.json"));
  EXPECT_FALSE(Register().ok());
  EXPECT_EQ(Broker().boot_counter, 1);
}

TEST_F(RegistrationTest, EachStartRaisesBothCounters) {
  for (int64_t boot = 1; boot <= 3; ++boot) {
    ASSERT_TRUE(Register().ok());
    EXPECT_EQ(directory_->identity().boot_counter, boot);
    EXPECT_EQ(Broker().boot_counter, boot);
    EXPECT_EQ(Broker().directory_id, directory_->identity().directory_id);
    Reopen();
  }
}

TEST_F(RegistrationTest, AddressIsReplacedOnceThePortIsKnown) {
  ASSERT_TRUE(Register("127.0.0.1:0").ok());
  ASSERT_TRUE(UpdateAddress(directory_->identity(), "127.0.0.1:4567", *store_, executor_).ok());
  EXPECT_EQ(Broker().grpc_address, "127.0.0.1:4567");
  EXPECT_EQ(Broker().boot_counter, 1);
}

}  // namespace
}  // namespace talosmq::server
