#include "model/group_world.h"

#include "gtest/gtest.h"

#include <iterator>
#include <utility>

namespace talosmq::model {

bool Schedule::RunNext() {
  if (queue_.empty()) return false;
  const Entry next = queue_.top();
  queue_.pop();
  now_ = next.due;
  next.action();
  return true;
}

void SimulatedCoordinator::SetTopics(group::TopicCatalogue topics) {
  topics_ = std::make_shared<const group::TopicCatalogue>(std::move(topics));
  if (coordinator_ == nullptr) return Start();
  Emit(coordinator_->OnTopics(topics_, Now()));
}

void SimulatedCoordinator::Start() {
  ++starts_;
  coordinator_ = std::make_unique<group::Coordinator>(
      group::CoordinatorOptions{.offsets_retention = absl::Seconds(5)}, dice_);
  if (dice_.OneIn(2)) {
    for (const group::Change& change : log_) coordinator_->Replay(change);
  } else {
    for (const auto& [key, change] : folded_) coordinator_->Replay(change);
  }
  Emit(coordinator_->Start(Now(), topics_));
}

bool SimulatedCoordinator::Handle(const Event& event) {
  if (coordinator_ == nullptr) return false;
  Emit(event(*coordinator_, Now()));
  return true;
}

void SimulatedCoordinator::Crash() {
  if (coordinator_ == nullptr) return;
  ++term_;
  timer_due_ = absl::InfiniteDuration();
  coordinator_->Abandon(absl::UnavailableError("the process died"));
  coordinator_.reset();
  if (under_way_ && dice_.OneIn(2)) {
    Commit(std::move(under_way_->changes));
  }
  under_way_.reset();
  queue_.clear();
  schedule_.After(dice_.Milliseconds(0, 4000), [this] {
    if (coordinator_ == nullptr) Start();
  });
}

void SimulatedCoordinator::Emit(group::Output output) {
  const absl::Status sound = coordinator_->Check();
  EXPECT_TRUE(sound.ok()) << sound;
  if (!output.changes.empty()) {
    if (queue_.empty()) queue_.emplace_back();
    std::ranges::move(output.changes, std::back_inserter(queue_.back().changes));
  }
  if (!queue_.empty()) {
    std::ranges::move(output.replies, std::back_inserter(queue_.back().replies));
  } else if (under_way_) {
    std::ranges::move(output.replies, std::back_inserter(under_way_->replies));
  } else {
    for (group::PendingReply& reply : output.replies) reply(absl::OkStatus());
  }
  if (!under_way_) Send();
  SetTimer();
}

void SimulatedCoordinator::Send() {
  if (queue_.empty()) return;
  under_way_ = std::move(queue_.front());
  queue_.pop_front();
  schedule_.After(dice_.Milliseconds(0, 20), [this, term = term_] {
    if (term != term_) return;
    Append done = *std::move(under_way_);
    under_way_.reset();
    Commit(std::move(done.changes));
    for (group::PendingReply& reply : done.replies) reply(absl::OkStatus());
    Send();
  });
}

void SimulatedCoordinator::SetTimer() {
  const absl::Duration due = coordinator_->next_tick();
  if (due == absl::InfiniteDuration() || due >= timer_due_) return;
  timer_due_ = due;
  schedule_.After(std::max(due - schedule_.now(), absl::ZeroDuration()), [this, term = term_, due] {
    if (term != term_ || due != timer_due_) return;
    timer_due_ = absl::InfiniteDuration();
    Emit(coordinator_->Tick(Now()));
  });
}

void SimulatedCoordinator::Commit(std::vector<group::Change> changes) {
  for (group::Change& change : changes) {
    const group::EncodedChange encoded = group::Encode(change);
    if (encoded.value) {
      folded_.insert_or_assign(encoded.key, change);
    } else {
      folded_.erase(encoded.key);
    }
    log_.push_back(std::move(change));
  }
}

}  // namespace talosmq::model
