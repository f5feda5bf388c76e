#include "base/executor.h"

#include "gtest/gtest.h"
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <latch>
#include <memory>
#include <vector>

namespace talosmq::base {
namespace {

/// Keeps an executor's thread inside of a task until it is let go.
class Blocker {
 public:
  explicit Blocker(Executor& executor) {
    executor.Post([this] {
      entered_.count_down();
      release_.wait();
    });
    entered_.wait();
  }
  void Release() { release_.count_down(); }

 private:
  std::latch entered_{1};
  std::latch release_{1};
};

/// Waits until all that was posted before has run.
void Drain(Executor& executor) {
  std::latch done(1);
  executor.Post([&] { done.count_down(); });
  done.wait();
}

TEST(ThreadExecutorTest, TasksRunInTheirOrder) {
  ThreadExecutor executor({.name = "order"});
  std::vector<int> ran;
  for (int i = 0; i < 1000; ++i) executor.Post([&ran, i] { ran.push_back(i); });
  Drain(executor);
  ASSERT_EQ(ran.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(ran[static_cast<size_t>(i)], i);
}

TEST(ThreadExecutorTest, TaskMayPost) {
  ThreadExecutor executor({.name = "nested"});
  std::latch done(1);
  executor.Post([&] { executor.Post([&] { done.count_down(); }); });
  done.wait();
}

TEST(ThreadExecutorTest, NicenessIsThatOfItsThreadAlone) {
  const auto niceness = [] { return getpriority(PRIO_PROCESS, static_cast<id_t>(gettid())); };
  const int before = niceness();
  ThreadExecutor executor({.name = "background", .niceness = 10});
  int inside = 0;
  executor.Post([&] { inside = niceness(); });
  Drain(executor);
  EXPECT_EQ(inside, 10);
  EXPECT_EQ(niceness(), before);
}

TEST(ThreadExecutorTest, TaskKnowsWhereItRuns) {
  ThreadExecutor executor({.name = "here"});
  ThreadExecutor other({.name = "there"});
  EXPECT_FALSE(executor.IsCurrent());
  bool here = false;
  bool there = true;
  executor.Post([&] {
    here = executor.IsCurrent();
    there = other.IsCurrent();
  });
  Drain(executor);
  EXPECT_TRUE(here);
  EXPECT_FALSE(there);
}

TEST(ThreadExecutorTest, NewWorkIsRefusedAtTheBound) {
  ThreadExecutor executor({.name = "bound", .queue_tasks_max = 2});
  Blocker blocker(executor);
  int ran = 0;
  for (int i = 0; i < 2; ++i) {
    Task task = [&ran] { ++ran; };
    EXPECT_TRUE(executor.TryPost(task));
  }
  Task refused = [&ran] { ran += 100; };
  EXPECT_FALSE(executor.TryPost(refused));
  ASSERT_TRUE(refused != nullptr) << "a refused task is its caller's";
  executor.Post([&ran] { ++ran; });
  blocker.Release();
  Drain(executor);
  EXPECT_EQ(ran, 3);
}

TEST(ThreadExecutorTest, TimersRunByTheirTimeNotByTheirOrder) {
  ThreadExecutor executor({.name = "timers"});
  std::latch done(1);
  std::vector<int> ran;
  {
    Blocker blocker(executor);
    executor.PostAfter(absl::Milliseconds(20), [&] {
      ran.push_back(2);
      done.count_down();
    });
    executor.PostAfter(absl::Milliseconds(1), [&] { ran.push_back(1); });
    executor.PostAfter(absl::Seconds(-1), [&] { ran.push_back(0); });
    blocker.Release();
    done.wait();
  }
  EXPECT_EQ(ran, (std::vector<int>{0, 1, 2}));
}

TEST(ThreadExecutorTest, CancelledTimerDoesNotRun) {
  ThreadExecutor executor({.name = "cancel"});
  bool ran = false;
  std::latch done(1);
  const TimerId timer = executor.PostAfter(absl::Milliseconds(5), [&] { ran = true; });
  executor.PostAfter(absl::Milliseconds(10), [&] { done.count_down(); });
  executor.Cancel(timer);
  executor.Cancel(timer);
  executor.Cancel(TimerId::kNone);
  done.wait();
  EXPECT_FALSE(ran);
}

TEST(ThreadExecutorTest, CancelledTimerLetsGoOfWhatItHolds) {
  ThreadExecutor executor({.name = "release"});
  auto held = std::make_shared<int>(1);
  const TimerId timer = executor.PostAfter(absl::Hours(1), [held] {});
  EXPECT_EQ(held.use_count(), 2);
  executor.Cancel(timer);
  EXPECT_EQ(held.use_count(), 1);
}

TEST(ThreadExecutorTest, StopRunsWhatIsQueuedAndDropsTimers) {
  ThreadExecutor executor({.name = "stop"});
  std::atomic<int> ran = 0;
  auto held = std::make_shared<int>(1);
  {
    Blocker blocker(executor);
    for (int i = 0; i < 10; ++i) executor.Post([&ran] { ++ran; });
    executor.PostAfter(absl::Hours(1), [&ran, held] { ran += 100; });
    blocker.Release();
    executor.Stop();
  }
  EXPECT_EQ(ran, 10);
  EXPECT_EQ(held.use_count(), 1);
}

TEST(ThreadExecutorTest, PostsAfterStopAreDropped) {
  ThreadExecutor executor({.name = "late"});
  executor.Stop();
  auto held = std::make_shared<int>(1);
  executor.Post([held] { ADD_FAILURE() << "ran after stop"; });
  executor.PostAfter(absl::ZeroDuration(), [held] { ADD_FAILURE() << "ran after stop"; });
  executor.Stop();
  EXPECT_EQ(held.use_count(), 1);
}

TEST(ThreadExecutorTest, ManyThreadsPostToOne) {
  ThreadExecutor sink({.name = "sink"});
  std::vector<std::unique_ptr<ThreadExecutor>> sources;
  int ran = 0;  // Only the sink's thread touches it.
  for (int i = 0; i < 4; ++i) {
    sources.push_back(std::make_unique<ThreadExecutor>(ThreadExecutor::Options{.name = "source"}));
    sources.back()->Post([&] {
      for (int j = 0; j < 1000; ++j) sink.Post([&ran] { ++ran; });
    });
  }
  sources.clear();
  sink.Stop();
  EXPECT_EQ(ran, 4000);
}

TEST(ThreadExecutorDeathTest, ExecutorCannotStopItself) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        ThreadExecutor executor({.name = "self"});
        executor.Post([&] { executor.Stop(); });
        Drain(executor);
      },
      "cannot stop itself");
}

}  // namespace
}  // namespace talosmq::base
