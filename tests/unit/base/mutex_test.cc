#include "base/mutex.h"

#include "base/clock.h"
#include "base/executor.h"

#include "gtest/gtest.h"

namespace talosmq::base {
namespace {

TEST(CondVarTest, WaitEndsWithTheTimeWhenNobodySignals) {
  const SystemClock clock;
  const absl::Duration begin = clock.Monotonic();
  Mutex mutex;
  CondVar changed;
  const MutexLock lock(mutex);
  while (!changed.WaitFor(mutex, absl::Milliseconds(2))) {
  }
  EXPECT_GE(clock.Monotonic() - begin, absl::Milliseconds(2));
}

TEST(CondVarTest, SignalFromAnotherThreadIsSeen) {
  Mutex mutex;
  CondVar changed;
  bool ready = false;
  ThreadExecutor executor({.name = "signal"});
  executor.Post([&] {
    const MutexLock lock(mutex);
    ready = true;
    changed.SignalAll();
  });
  const MutexLock lock(mutex);
  while (!ready) changed.Wait(mutex);
  EXPECT_TRUE(ready);
}

TEST(SystemClockTest, MonotonicTimeNeverGoesBack) {
  const SystemClock clock;
  absl::Duration last = clock.Monotonic();
  for (int i = 0; i < 1000; ++i) {
    const absl::Duration now = clock.Monotonic();
    EXPECT_GE(now, last);
    last = now;
  }
}

}  // namespace
}  // namespace talosmq::base
