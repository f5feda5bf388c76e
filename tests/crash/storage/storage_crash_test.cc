// The process dies, or the disk fails, at every single change that a fixed scenario makes on disk:
// what was acknowledged is there afterwards, in order, once (G1, G3, G4).

#include "support/checkers.h"
#include "support/storage_world.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace talosmq::storage {
namespace {

using support::DiskCall;
using support::DurableChecker;
using support::MemoryFileSystem;
using support::OrderChecker;
using support::PowerCut;
using support::StorageWorld;

const TopicPartition kOther{.topic_id = TopicId({9, 8, 7}), .partition = PartitionId(8)};

/// Where batches go first.
enum class WayToDisk { kSegments, kJournal };

/// Produces to two logs through rolls, checkpoints, a restart and a log that is closed, and writes
/// down what was acknowledged. Goes on after errors as a server would.
class Scenario {
 public:
  explicit Scenario(WayToDisk way) {
    world_.log_options().segment_bytes = 6'000;
    world_.store_options().checkpoint_bytes = 9'000;
    if (way == WayToDisk::kSegments) return;
    world_.store_options().direct_logs_max = 0;
    world_.store_options().tail_cache_bytes_max = 16'000;  // A write-back at each 4,000 bytes.
    world_.store_options().journal_file_bytes = 16'384;
  }

  void Run() {
    if (!world_.Start().ok()) return;
    for (int i = 0; i < 8; ++i) Produce(i % 3 == 2 ? kOther : StorageWorld::kLog, 900);
    world_.Advance(absl::Seconds(2));
    for (int i = 0; i < 4; ++i) Produce(StorageWorld::kLog, 2'500);
    Trim(StorageWorld::kLog, Offset(5));
    if (world_.is_open()) (void)world_.Close();
    if (!world_.is_open() && world_.Open().ok()) Produce(StorageWorld::kLog, 50);
    world_.Kill();
    if (!world_.Start().ok()) return;
    for (int i = 0; i < 4; ++i) Produce(i % 2 == 0 ? kOther : StorageWorld::kLog, 1'500);
    Retain(StorageWorld::kLog);
    world_.Advance(absl::Seconds(2));
    Retain(kOther);
    Produce(kOther, 200);
    world_.Run();
    (void)world_.Stop();
  }

  /// After the disk works again.
  void Verify() {
    world_.disk().SetFaultHook(nullptr);
    const absl::Status started = world_.Start();
    ASSERT_TRUE(started.ok()) << started;
    for (const TopicPartition& id : {StorageWorld::kLog, kOther}) {
      const auto report = world_.Open(id);
      ASSERT_TRUE(report.ok()) << report.status();
      EXPECT_EQ(report->damages.size(), 0U);
      const auto log = world_.ReadAll(id);
      ASSERT_TRUE(log.ok()) << log.status();
      const absl::Status durable = durable_.Check(id, *log);
      EXPECT_TRUE(durable.ok()) << durable;
      const Offset log_start = world_.log(id).log_start();
      EXPECT_GE(log_start, log_starts_[id]) << "a start that was acknowledged";
      const absl::Status order = order_.Check(id, log_start, *log);
      EXPECT_TRUE(order.ok()) << order;
      const auto next =
          world_.AppendDurably({.values = {"after " + std::to_string(++values_)}}, id);
      EXPECT_TRUE(next.ok()) << next.status();
      EXPECT_EQ(next->base_offset, log_start + static_cast<int64_t>(log->size()));
    }
    world_.Kill();
  }

  StorageWorld& world() { return world_; }
  size_t acknowledged() const { return acknowledged_count_; }

 private:
  void Produce(const TopicPartition& id, size_t value_bytes) {
    std::string value = std::to_string(++values_) + ":";
    value.resize(value_bytes, 'v');
    order_.Sent(id, value);
    const auto appended = world_.AppendDurably({.values = {value}}, id);
    if (appended.ok()) {
      durable_.Acknowledged(id, appended->base_offset, value);
      acknowledged_[id].emplace(appended->base_offset, value);
      ++acknowledged_count_;
    } else if (world_.is_open(id)) {
      (void)world_.Close(id);  // Fenced, or overloaded by a fence: opened again for the next one.
    }
  }

  void Trim(const TopicPartition& id, Offset log_start) {
    if (!world_.is_open(id) || world_.log(id).durable_end() < log_start) return;
    durable_.Trimming(id, log_start);
    const absl::Status moved = world_.MoveLogStart(log_start, id);
    if (moved.ok()) log_starts_[id] = log_start;
  }

  /// One log loses what its size does not leave room for, the other one begins a segment for its
  /// age.
  void Retain(const TopicPartition& id) {
    if (!world_.is_open(id)) return;
    LogOptions options = world_.log_options();
    options.retention.bytes_max = id == kOther ? std::nullopt : std::optional<int64_t>(6'000);
    if (id == kOther) options.retention.age_max = absl::Seconds(1);
    world_.log(id).SetOptions(options);
    durable_.Trimming(id, world_.log(id).durable_end());
    if (!world_.ApplyRetention(id).ok()) return;
    log_starts_[id] = world_.log(id).log_start();
    for (const auto& [offset, value] : acknowledged_[id]) {
      if (offset >= log_starts_[id]) durable_.Acknowledged(id, offset, value);
    }
  }

  StorageWorld world_;
  DurableChecker durable_;
  std::map<TopicPartition, std::map<Offset, std::string>> acknowledged_;
  std::map<TopicPartition, Offset> log_starts_;  ///< That were acknowledged.
  OrderChecker order_;
  size_t acknowledged_count_ = 0;
  int64_t values_ = 0;
};

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
  EXPECT_EQ(scenario.acknowledged(), 18U);
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
  EXPECT_EQ(whole.acknowledged(), 18U);
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
      if (world.Start().ok() && world.Open().ok()) (void)world.Open(kOther);
      world.CutPower(CutOf(change * 100 + second, second % kCuts));
      scenario.Verify();
      if (testing::Test::HasFailure()) return;
    }
  }
}

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

/// Writes keys over and over into a compacted log, compacts it twice, and goes on; what is
/// acknowledged last of each key has to be there (R09).
class CompactionScenario {
 public:
  explicit CompactionScenario(WayToDisk way) {
    world_.log_options().segment_bytes = 3'000;
    world_.log_options().compaction = CompactionRules{};
    if (way == WayToDisk::kJournal) world_.store_options().direct_logs_max = 0;
  }

  void Run() {
    if (!world_.Start().ok()) return;
    for (int round = 0; round < 2; ++round) {
      for (int i = 0; i < 10; ++i) Put("k" + std::to_string(i % 4));
      Put("once " + std::to_string(round));
      world_.Advance(absl::Seconds(2));
      world_.Run();
      if (world_.is_open()) (void)world_.Compact();
    }
    if (world_.is_open() && world_.log().durable_end() >= Offset(12)) {
      (void)world_.MoveLogStart(Offset(1));
    }
    Put("k0");
    (void)world_.Stop();
  }

  void Verify() {
    world_.disk().SetFaultHook(nullptr);
    const absl::Status started = world_.Start();
    ASSERT_TRUE(started.ok()) << started;
    const auto report = world_.Open();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->damages.empty()) << report->damages.front();
    const auto log = world_.ReadAll();
    ASSERT_TRUE(log.ok()) << log.status();
    std::map<Offset, std::string> found;
    for (const auto& record : *log) {
      EXPECT_TRUE(found.empty() || found.rbegin()->first < record.offset);
      EXPECT_EQ(record.value, appended_[record.offset]);
      found.emplace(record.offset, record.value);
    }
    for (const auto& [key, offset] : acknowledged_) {
      const bool is_superseded = std::ranges::any_of(found, [&](const auto& record) {
        return record.first > offset && keys_[record.first] == key;
      });
      EXPECT_TRUE(is_superseded || found.contains(offset)) << key << " at " << offset.value();
    }
    const auto next = world_.AppendDurably({.values = {"after"}, .keys = {"after"}});
    EXPECT_TRUE(next.ok()) << next.status();
    world_.Kill();
  }

  StorageWorld& world() { return world_; }
  size_t keys() const { return acknowledged_.size(); }

 private:
  void Put(const std::string& key) {
    std::string value = std::to_string(++values_) + ":";
    value.resize(900, 'v');
    const auto given = world_.Append({.values = {value}, .keys = {key}});
    if (given.ok()) {
      appended_[given->base_offset] = value;
      keys_[given->base_offset] = key;
    }
    world_.Run();
    if (!given.ok() || !world_.last_told().ok()) {
      if (world_.is_open()) (void)world_.Close();
    } else if (world_.log().durable_end() > given->base_offset) {
      acknowledged_[key] = given->base_offset;
    }
  }

  StorageWorld world_;
  std::map<Offset, std::string> appended_;  ///< What was given an offset last.
  std::map<Offset, std::string> keys_;
  std::map<std::string, Offset> acknowledged_;  ///< The last offset of each key.
  int64_t values_ = 0;
};

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
                         [](const auto& way) {
                           return way.param == WayToDisk::kSegments ? "Segments" : "Journal";
                         });

INSTANTIATE_TEST_SUITE_P(BothWays, StorageCrashTest,
                         testing::Values(WayToDisk::kSegments, WayToDisk::kJournal),
                         [](const auto& way) {
                           return way.param == WayToDisk::kSegments ? "Segments" : "Journal";
                         });

}  // namespace
}  // namespace talosmq::storage
