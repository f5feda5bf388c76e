// A server that dumps dies at each call that it makes to the disk and to the metadata store, and
// another one goes on: every record is in exactly one published file, and at no moment is a partial
// one visible (G7).

#include "support/dump_world.h"

#include "gtest/gtest.h"

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::sink {
namespace {

using support::DiskCall;
using support::DumpProcess;
using support::DumpWorld;
using support::PowerCut;
using support::StoreFate;

constexpr int64_t kNow = DumpWorld::kSixOClockMs;
constexpr int64_t kHourMs = 3'600'000;
constexpr int32_t kPartitions = 2;

/// Random choices of one run (splitmix64).
class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed) {}
  /// In [0, end).
  uint64_t Below(uint64_t end) {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return (mixed ^ (mixed >> 31)) % end;
  }

 private:
  uint64_t state_;
};

/// How a server dies.
enum class Death {
  kPowerCutHard,    ///< The disk keeps what was synced and nothing else.
  kPowerCutRandom,  ///< The disk keeps any of what was not synced.
  kKill,            ///< kill -9: the disk keeps everything.
  kBeforeSave,      ///< In a call to the store, which has not happened.
  kAfterSave,       ///< In a call to the store, which has happened.
};

struct Doom {
  Death death = Death::kKill;
  uint64_t nth = 0;  ///< Call, from 1, of the kind that `death` is about.
};

/// Servers that dump the same topic one after another. Each meets the next of the dooms, if it
/// lives that long; when there is none left it lives for ever.
class Lives {
 public:
  Lives(uint64_t seed, std::vector<Doom> dooms)
      : seed_(seed), dooms_(std::move(dooms)), world_(kPartitions) {
    world_.store.SetChooser([this] { return MeetStore(); });
    Begin();
  }

  DumpWorld& world() { return world_; }
  DumpProcess& process() { return *process_; }
  uint64_t disk_calls() const { return world_.disk.changes(); }
  uint64_t store_calls() const { return store_calls_; }

  /// The present server lives for ever; what the test itself reads is no call of it.
  void Spare() {
    doom_.reset();
    world_.disk.SetFaultHook(nullptr);
    world_.disk.DieAtChange(uint64_t{1} << 60);
  }

  /// Buries a dead server and starts the next one. True when there was one.
  bool Revive() {
    if (!IsDead()) return false;
    process_.reset();
    world_.disk.SetFaultHook(nullptr);
    if (doom_->death == Death::kPowerCutHard) world_.disk.CutPower(PowerCut::DropUnsynced());
    if (doom_->death == Death::kPowerCutRandom) world_.disk.CutPower(PowerCut::Random(seed_));
    EXPECT_EQ(world_.checker.CheckVisible(), absl::OkStatus());
    Begin();
    return true;
  }

 private:
  void Begin() {
    doom_.reset();
    if (next_doom_ < dooms_.size()) Arm(dooms_[next_doom_++]);
    process_ = std::make_unique<DumpProcess>(world_);
    process_->Start().IgnoreError();
    // Whoever wants the dump asks until there is one.
    process_->CreateJson({{"roll.records", "4"}, {"roll.ms", "1000"}}).IgnoreError();
  }

  void Arm(Doom doom) {
    doom_ = doom;
    switch (doom.death) {
      case Death::kPowerCutHard:
      case Death::kPowerCutRandom:
        world_.disk.DieAtChange(doom.nth);
        doom_->nth += disk_calls();
        return;
      case Death::kKill:
        doom_->nth += disk_calls();
        FailDiskOnceDead();
        return;
      case Death::kBeforeSave:
      case Death::kAfterSave:
        doom_->nth += store_calls_;
        FailDiskOnceDead();
        return;
    }
  }

  bool IsDead() const {
    if (!doom_.has_value()) return false;
    switch (doom_->death) {
      case Death::kPowerCutHard:
      case Death::kPowerCutRandom:
      case Death::kKill:
        return disk_calls() >= doom_->nth;
      case Death::kBeforeSave:
      case Death::kAfterSave:
        return store_calls_ >= doom_->nth;
    }
    return false;
  }

  void FailDiskOnceDead() {
    world_.disk.SetFaultHook([this](DiskCall, const std::string& path) {
      return IsDead() ? support::MemoryFileSystem::IoError(path) : absl::OkStatus();
    });
  }

  StoreFate MeetStore() {
    if (IsDead()) return StoreFate::kVanish;
    ++store_calls_;
    if (!IsDead()) return StoreFate::kAnswer;
    return doom_->death == Death::kAfterSave ? StoreFate::kOrphan : StoreFate::kVanish;
  }

  const uint64_t seed_;
  const std::vector<Doom> dooms_;
  size_t next_doom_ = 0;
  std::optional<Doom>
      doom_;  ///< Of the present server; its call counted from the world's beginning.
  uint64_t store_calls_ = 0;
  DumpWorld world_;
  std::unique_ptr<DumpProcess> process_;
};

/// What producers and time do between deaths: a few batches with late records among them.
void LiveOn(Lives& lives, Dice& dice, int steps) {
  for (int step = 0; step < steps; ++step) {
    std::vector<int64_t> times;
    for (uint64_t i = 0; i <= dice.Below(6); ++i) {
      times.push_back(kNow - static_cast<int64_t>(dice.Below(3)) * kHourMs);
    }
    lives.world().Append(static_cast<int32_t>(dice.Below(kPartitions)), times);
    lives.process().Pass(absl::Milliseconds(static_cast<int64_t>(dice.Below(1500))));
    lives.Revive();
  }
}

/// The last server lives; everything gets published.
void ExpectExactlyOnce(Lives& lives) {
  do {
    lives.process().Pass(absl::Minutes(1));
  } while (lives.Revive());
  lives.Spare();
  EXPECT_EQ(lives.world().checker.CheckComplete(), absl::OkStatus());
  const auto job = lives.process().Describe();
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->record.phase, JobPhase::kRunning) << job->record.error;
  int64_t stored = 0;
  for (const PartitionProgress& partition : job->partitions) {
    EXPECT_EQ(partition.lag_records(), 0);
    stored += partition.next_offset.value();
  }
  EXPECT_EQ(job->records_published, stored);
  EXPECT_EQ(job->files_published, static_cast<int64_t>(lives.world().checker.files()));
  for (int32_t i = 0; i < kPartitions; ++i) {
    const auto left = lives.world().disk.List("/dump/orders/.open/1f3a9c04-" + std::to_string(i));
    EXPECT_TRUE(!left.ok() || left->empty()) << "unpublished files stay behind";
  }
}

/// Calls that a life without a death makes.
struct Calls {
  uint64_t disk = 0;
  uint64_t store = 0;
};

Calls CallsOfOneLife(uint64_t seed) {
  Lives lives(seed, {});
  Dice dice(seed);
  LiveOn(lives, dice, 6);
  ExpectExactlyOnce(lives);
  return {lives.disk_calls(), lives.store_calls()};
}

/// The same life, ended at each of its calls in turn.
void DieEverywhere(Death death, uint64_t calls, uint64_t seed) {
  ASSERT_GT(calls, 10u);
  for (uint64_t nth = 1; nth <= calls && !testing::Test::HasFailure(); ++nth) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", call " + std::to_string(nth));
    Lives lives(seed, {{death, nth}});
    Dice dice(seed);
    LiveOn(lives, dice, 6);
    ExpectExactlyOnce(lives);
  }
}

TEST(DumpCrashTest, PowerCutAtEveryDiskCallThatDropsWhatWasNotSynced) {
  DieEverywhere(Death::kPowerCutHard, CallsOfOneLife(1).disk, 1);
}

TEST(DumpCrashTest, PowerCutAtEveryDiskCallThatKeepsAnythingOfWhatWasNotSynced) {
  for (uint64_t seed = 2; seed < 12; ++seed) {
    DieEverywhere(Death::kPowerCutRandom, CallsOfOneLife(seed).disk, seed);
  }
}

TEST(DumpCrashTest, KillAtEveryDiskCall) { DieEverywhere(Death::kKill, CallsOfOneLife(3).disk, 3); }

TEST(DumpCrashTest, DeathBeforeEverySave) {
  DieEverywhere(Death::kBeforeSave, CallsOfOneLife(4).store, 4);
}

TEST(DumpCrashTest, DeathAfterEverySave) {
  DieEverywhere(Death::kAfterSave, CallsOfOneLife(5).store, 5);
}

/// Many deaths in a row, each of a random kind at a random call, also while a server recovers.
void DieOftenAtRandom(uint64_t seed) {
  SCOPED_TRACE("TALOSMQ_TEST_SEED=" + std::to_string(seed));
  Dice dice(seed);
  std::vector<Doom> dooms;
  for (int life = 0; life < 10; ++life) {
    dooms.push_back({static_cast<Death>(dice.Below(5)), 1 + dice.Below(60)});
  }
  Lives lives(seed, dooms);
  LiveOn(lives, dice, 30);
  ExpectExactlyOnce(lives);
}

TEST(DumpCrashTest, ManyDeathsInARowLoseAndDoubleNothing) {
  if (const char* seed = std::getenv("TALOSMQ_TEST_SEED"); seed != nullptr) {
    return DieOftenAtRandom(std::strtoull(seed, nullptr, 10));
  }
  const char* length = std::getenv("TALOSMQ_TEST_LENGTH");
  const bool is_long = length != nullptr && std::string(length) == "long";
  const uint64_t seeds = is_long ? 20'000 : 300;
  for (uint64_t seed = 1; seed <= seeds && !testing::Test::HasFailure(); ++seed) {
    DieOftenAtRandom(seed);
  }
}

/// Two servers believe that they run the job; the elder wakes at each call in turn.
TEST(DumpCrashTest, DeposedWorkerThatWakesAtAnyPointChangesNothing) {
  for (uint64_t pause_after = 0; pause_after < 80; ++pause_after) {
    SCOPED_TRACE("the elder sleeps after " + std::to_string(pause_after) + " tasks");
    DumpWorld world(1);
    DumpProcess elder(world);
    ASSERT_TRUE(elder.Start().ok());
    ASSERT_TRUE(elder.CreateJson({{"roll.records", "2"}, {"roll.ms", "1000"}}).ok());
    world.Append(0, {kNow, kNow - kHourMs, kNow, kNow, kNow});
    elder.Run(pause_after);
    DumpProcess younger(world);
    ASSERT_TRUE(younger.Start().ok());
    younger.Pass(absl::Milliseconds(500));
    elder.Pass(absl::Seconds(5));
    EXPECT_EQ(world.checker.CheckVisible(), absl::OkStatus());
    world.Append(0, {kNow, kNow});
    elder.Pass(absl::Seconds(5));
    younger.Pass(absl::Seconds(5));
    EXPECT_EQ(world.checker.CheckComplete(), absl::OkStatus());
    const auto job = younger.Describe();
    ASSERT_TRUE(job.ok());
    EXPECT_EQ(job->record.phase, JobPhase::kRunning) << job->record.error;
  }
}

}  // namespace
}  // namespace talosmq::sink
