#include "base/gate.h"

#include "base/executor.h"

#include "gtest/gtest.h"

#include <atomic>
#include <latch>
#include <memory>
#include <optional>
#include <utility>

namespace talosmq::base {
namespace {

TEST(GateTest, EmptyGateClosesAtOnce) {
  Gate gate;
  bool closed = false;
  gate.Close([&] { closed = true; });
  EXPECT_TRUE(closed);
}

TEST(GateTest, ClosedGateLetsNobodyIn) {
  Gate gate;
  gate.Close([] {});
  EXPECT_FALSE(gate.Enter().has_value());
}

TEST(GateTest, CloseWaitsForTheLastOneInside) {
  Gate gate;
  std::optional<Gate::Pass> first = gate.Enter();
  std::optional<Gate::Pass> second = gate.Enter();
  int closed = 0;
  gate.Close([&] { ++closed; });
  EXPECT_FALSE(gate.Enter().has_value());
  first.reset();
  EXPECT_EQ(closed, 0);
  second.reset();
  EXPECT_EQ(closed, 1);
}

TEST(GateTest, MovedPassLeavesOnce) {
  Gate gate;
  std::optional<Gate::Pass> pass = gate.Enter();
  bool closed = false;
  gate.Close([&] { closed = true; });
  {
    const Gate::Pass moved = std::move(*pass);
    pass.reset();
    EXPECT_FALSE(closed);
  }
  EXPECT_TRUE(closed);
}

TEST(GateTest, GateMayGoOnceItsDoneHasRun) {
  auto gate = std::make_unique<Gate>();
  std::optional<Gate::Pass> pass = gate->Enter();
  gate->Close([&] { gate.reset(); });
  pass.reset();
  EXPECT_EQ(gate, nullptr);
}

TEST(GateTest, CloseAndWaitReturnsAfterWorkOnOtherThreads) {
  ThreadExecutor executor({.name = "worker"});
  Gate gate;
  std::atomic<int> finished = 0;
  std::latch entered(1);
  executor.Post([&, pass = gate.Enter()] {
    entered.count_down();
    ++finished;
  });
  entered.wait();
  gate.CloseAndWait();
  EXPECT_EQ(finished, 1);
}

TEST(GateDeathTest, GateClosesOnce) {
  Gate gate;
  gate.Close([] {});
  EXPECT_DEATH(gate.Close([] {}), "closes once");
}

}  // namespace
}  // namespace talosmq::base
