#pragma once

#include "base/random.h"
#include "group/coordinator.h"
#include "group/group_records.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/time/time.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace talosmq::model {

/// Virtual time: what happens when, in the order of time and then of planning. Confined.
class Schedule {
 public:
  using Action = std::function<void()>;

  absl::Duration now() const { return now_; }
  void After(absl::Duration delay, Action action) {
    queue_.push({.due = now_ + delay, .number = ++last_, .action = std::move(action)});
  }
  /// False: nothing is planned.
  bool RunNext();

 private:
  struct Entry {
    absl::Duration due;
    uint64_t number = 0;
    Action action;
    friend bool operator<(const Entry& a, const Entry& b) {
      return std::pair(a.due, a.number) > std::pair(b.due, b.number);
    }
  };
  absl::Duration now_ = absl::Hours(1);
  uint64_t last_ = 0;
  std::priority_queue<Entry> queue_;
};

/// The dice of one run.
class Dice final : public base::Random {
 public:
  explicit Dice(uint64_t seed) : engine_(seed) {}
  uint64_t Next() override { return engine_(); }
  int64_t Below(int64_t bound) {
    return static_cast<int64_t>(engine_() % static_cast<uint64_t>(bound));
  }
  bool OneIn(int64_t n) { return Below(n) == 0; }
  absl::Duration Milliseconds(int64_t min, int64_t max) {
    return absl::Milliseconds(min + Below(max - min + 1));
  }

 private:
  std::mt19937_64 engine_;
};

/// A coordinator with its log on a simulated broker: commits take time, and sometimes the process
/// dies, with or without what was being committed.
class SimulatedCoordinator {
 public:
  /// Of a clock that nobody sets, when the monotonic one was 0.
  static constexpr absl::Time kWallBegin = absl::FromUnixSeconds(1'767'225'600);

  using Event = std::function<group::Output(group::Coordinator&, group::Now)>;

  SimulatedCoordinator(Schedule& schedule, Dice& dice) : schedule_(schedule), dice_(dice) {}

  void SetTopics(group::TopicCatalogue topics);
  /// False: it is down, and nobody answers.
  bool Handle(const Event& event);
  void Crash();
  /// Somebody sets the wall clock.
  void JumpWallClock(absl::Duration by) { wall_ += by; }

  /// The newest value of each key in the committed log.
  const std::map<std::string, group::Change>& folded() const { return folded_; }
  /// Nothing waits to be committed.
  bool is_settled() const { return coordinator_ != nullptr && !under_way_ && queue_.empty(); }
  const group::Coordinator* coordinator() const { return coordinator_.get(); }
  int64_t starts() const { return starts_; }

 private:
  struct Append {
    std::vector<group::Change> changes;
    std::vector<group::PendingReply> replies;
  };

  group::Now Now() const { return {.monotonic = schedule_.now(), .wall = wall_ + schedule_.now()}; }
  void Start();
  void Commit(std::vector<group::Change> changes);
  void Emit(group::Output output);
  void Send();
  void SetTimer();

  Schedule& schedule_;
  Dice& dice_;
  std::shared_ptr<const group::TopicCatalogue> topics_ = std::make_shared<group::TopicCatalogue>();
  absl::Time wall_ = kWallBegin;
  std::unique_ptr<group::Coordinator> coordinator_;
  std::vector<group::Change> log_;
  std::map<std::string, group::Change> folded_;
  std::optional<Append> under_way_;
  std::deque<Append> queue_;
  uint64_t term_ = 0;
  absl::Duration timer_due_ = absl::InfiniteDuration();
  int64_t starts_ = 0;
};

}  // namespace talosmq::model
