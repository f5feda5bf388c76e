// What a log knows of its idempotent producers: exactly the same after a restart, a cut tail and a
// lost snapshot, and nothing any more of one that was silent for too long. Loss class R24.

#include "storage/log_folder.h"
#include "storage/segment.h"
#include "support/storage_world.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace talosmq::storage {
namespace {

using support::BatchOf;
using support::PowerCut;
using support::StorageWorld;

constexpr int64_t kProducer = 7;
constexpr int64_t kOther = 8;

class LogProducersTest : public testing::Test {
 protected:
  LogProducersTest() {
    world_.log_options().segment_bytes = 4'000;
    world_.store_options().producer_expiry = absl::Hours(24);
    Start();
  }

  void Start() {
    ASSERT_TRUE(world_.Start().ok());
    const auto report = world_.Open();
    ASSERT_TRUE(report.ok()) << report.status();
  }
  void Restart() {
    ASSERT_TRUE(world_.Stop().ok());
    Start();
  }
  void KillAndStart() {
    world_.Kill();
    Start();
  }
  void Checkpoint() {
    world_.Advance(absl::Seconds(2));
    world_.Run();
  }
  std::vector<Offset> Snapshots() {
    return ListLogFolder(world_.disk(), LogDirectory(StorageWorld::kDirectory, StorageWorld::kLog))
        ->snapshots;
  }
  void LoseSnapshots(const std::vector<Offset>& snapshots) {
    for (const Offset snapshot : snapshots) {
      world_.RemoveFile(world_.Path(OffsetFileName(snapshot, kSnapshotSuffix)));
    }
  }

  /// One record of 900 bytes, so that four fill a segment, with the timestamp of a client that is
  /// wrong about the time.
  static BatchOf Batch(int32_t sequence, int64_t producer = kProducer,
                       const std::string& key = "k") {
    return {.values = {std::string(900, 'v')},
            .producer = {.producer_id = ProducerId(producer),
                         .producer_epoch = 0,
                         .base_sequence = sequence},
            .timestamp_ms = 1'000,
            .keys = {key}};
  }
  void Send(int32_t sequence, int64_t producer = kProducer, const std::string& key = "k") {
    const auto sent = world_.AppendDurably(Batch(sequence, producer, key));
    ASSERT_TRUE(sent.ok()) << sequence << ": " << sent.status();
    EXPECT_FALSE(sent->is_duplicate) << sequence;
  }
  void ExpectDuplicate(int32_t sequence, int64_t producer = kProducer) {
    const auto again = world_.AppendDurably(Batch(sequence, producer));
    ASSERT_TRUE(again.ok()) << sequence << ": " << again.status();
    EXPECT_TRUE(again->is_duplicate) << sequence;
  }
  void ExpectOutOfOrder(int32_t sequence, int64_t producer = kProducer) {
    EXPECT_EQ(ReasonOf(world_.AppendDurably(Batch(sequence, producer)).status()),
              Reason::kOutOfOrderSequence)
        << sequence;
  }

  StorageWorld world_;
};

TEST_F(LogProducersTest, SilentProducerIsKnownUntilItsTimeHasPassed) {
  Send(0);
  world_.Advance(absl::Hours(24));
  ExpectOutOfOrder(77);
  ExpectDuplicate(0);
  world_.Advance(absl::Milliseconds(1));
  Send(77);
}

// The table forgets them with the next append, which may never come.
TEST_F(LogProducersTest, SilentProducerIsNotTold) {
  Send(0);
  world_.Advance(absl::Hours(23));
  Send(0, kOther);
  EXPECT_EQ(world_.log().Producers().size(), 2u);
  world_.Advance(absl::Hours(1) + absl::Milliseconds(1));
  const std::vector<ProducerState> told = world_.log().Producers();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told.front().id, ProducerId(kOther));
}

TEST_F(LogProducersTest, SettingTheWallClockForgetsNobody) {
  Send(0);
  for (const absl::Duration jump : {absl::Hours(24 * 365), -absl::Hours(24 * 730)}) {
    world_.clock().SetNow(world_.clock().Now() + jump);
    ExpectDuplicate(0);
    Restart();
    ExpectDuplicate(0);
    ExpectOutOfOrder(2);
  }
}

TEST_F(LogProducersTest, SilenceGoesOnAfterACleanRestart) {
  Send(0);
  world_.Advance(absl::Hours(20));
  Send(0, kOther);
  Restart();
  world_.Advance(absl::Hours(4));
  ExpectOutOfOrder(77);
  world_.Advance(absl::Milliseconds(1));
  Send(77);
  ExpectOutOfOrder(77, kOther);
}

TEST_F(LogProducersTest, TimeInWhichNoServerRanDoesNotCount) {
  Send(0);
  ASSERT_TRUE(world_.Stop().ok());
  world_.Advance(absl::Hours(100));
  Start();
  ExpectDuplicate(0);
  ExpectOutOfOrder(77);
}

TEST_F(LogProducersTest, ReplayedProducerCountsAsNotYetSilent) {
  Send(0);
  world_.Advance(absl::Hours(20));
  KillAndStart();
  world_.Advance(absl::Hours(20));
  ExpectDuplicate(0);
  ExpectOutOfOrder(77);
  Send(1);
}

TEST_F(LogProducersTest, ForgottenProducerThatAReplayBringsBackGoesOnWhereItEnded) {
  for (int32_t i = 0; i < 9; ++i) Send(i);
  world_.Advance(absl::Hours(25));
  Send(0, kOther);
  Restart();
  LoseSnapshots(Snapshots());
  KillAndStart();
  Send(9);
  EXPECT_EQ(world_.log().log_end(), Offset(11)) << "appended, and not taken for a repetition";
}

TEST_F(LogProducersTest, CompactionLeavesNothingThatLooksLikeTheLastOfAForgottenProducer) {
  world_.log_options().compaction = CompactionRules{};
  Restart();
  for (int32_t i = 0; i < 9; ++i) Send(i, kProducer, i == 3 ? "stays" : "k");
  world_.Advance(absl::Hours(25));
  for (int32_t i = 0; i < 9; ++i) Send(i, kOther);
  Checkpoint();
  ASSERT_TRUE(world_.Compact().ok());
  Checkpoint();
  world_.Kill();
  LoseSnapshots(Snapshots());
  Start();
  ASSERT_THAT(world_.ReadAll()->size(), testing::Lt(18U)) << "it was compacted";
  Send(9);
  for (int32_t i = 4; i < 9; ++i) ExpectDuplicate(i, kOther);
}

TEST_F(LogProducersTest, SnapshotOlderThanACompactionIsNotBuiltUpon) {
  world_.log_options().compaction = CompactionRules{};
  Restart();
  for (int32_t i = 0; i < 8; ++i) Send(i);
  Send(0, kOther);
  world_.Advance(absl::Hours(25));
  Checkpoint();
  ASSERT_TRUE(world_.Compact().ok());
  world_.Kill();
  ASSERT_THAT(Snapshots(), testing::ElementsAre(Offset(4), Offset(8)));
  LoseSnapshots({Offset(8)});
  Start();
  Send(8);
}

TEST_F(LogProducersTest, TheSameIsKnownAfterEveryKindOfStart) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  std::map<int64_t, int32_t> next_sequences;
  const std::vector<std::function<void()>> starts = {
      [&] { Restart(); },
      [&] { KillAndStart(); },
      [&] {
        world_.CutPower(PowerCut::DropUnsynced());
        Start();
      },
      [&] {
        // A tail that was never acknowledged is cut, and its producer sends it again.
        ASSERT_TRUE(world_.Append(Batch(next_sequences[0], 0)).ok());
        world_.CutPower(PowerCut::DropUnsynced());
        Start();
        Send(next_sequences[0]++, 0);
      },
      [&] {
        world_.Kill();
        LoseSnapshots(Snapshots());
        Start();
      },
      [&] {
        Checkpoint();
        world_.Kill();
        const auto snapshots = Snapshots();
        if (!snapshots.empty()) LoseSnapshots({snapshots.back()});
        Start();
      }};
  for (int round = 0; round < 30; ++round) {
    for (int i = 0; i < 5; ++i) {
      const auto producer = static_cast<int64_t>(random() % 3);
      Send(next_sequences[producer]++, producer);
      if (random() % 4 == 0) Checkpoint();
    }
    starts[random() % starts.size()]();
    for (const auto& [producer, next] : next_sequences) {
      for (int32_t i = std::max(0, next - 5); i < next; ++i) ExpectDuplicate(i, producer);
      if (next > 5) ExpectOutOfOrder(next - 6, producer);
      ExpectOutOfOrder(next + 1, producer);
    }
  }
}

TEST_F(LogProducersTest, WhatATrimHasRemovedIsStillKnownToBeSentAfterACrash) {
  ASSERT_TRUE(world_.Stop().ok());
  world_.store_options().direct_logs_max = 0;
  Start();
  for (int32_t sequence = 0; sequence < 4; ++sequence) Send(sequence);
  ASSERT_TRUE(world_.MoveLogStart(Offset(4)).ok());
  ASSERT_TRUE(world_.Append(Batch(4)).ok());  // Begins a segment.
  world_.RunWithoutCheckpoint();
  for (int crash = 0; crash < 2; ++crash) {
    KillAndStart();
    const auto again = world_.Append(Batch(2));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE(again->is_duplicate);
    EXPECT_EQ(again->base_offset, Offset(2));
  }
}

}  // namespace
}  // namespace talosmq::storage
