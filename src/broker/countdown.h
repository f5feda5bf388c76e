#pragma once

#include "base/executor.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace talosmq::broker {

/// Runs a task once all of several parts are done, on the thread of the last. Thread-safe. Shared
/// by the parts, so it goes with the last of them.
class Countdown {
 public:
  /// `parts` is at least one.
  static std::shared_ptr<Countdown> Start(int64_t parts, base::Task done) {
    return std::shared_ptr<Countdown>(new Countdown(parts, std::move(done)));
  }
  void PartDone() {
    if (left_.fetch_sub(1) == 1) std::exchange(done_, nullptr)();
  }

 private:
  Countdown(int64_t parts, base::Task done) : left_(parts), done_(std::move(done)) {}

  std::atomic<int64_t> left_;
  base::Task done_;
};

}  // namespace talosmq::broker
