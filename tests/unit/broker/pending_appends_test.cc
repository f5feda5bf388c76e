#include "broker/pending_appends.h"

#include "base/metrics.h"
#include "support/manual_clock.h"
#include "support/manual_executor.h"

#include "gtest/gtest.h"

#include <ctime>
#include <memory>
#include <utility>
#include <vector>

namespace talosmq::broker {
namespace {

class PendingAppendsTest : public testing::Test {
 protected:
  ~PendingAppendsTest() override {
    pending_.TakeAll();
    shard_.DropAll();
  }

  /// Deadlines are told as the time from the beginning.
  void Push(absl::Duration deadline) {
    AppendRequest request;
    request.deadline = begin_ + deadline;
    pending_.Push(std::unique_ptr<PendingAppend>(new PendingAppend{.request = std::move(request),
                                                                   .arrival = begin_,
                                                                   .facts = {},
                                                                   .log_append_time = std::nullopt,
                                                                   .bytes = *budget_.Take(0),
                                                                   .done = nullptr,
                                                                   .outcome = {}}));
  }
  void Advance(absl::Duration by) {
    clock_.Advance(by);
    shard_.RunUntilIdle();
  }

  support::ManualClock clock_;
  const absl::Duration begin_ = clock_.Monotonic();
  support::ManualExecutor shard_{clock_};
  const std::unique_ptr<base::MetricRegistry> registry_ = base::MakeNullMetricRegistry();
  BrokerMetrics metrics_{*registry_};
  AppendBudget budget_{1};
  std::vector<absl::Duration> expired_;  ///< Their deadlines.
  PendingAppends pending_{shard_, clock_, metrics_, [this](std::unique_ptr<PendingAppend> append) {
                            expired_.push_back(append->request.deadline - begin_);
                          }};
};

TEST_F(PendingAppendsTest, EachExpiresAtItsDeadlineInWhateverOrderTheyCame) {
  for (const int deadline : {5, 9, 2, 7, 1}) Push(absl::Seconds(deadline));
  Push(absl::InfiniteDuration());
  std::vector<absl::Duration> expected;
  for (const int deadline : {1, 2, 5, 7, 9}) {
    Advance(begin_ + absl::Seconds(deadline) - clock_.Monotonic());
    expected.push_back(absl::Seconds(deadline));
    EXPECT_EQ(expired_, expected);
  }
  EXPECT_EQ(pending_.size(), 1U);
  EXPECT_EQ(shard_.NextTimer(), absl::InfiniteDuration());
}

TEST_F(PendingAppendsTest, EarlierDeadlineThatIsGoneDoesNotHideALaterOne) {
  Push(absl::Seconds(1));
  pending_.Pop();
  EXPECT_EQ(shard_.NextTimer(), absl::InfiniteDuration());
  Push(absl::Seconds(3));
  Advance(absl::Seconds(3));
  EXPECT_EQ(expired_, std::vector{absl::Seconds(3)});
}

TEST_F(PendingAppendsTest, TimerOfATakenAppendLeavesTheOthersTheirDeadline) {
  Push(absl::Seconds(1));
  Push(absl::Seconds(3));
  pending_.Pop();
  Advance(absl::Seconds(1));
  EXPECT_TRUE(expired_.empty());
  Advance(absl::Seconds(2));
  EXPECT_EQ(expired_, std::vector{absl::Seconds(3)});
}

/// Each one looked through all the others: what takes milliseconds took a minute.
TEST_F(PendingAppendsTest, OneMoreCostsTheSameHoweverManyWait) {
  constexpr int kMany = 50'000;
  constexpr std::clock_t kPatience = 5 * CLOCKS_PER_SEC;
  const std::clock_t begin = std::clock();
  for (int i = 0; i < kMany; ++i) Push(absl::InfiniteDuration());
  for (int i = 0; i < kMany; ++i) Push(absl::Seconds(kMany - i));
  EXPECT_LT(std::clock() - begin, kPatience);
}

}  // namespace
}  // namespace talosmq::broker
