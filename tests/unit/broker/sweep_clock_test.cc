// By which time segments get old when the system clock is wrong or set. Loss class R24.

#include "broker/sweep_clock.h"

#include "storage/retention.h"
#include "support/manual_clock.h"

#include "gtest/gtest.h"

namespace talosmq::broker {
namespace {

constexpr absl::Duration kYear = absl::Hours(24 * 365);

class SweepClockTest : public testing::Test {
 protected:
  /// One sweep each minute.
  absl::Time RunFor(absl::Duration time) {
    absl::Time now = sweep_.Now();
    for (absl::Duration run; run < time; run += absl::Minutes(1)) {
      clock_.Advance(absl::Minutes(1));
      now = sweep_.Now();
    }
    return now;
  }
  void Set(absl::Duration by) { clock_.SetNow(clock_.Now() + by); }

  support::ManualClock clock_;
  SweepClock sweep_{clock_};
};

TEST_F(SweepClockTest, FollowsAClockThatIsRightAndIsCorrectedALittle) {
  for (int i = 0; i < 100; ++i) {
    Set(absl::Seconds(i % 2 == 0 ? 5 : -3));
    RunFor(absl::Minutes(1));
    EXPECT_EQ(sweep_.Now(), clock_.Now());
  }
}

TEST_F(SweepClockTest, NothingGoesByAgeRightBehindAStart) {
  EXPECT_EQ(sweep_.NowForAges(), absl::InfinitePast());
  RunFor(SweepClock::kStartDoubt - absl::Minutes(1));
  EXPECT_EQ(sweep_.NowForAges(), absl::InfinitePast()) << "NTP may still set it back by a year";
  RunFor(absl::Minutes(1));
  EXPECT_EQ(sweep_.NowForAges(), clock_.Now());
}

TEST_F(SweepClockTest, TimeGoesOnWhereItWasWhenTheClockIsSetAhead) {
  RunFor(SweepClock::kStartDoubt);
  const absl::Time before = clock_.Now();
  Set(kYear);
  EXPECT_EQ(RunFor(absl::Hours(23)), before + absl::Hours(23));
  EXPECT_EQ(sweep_.NowForAges(), before + absl::Hours(23)) << "what is old goes all the same";
  Set(-kYear);
  RunFor(absl::Hours(48));
  EXPECT_EQ(sweep_.Now(), clock_.Now());
}

TEST_F(SweepClockTest, ClockThatStaysAheadIsRightInTheEnd) {
  Set(kYear);
  RunFor(SweepClock::kStepDoubt + absl::Minutes(1));
  EXPECT_EQ(sweep_.NowForAges(), clock_.Now());
}

TEST_F(SweepClockTest, DoubtBeginsAnewWithEachStep) {
  const absl::Time before = clock_.Now();
  for (int step = 1; step <= 4; ++step) {
    Set(kYear);
    EXPECT_EQ(RunFor(absl::Hours(20)), before + step * absl::Hours(20));
  }
}

TEST_F(SweepClockTest, ClockThatIsSetBackIsFollowedAtOnce) {
  Set(-kYear);
  EXPECT_EQ(sweep_.Now(), clock_.Now());
  RunFor(absl::Hours(2));
  EXPECT_EQ(sweep_.Now(), clock_.Now());
}

TEST(SweepClockStartTest, ServerThatStartsIn1970GetsTheTimeWhenTheClockDoes) {
  support::ManualClock clock;
  const absl::Time right = clock.Now();
  clock.SetNow(absl::UnixEpoch() + absl::Seconds(12));
  SweepClock sweep(clock);
  clock.Advance(absl::Hours(3));
  EXPECT_LT(sweep.Now(), storage::kEarliestCreation);
  EXPECT_EQ(sweep.NowForAges(), absl::InfinitePast()) << "no segment is that old";
  clock.SetNow(right);
  EXPECT_EQ(sweep.Now(), right);
  EXPECT_EQ(sweep.NowForAges(), absl::InfinitePast()) << "as at a start";
  clock.Advance(SweepClock::kStartDoubt);
  EXPECT_EQ(sweep.NowForAges(), clock.Now());
}

}  // namespace
}  // namespace talosmq::broker
