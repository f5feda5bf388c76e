#include "rpc/listener_budget.h"

#include "base/metrics.h"
#include "rpc/limits.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"
#include "unit/rpc/watched_registry.h"

#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace talosmq::rpc {
namespace {

class ListenerBudgetTest : public testing::Test {
 protected:
  using Share = ListenerBudget::Share;

  /// Nothing when there is no room.
  std::optional<Share> Take(std::string_view peer, Load load) {
    auto share = budget_->ConnectionOf(peer).Take(load);
    if (!share.ok()) {
      EXPECT_EQ(ReasonOf(share.status()), Reason::kOverloaded);
      return std::nullopt;
    }
    return *std::move(share);
  }
  /// Takes pieces until there is no room any more; how many there were.
  int TakeAll(std::string_view peer, int64_t piece) {
    int taken = 0;
    while (auto share = Take(peer, {.entries = 1, .bytes = piece})) {
      held_.push_back(*std::move(share));
      ++taken;
    }
    return taken;
  }

  std::unique_ptr<base::MetricRegistry> metrics_ = base::MakeNullMetricRegistry();
  std::unique_ptr<ListenerBudget> budget_ =
      std::make_unique<ListenerBudget>("records", Load{.entries = 100, .bytes = 1000}, *metrics_);
  std::vector<Share> held_;
};

TEST_F(ListenerBudgetTest, RefusalTellsHowLongToWaitAndIsSafeToRetry) {
  TakeAll("a", 100);
  const auto refused = budget_->ConnectionOf("a").Take({.entries = 1, .bytes = 100});
  EXPECT_EQ(ReasonOf(refused.status()), Reason::kOverloaded);
  EXPECT_TRUE(IsRetrySafe(ReasonOf(refused.status())));
  EXPECT_EQ(RetryAfterOf(refused.status()), kRetryAfterDefault);
}

TEST_F(ListenerBudgetTest, OneConnectionAloneGetsHalf) { EXPECT_EQ(TakeAll("a", 10), 50); }

TEST_F(ListenerBudgetTest, EntriesAreBoundedLikeBytes) { EXPECT_EQ(TakeAll("a", 0), 50); }

TEST_F(ListenerBudgetTest, WhoeverComesNextIsServed) {
  TakeAll("greedy", 10);
  for (int i = 0; i < 10; ++i) {
    const std::string peer = "peer " + std::to_string(i);
    EXPECT_TRUE(Take(peer, {.entries = 1, .bytes = 100}).has_value()) << peer;
  }
  TakeAll("greedy too", 10);
  EXPECT_TRUE(Take("modest", {.entries = 1, .bytes = 100}).has_value());
}

TEST_F(ListenerBudgetTest, ConnectionsTogetherStayWithinTheBound) {
  int taken = 0;
  for (int i = 0; i < 1000; ++i) taken += TakeAll("peer " + std::to_string(i), 10);
  EXPECT_LE(taken, 100);
  EXPECT_GE(taken, 90);
}

TEST_F(ListenerBudgetTest, OneRequestAboveTheBoundFitsAloneOnly) {
  auto large = Take("a", {.entries = 1, .bytes = 5000});
  ASSERT_TRUE(large.has_value());
  EXPECT_FALSE(Take("b", {.entries = 1, .bytes = 1}).has_value());
  large.reset();
  EXPECT_TRUE(Take("b", {.entries = 1, .bytes = 1}).has_value());
}

TEST_F(ListenerBudgetTest, WhatIsGivenBackCanBeTakenAgain) {
  EXPECT_EQ(TakeAll("a", 10), 50);
  held_.clear();
  EXPECT_EQ(TakeAll("b", 10), 50);
}

TEST_F(ListenerBudgetTest, SettledShareCountsWithItsNewSize) {
  auto share = Take("a", {.entries = 1, .bytes = 400});
  share->Settle({.entries = 1, .bytes = 10});
  EXPECT_EQ(TakeAll("a", 100), 5);
  share->Settle({.entries = 1, .bytes = 900});
  EXPECT_FALSE(Take("b", {.entries = 1, .bytes = 1}).has_value());
}

TEST_F(ListenerBudgetTest, ShareGrowsOnlyWhereThereIsRoom) {
  auto share = Take("a", {.entries = 1, .bytes = 100});
  const auto other = Take("b", {.entries = 1, .bytes = 200});
  EXPECT_EQ(ReasonOf(share->Resize({.entries = 1, .bytes = 801})), Reason::kOverloaded);
  EXPECT_EQ(ReasonOf(share->Resize({.entries = 100, .bytes = 100})), Reason::kOverloaded);
  EXPECT_TRUE(share->Resize({.entries = 1, .bytes = 800}).ok());
  EXPECT_FALSE(Take("c", {.entries = 1, .bytes = 1}).has_value());
  EXPECT_TRUE(share->Resize({.entries = 1, .bytes = 0}).ok());
  EXPECT_TRUE(Take("c", {.entries = 1, .bytes = 800}).has_value());
}

TEST_F(ListenerBudgetTest, ShareThatIsAloneGrowsBeyondTheBound) {
  auto share = Take("a", {.entries = 1, .bytes = 100});
  EXPECT_TRUE(share->Resize({.entries = 1, .bytes = 5000}).ok());
  const auto other = Take("b", {.entries = 0, .bytes = 0});
  EXPECT_TRUE(share->Resize({.entries = 1, .bytes = 4000}).ok()) << "less than it holds";
}

TEST_F(ListenerBudgetTest, RefusedTakesLeaveNothingBehind) {
  TakeAll("a", 100);
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(Take("a", {.entries = 1, .bytes = 600}).has_value());
  held_.clear();
  EXPECT_EQ(TakeAll("a", 10), 50);
}

TEST_F(ListenerBudgetTest, SharesOutliveTheBudgetAndItsRegistry) {
  const auto connection = budget_->ConnectionOf("a");
  auto share = connection.Take({.entries = 1, .bytes = 10});
  ASSERT_TRUE(share.ok()) << share.status();
  budget_.reset();
  metrics_.reset();
  share = absl::CancelledError();  // Gives it back.
  EXPECT_TRUE(connection.Take({.entries = 100, .bytes = 1000}).ok());
}

TEST_F(ListenerBudgetTest, ThreadsTogetherStayWithinTheBound) {
  constexpr int kThreads = 4;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this, peer = "peer " + std::to_string(i)] {
      for (int round = 0; round < 2000; ++round) {
        auto connection = budget_->ConnectionOf(peer);
        const auto share = connection.Take({.entries = 1, .bytes = 300});
        (void)share;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(TakeAll("after", 10), 50);
}

class ListenerBudgetMetricsTest : public testing::Test {
 protected:
  WatchedRegistry registry_{"records"};
  std::unique_ptr<ListenerBudget> budget_ =
      std::make_unique<ListenerBudget>("records", Load{.entries = 100, .bytes = 1000}, registry_);
  const ListenerBudget::Connection connection_ = budget_->ConnectionOf("a");
};

TEST_F(ListenerBudgetMetricsTest, EveryChangeIsShown) {
  {
    auto share = connection_.Take({.entries = 2, .bytes = 100});
    ASSERT_TRUE(share.ok()) << share.status();
    EXPECT_EQ(registry_.held_entries.now(), 2);
    EXPECT_EQ(registry_.held_bytes.now(), 100);
    share->Settle({.entries = 3, .bytes = 700});
    EXPECT_EQ(registry_.held_entries.now(), 3);
    EXPECT_EQ(registry_.held_bytes.now(), 700);
    EXPECT_TRUE(share->Resize({.entries = 1, .bytes = 300}).ok());
    EXPECT_EQ(registry_.held_bytes.now(), 300);
    EXPECT_FALSE(connection_.Take({.entries = 1, .bytes = 900}).ok());
    EXPECT_EQ(registry_.held_bytes.now(), 300);
  }
  EXPECT_EQ(registry_.held_entries.now(), 0);
  EXPECT_EQ(registry_.held_bytes.now(), 0);
}

TEST_F(ListenerBudgetMetricsTest, RefusalsAreCountedAsLongAsTheRegistryIsThere) {
  const auto share = connection_.Take({.entries = 1, .bytes = 1000});
  EXPECT_FALSE(connection_.Take({.entries = 1, .bytes = 1}).ok());
  EXPECT_EQ(registry_.refusals.now(), 1);
  budget_.reset();
  EXPECT_FALSE(connection_.Take({.entries = 1, .bytes = 1}).ok());
  EXPECT_EQ(registry_.refusals.now(), 1) << "the registry may have gone with the budget";
}

TEST_F(ListenerBudgetMetricsTest, WhatIsHeldInTheEndIsShownWhoeverChangedItLast) {
  constexpr int kThreads = 4;
  for (int round = 0; round < 200; ++round) {
    std::vector<absl::StatusOr<ListenerBudget::Share>> kept(kThreads);
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (auto& mine : kept) {
      threads.emplace_back([this, &mine] {
        for (int i = 0; i < 20; ++i) mine = connection_.Take({.entries = 1, .bytes = 10});
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(registry_.held_bytes.now(), kThreads * 10) << "round " << round;
    ASSERT_EQ(registry_.held_entries.now(), kThreads) << "round " << round;
  }
}

}  // namespace
}  // namespace talosmq::rpc
