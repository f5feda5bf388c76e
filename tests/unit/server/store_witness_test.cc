#include "server/store_witness.h"

#include "base/random.h"
#include "support/manual_clock.h"
#include "support/manual_executor.h"
#include "support/memory_file_system.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::server {
namespace {

kv::StoreMark Mark(int64_t writes) {
  return {.writes = writes, .manifest = "M-1", .manifest_bytes = 3, .manifest_crc = 4};
}

/// A store of nothing but its mark.
class MarkedStore final : public kv::DiskStore {
 public:
  absl::StatusOr<std::optional<std::string>> Get(std::string_view) override {
    return std::optional<std::string>();
  }
  absl::StatusOr<std::vector<kv::Entry>> Scan(std::string_view, std::string_view, size_t) override {
    return std::vector<kv::Entry>();
  }
  absl::Status Write(const kv::WriteBatch&, kv::Durability) override { return absl::OkStatus(); }
  absl::StatusOr<kv::StoreMark> Sync() override { return mark; }

  absl::StatusOr<kv::StoreMark> mark = Mark(1);
};

class StoreWitnessTest : public testing::Test {
 protected:
  StoreWitnessTest() : executor_(clock_) {
    auto directory = DataDirectory::Open(files_, "/data", "rocksdb:", random_);
    EXPECT_TRUE(directory.ok()) << directory.status();
    directory_ = *std::move(directory);
    witness_ =
        std::make_unique<StoreWitness>(StoreWitness::Dependencies{*directory_, store_, executor_});
  }

  void LetOneIntervalPass() {
    clock_.Advance(StoreWitness::kInterval);
    executor_.RunUntilIdle();
  }
  kv::StoreMark Witnessed() {
    const auto identity = LoadNodeIdentity(files_, "/data/node.json");
    EXPECT_TRUE(identity.ok()) << identity.status();
    return (*identity)->store;
  }

  support::ManualClock clock_;
  support::ManualExecutor executor_;
  support::MemoryFileSystem files_;
  base::SystemRandom random_;
  MarkedStore store_;
  std::unique_ptr<DataDirectory> directory_;
  std::unique_ptr<StoreWitness> witness_;
};

TEST_F(StoreWitnessTest, WritesThatAreNotDurableAreNotWitnessed) {
  store_.mark = MakeError(Reason::kStorageFenced, "the sync has failed");
  EXPECT_EQ(ReasonOf(witness_->Record()), Reason::kStorageFenced);
  EXPECT_EQ(Witnessed(), kv::StoreMark());
}

TEST_F(StoreWitnessTest, FailureIsOverWithTheNextInterval) {
  witness_->Start();
  store_.mark = MakeError(Reason::kStorageFull, "no space");
  executor_.RunUntilIdle();
  LetOneIntervalPass();
  EXPECT_EQ(Witnessed(), kv::StoreMark());
  store_.mark = Mark(7);
  files_.FailNth(support::DiskCall::kSync, 1, support::MemoryFileSystem::IoError("node.json"));
  LetOneIntervalPass();
  EXPECT_EQ(Witnessed(), kv::StoreMark());
  LetOneIntervalPass();
  EXPECT_EQ(Witnessed(), Mark(7));
}

TEST_F(StoreWitnessTest, StoreWithoutWritesCostsNothing) {
  witness_->Start();
  executor_.RunUntilIdle();
  LetOneIntervalPass();
  const uint64_t changes = files_.changes();
  LetOneIntervalPass();
  EXPECT_EQ(files_.changes(), changes);
}

TEST_F(StoreWitnessTest, LastWritesAreWitnessedByTheStop) {
  base::ThreadExecutor executor({.name = "witness"});
  StoreWitness witness({*directory_, store_, executor});
  witness.Start();
  store_.mark = Mark(9);
  witness.Stop();
  executor.Stop();
  EXPECT_EQ(Witnessed(), Mark(9));
}

}  // namespace
}  // namespace talosmq::server
