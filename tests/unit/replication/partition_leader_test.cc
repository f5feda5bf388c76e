#include "replication/partition_leader.h"

#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::replication {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr BrokerId kSelf{1};
constexpr BrokerId kOther{2};
constexpr BrokerId kThird{3};

LeaderTerm Alone(int32_t epoch, int64_t end) {
  return {.epoch = LeaderEpoch(epoch),
          .in_sync = {kSelf},
          .log_end = Offset(end),
          .durable_end = Offset(end)};
}

LeaderTerm WithFollowers(int32_t epoch, int64_t end) {
  LeaderTerm term = Alone(epoch, end);
  term.in_sync = {kSelf, kOther, kThird};
  return term;
}

/// Tag and reason of each released acknowledgement, in order.
std::vector<std::pair<uint64_t, Reason>> Released(const LeaderOutput& output) {
  std::vector<std::pair<uint64_t, Reason>> released;
  for (const ReleasedAck& ack : output.released) {
    released.emplace_back(static_cast<uint64_t>(ack.tag), ReasonOf(ack.status));
  }
  return released;
}

TEST(PartitionLeaderTest, NothingIsCommittedBeforeItIsDurable) {
  PartitionLeader leader(kSelf);
  leader.Begin(Alone(1, 0));
  leader.AppendedTo(Offset(10));
  EXPECT_THAT(leader.Park(AckTag{7}, Offset(10), AckScope::kInSync).released, IsEmpty());
  EXPECT_EQ(leader.high_watermark(), Offset(0));
  EXPECT_THAT(leader.LocalDurable(Offset(9)).released, IsEmpty());
  EXPECT_THAT(Released(leader.LocalDurable(Offset(10))), ElementsAre(std::pair(7u, Reason::kNone)));
  EXPECT_EQ(leader.high_watermark(), Offset(10));
}

TEST(PartitionLeaderTest, EndOfTheEpochFailsWhatIsParkedOnce) {
  PartitionLeader leader(kSelf);
  leader.Begin(Alone(1, 0));
  leader.AppendedTo(Offset(4));
  leader.Park(AckTag{1}, Offset(2), AckScope::kInSync);
  leader.Park(AckTag{2}, Offset(4), AckScope::kLeader);
  const absl::Status fenced = MakeError(Reason::kStorageFenced, "disk");
  EXPECT_THAT(Released(leader.End(fenced)), ElementsAre(std::pair(2u, Reason::kStorageFenced),
                                                        std::pair(1u, Reason::kStorageFenced)));
  EXPECT_THAT(leader.End(fenced).released, IsEmpty());
  EXPECT_EQ(leader.high_watermark(), Offset(0));
}

TEST(PartitionLeaderTest, ANewEpochNeverCompletesWhatWasParkedUnderAnOlderOne) {
  PartitionLeader leader(kSelf);
  leader.Begin(Alone(1, 0));
  leader.AppendedTo(Offset(4));
  leader.Park(AckTag{1}, Offset(4), AckScope::kInSync);
  EXPECT_THAT(Released(leader.Begin(Alone(2, 4))), ElementsAre(std::pair(1u, Reason::kNotLeader)));
}

TEST(PartitionLeaderTest, HighWatermarkStaysWhenTheNextTermKnowsLess) {
  PartitionLeader leader(kSelf);
  leader.Begin(Alone(1, 8));
  EXPECT_EQ(leader.high_watermark(), Offset(8));
  leader.Begin(WithFollowers(2, 8));
  leader.FollowerDurable(kOther, LeaderEpoch(2), Offset(3));
  leader.FollowerDurable(kThird, LeaderEpoch(2), Offset(3));
  EXPECT_EQ(leader.high_watermark(), Offset(8));
}

TEST(PartitionLeaderTest, AMemberThatSaidNothingHoldsTheHighWatermark) {
  PartitionLeader leader(kSelf);
  leader.Begin(WithFollowers(1, 0));
  leader.AppendedTo(Offset(5));
  leader.LocalDurable(Offset(5));
  leader.FollowerDurable(kOther, LeaderEpoch(1), Offset(5));
  EXPECT_EQ(leader.high_watermark(), Offset(0));
  const LeaderOutput output = leader.FollowerDurable(kThird, LeaderEpoch(1), Offset(2));
  EXPECT_EQ(output.high_watermark, Offset(2));
}

TEST(PartitionLeaderTest, AFollowersWordOfAnotherEpochIsIgnored) {
  PartitionLeader leader(kSelf);
  leader.Begin({.epoch = LeaderEpoch(2),
                .in_sync = {kSelf, kOther},
                .log_end = Offset(5),
                .durable_end = Offset(5)});
  leader.FollowerDurable(kOther, LeaderEpoch(1), Offset(5));
  EXPECT_EQ(leader.high_watermark(), Offset(0));
  leader.FollowerDurable(kOther, LeaderEpoch(2), Offset(6));  // Beyond the leader's own end.
  EXPECT_EQ(leader.high_watermark(), Offset(0));
}

TEST(PartitionLeaderTest, AShrunkSetCommitsWhatTheRestHolds) {
  PartitionLeader leader(kSelf);
  leader.Begin(WithFollowers(1, 0));
  leader.AppendedTo(Offset(5));
  leader.Park(AckTag{1}, Offset(5), AckScope::kInSync);
  leader.LocalDurable(Offset(5));
  leader.FollowerDurable(kOther, LeaderEpoch(1), Offset(5));
  EXPECT_THAT(Released(leader.SetInSync({kSelf, kOther})),
              ElementsAre(std::pair(1u, Reason::kNone)));
  // Growing again cannot take back what was committed.
  leader.SetInSync({kSelf, kOther, kThird});
  EXPECT_EQ(leader.high_watermark(), Offset(5));
}

TEST(PartitionLeaderTest, LeaderScopeWaitsForTheOwnFlushOnly) {
  PartitionLeader leader(kSelf);
  leader.Begin(WithFollowers(1, 0));
  leader.AppendedTo(Offset(5));
  EXPECT_THAT(leader.Park(AckTag{1}, Offset(5), AckScope::kLeader).released, IsEmpty());
  leader.Park(AckTag{2}, Offset(5), AckScope::kInSync);
  EXPECT_THAT(Released(leader.LocalDurable(Offset(5))), ElementsAre(std::pair(1u, Reason::kNone)));
  EXPECT_EQ(leader.parked(), 1u);
}

TEST(PartitionLeaderTest, ADuplicateOfSomethingCommittedIsReleasedAtOnce) {
  PartitionLeader leader(kSelf);
  leader.Begin(Alone(1, 10));
  EXPECT_THAT(Released(leader.Park(AckTag{3}, Offset(6), AckScope::kInSync)),
              ElementsAre(std::pair(3u, Reason::kNone)));
}

TEST(PartitionLeaderTest, ADuplicateWaitsForItsOriginal) {
  PartitionLeader leader(kSelf);
  leader.Begin(Alone(1, 0));
  leader.AppendedTo(Offset(8));
  leader.Park(AckTag{1}, Offset(4), AckScope::kInSync);
  leader.Park(AckTag{2}, Offset(8), AckScope::kInSync);
  EXPECT_THAT(leader.Park(AckTag{3}, Offset(4), AckScope::kInSync).released, IsEmpty());
  EXPECT_THAT(Released(leader.LocalDurable(Offset(4))),
              ElementsAre(std::pair(1u, Reason::kNone), std::pair(3u, Reason::kNone)));
}

TEST(PartitionLeaderTest, RecoveredEndIsCommittedForTheOnlyReplicaAlone) {
  PartitionLeader sole(kSelf);
  EXPECT_EQ(sole.Recovered({kSelf}, Offset(12)).high_watermark, Offset(12));
  PartitionLeader member(kSelf);
  EXPECT_EQ(member.Recovered({kSelf, kOther}, Offset(12)).high_watermark, std::nullopt);
  EXPECT_EQ(member.high_watermark(), Offset(0));
}

using PartitionLeaderDeathTest = ::testing::Test;

TEST(PartitionLeaderDeathTest, AnEpochIsUsedOnce) {
  PartitionLeader leader(kSelf);
  leader.Begin(Alone(3, 0));
  leader.End(MakeError(Reason::kStorageFenced, "disk"));
  EXPECT_DEATH(leader.Begin(Alone(3, 0)), "epoch=3 was 3");
}

TEST(PartitionLeaderDeathTest, DurableBeyondTheEndOfTheLogIsOurMistake) {
  PartitionLeader leader(kSelf);
  leader.Begin(Alone(1, 0));
  EXPECT_DEATH(leader.LocalDurable(Offset(1)), "durable=1 end=0");
}

}  // namespace
}  // namespace talosmq::replication
