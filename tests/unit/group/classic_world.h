#pragma once

#include "group/classic_group.h"
#include "support/manual_clock.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"
#include "unit/group/counting_random.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::group {

/// One classic group, the log that it writes, and a clock. Every output is applied at once, and
/// after each event the log must hold what the group says, and the group its invariants.
class ClassicWorld {
 public:
  static constexpr absl::Duration kSession = absl::Seconds(10);
  static constexpr absl::Duration kRebalance = absl::Seconds(60);

  /// What became of a call: nothing while it waits.
  using Joined = std::shared_ptr<std::optional<ClassicJoinOutcome>>;
  using Synced = std::shared_ptr<std::optional<absl::StatusOr<ClassicSyncReply>>>;

  explicit ClassicWorld(CoordinatorOptions options) : options_(options) { Restart(); }

  Now now() const { return {.monotonic = clock_.Monotonic(), .wall = clock_.Now()}; }
  ClassicGroup& group() { return *group_; }

  static ClassicJoinRequest JoinRequest(const std::string& member_id) {
    return {.group = "g",
            .member_id = member_id,
            .client_id = "c",
            .session_timeout = kSession,
            .rebalance_timeout = kRebalance,
            .protocol_type = "consumer",
            .protocols = {{"range", "any"}},
            .first_join = ClassicJoinRequest::FirstJoin::kAdmit};
  }

  Joined Join(const ClassicJoinRequest& request) {
    Joined joined = std::make_shared<Joined::element_type>();
    Run([&](Output& output) {
      group_->Join(
          request, now(), [joined](ClassicJoinOutcome outcome) { *joined = std::move(outcome); },
          output);
    });
    return joined;
  }
  Joined Join(const std::string& member_id) { return Join(JoinRequest(member_id)); }

  Synced Sync(const ClassicSyncRequest& request) {
    Synced synced = std::make_shared<Synced::element_type>();
    Run([&](Output& output) {
      group_->Sync(
          request, now(),
          [synced](absl::StatusOr<ClassicSyncReply> reply) { *synced = std::move(reply); }, output);
    });
    return synced;
  }
  Synced Sync(const std::string& member_id, int32_t generation,
              const std::map<std::string, std::string>& assignments = {}) {
    return Sync({.group = "g",
                 .member_id = member_id,
                 .generation = generation,
                 .assignments = assignments});
  }

  absl::Status Heartbeat(const ClassicHeartbeatRequest& request) {
    std::optional<absl::Status> answer;
    Run([&](Output& output) {
      group_->Heartbeat(
          request, now(), [&answer](absl::Status status) { answer = std::move(status); }, output);
    });
    return answer.value();
  }
  absl::Status Heartbeat(const std::string& member_id, int32_t generation) {
    return Heartbeat({.group = "g", .member_id = member_id, .generation = generation});
  }

  std::vector<absl::Status> Leave(const std::vector<ClassicLeaveRequest::Member>& members) {
    std::optional<std::vector<absl::Status>> answer;
    Run([&](Output& output) {
      group_->Leave(
          {.group = "g", .members = members}, now(),
          [&answer](std::vector<absl::Status> statuses) { answer = std::move(statuses); }, output);
    });
    return answer.value();
  }

  absl::Status CheckCommit(const std::string& member_id, int32_t generation,
                           const std::string& instance_id = "") {
    return group_->CheckCommit(
        {.member_id = member_id, .generation = generation, .instance_id = instance_id}, now());
  }

  /// Time goes on, and the group is told at each moment that it asked for.
  void Advance(absl::Duration by) {
    const absl::Duration until = clock_.Monotonic() + by;
    while (group_->next_tick() <= until) {
      clock_.Advance(std::max(group_->next_tick() - clock_.Monotonic(), absl::ZeroDuration()));
      Run([&](Output& output) { group_->Tick(now(), output); });
      ASSERT_GT(group_->next_tick(), clock_.Monotonic()) << "the group asks for the same moment";
    }
    clock_.Advance(until - clock_.Monotonic());
  }

  /// The coordinator is made anew from the log.
  void Restart() {
    if (group_ != nullptr) {
      Output output;
      group_->Abandon(MakeError(Reason::kCoordinatorNotAvailable, "moved"), output);
      for (PendingReply& reply : output.replies) reply(absl::OkStatus());
    }
    group_ = std::make_unique<ClassicGroup>(
        ClassicGroup::Context{.group = "g", .options = options_, .random = random_});
    if (logged_group_) group_->Replay(*logged_group_);
    for (const auto& [id, member] : logged_members_) group_->Replay(id, member);
    group_->Start(now());
    Check();
  }

 private:
  void Run(const std::function<void(Output&)>& event) {
    Output output;
    event(output);
    for (const Change& change : output.changes) Apply(change);
    for (PendingReply& reply : output.replies) reply(absl::OkStatus());
    Check();
  }

  void Apply(const Change& change) {
    if (const auto* const member = std::get_if<MemberChange>(&change)) {
      logged_members_.erase(member->key.member);
      if (member->value) logged_members_[member->key.member] = *member->value;
    } else {
      logged_group_ = std::get<GroupChange>(change).value;
    }
  }

  void Check() {
    const absl::Status checked = group_->Check();
    ASSERT_TRUE(checked.ok()) << checked;
    ASSERT_TRUE(group_->record() == logged_group_.value_or(GroupRecord{})) << "not as in the log";
    ASSERT_TRUE(group_->members() == logged_members_) << "members not as in the log";
  }

  const CoordinatorOptions options_;
  support::ManualClock clock_;
  CountingRandom random_;
  std::optional<GroupRecord> logged_group_;
  std::map<std::string, MemberRecord> logged_members_;
  std::unique_ptr<ClassicGroup> group_;
};

}  // namespace talosmq::group
