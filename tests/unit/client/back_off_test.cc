#include "client/back_off.h"

#include "talosmq/error.h"

#include "unit/client/fixed_random.h"
#include <gtest/gtest.h>

#include <limits>

namespace talosmq::client {
namespace {

constexpr uint64_t kLargest = std::numeric_limits<uint64_t>::max();

TEST(BackOffTest, EachFailureDoublesThePauseUpToASecond) {
  FixedRandom smallest(0);
  const absl::Status why = absl::UnavailableError("down");
  EXPECT_EQ(BackOff(0, why, smallest), absl::Milliseconds(5));
  EXPECT_EQ(BackOff(1, why, smallest), absl::Milliseconds(10));
  EXPECT_EQ(BackOff(6, why, smallest), absl::Milliseconds(320));
  EXPECT_EQ(BackOff(7, why, smallest), absl::Milliseconds(500));
  EXPECT_EQ(BackOff(1'000'000, why, smallest), absl::Milliseconds(500));
}

TEST(BackOffTest, JitterTakesTheUpperHalfOfThePause) {
  FixedRandom largest(kLargest);
  const absl::Duration pause = BackOff(3, absl::UnavailableError("down"), largest);
  EXPECT_GT(pause, absl::Milliseconds(79));
  EXPECT_LE(pause, absl::Milliseconds(80));
}

TEST(BackOffTest, OverloadedServerIsGivenAtLeastTheTimeItAsksFor) {
  FixedRandom smallest(0);
  FixedRandom largest(kLargest);
  const absl::Status why = MakeOverloaded("full", absl::Milliseconds(100));
  EXPECT_EQ(BackOff(0, why, smallest), absl::Milliseconds(100));
  EXPECT_GT(BackOff(0, why, largest), absl::Milliseconds(149));
  EXPECT_EQ(BackOff(7, why, smallest), absl::Milliseconds(500));
  EXPECT_EQ(BackOff(0, MakeOverloaded("full", absl::Hours(1)), smallest), absl::Seconds(10));
}

}  // namespace
}  // namespace talosmq::client
