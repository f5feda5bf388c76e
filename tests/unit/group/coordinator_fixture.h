#pragma once

#include "group/coordinator.h"
#include "group/native_group.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"
#include "unit/group/counting_random.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::group {

/// One coordinator whose changes are committed at once.
class CoordinatorTest : public testing::Test {
 protected:
  using Beat = std::optional<absl::StatusOr<HeartbeatReply>>;

  CoordinatorTest() {
    topics_.by_name["orders"] = {.id = kOrders, .partitions = 2};
    topics_.name_of[kOrders] = "orders";
    Restart();
  }

  void Restart() {
    coordinator_ = std::make_unique<Coordinator>(options_, random_);
    for (const Change& change : log_) coordinator_->Replay(change);
    Do(coordinator_->Start(now_, Topics()));
  }
  std::shared_ptr<const TopicCatalogue> Topics() {
    return std::make_shared<const TopicCatalogue>(topics_);
  }

  void Do(Output output) {
    for (Change& change : output.changes) log_.push_back(std::move(change));
    for (PendingReply& reply : output.replies) reply(absl::OkStatus());
    const absl::Status sound = coordinator_->Check();
    EXPECT_TRUE(sound.ok()) << sound;
  }
  void Pass(absl::Duration by) {
    now_.monotonic += by;
    now_.wall += by;
    Do(coordinator_->Tick(now_));
  }

  /// Until so long after the beginning of the test.
  void PassTo(absl::Duration time) { Pass(begin_ + time - now_.monotonic); }

  HeartbeatRequest Joining(const std::string& member) {
    HeartbeatRequest request{.group = "g", .member_id = member, .sequence = 1};
    request.subscription = Subscription{.topics = {"orders"}};
    return request;
  }
  std::shared_ptr<Beat> Send(HeartbeatRequest request) {
    auto answer = std::make_shared<Beat>();
    Do(coordinator_->Heartbeat(
        std::move(request), now_,
        [answer](absl::StatusOr<HeartbeatReply> reply) { *answer = std::move(reply); }));
    return answer;
  }
  HeartbeatReply Join(const std::string& member) {
    Pass(kDealWindow);
    const auto answer = Send(Joining(member));
    EXPECT_TRUE(answer->has_value() && (**answer).ok());
    return *answer->value_or(absl::UnknownError("nothing came"));
  }
  std::shared_ptr<Beat> Next(const HeartbeatReply& last, uint64_t sequence,
                             std::vector<TopicPartition> owned) {
    return Send({.group = "g",
                 .member_id = last.member_id,
                 .sequence = sequence,
                 .generation = last.generation,
                 .owned = std::move(owned)});
  }
  Reason RefusalOf(HeartbeatRequest request) {
    const auto answer = Send(std::move(request));
    return answer->has_value() ? ReasonOf((**answer).status()) : Reason::kNone;
  }

  absl::Status Commit(const std::string& member, int32_t generation, int64_t offset,
                      std::optional<Offset> expected = std::nullopt,
                      TopicPartition partition = kFirst) {
    CommitRequest request{.group = "g"};
    if (!member.empty()) request.committer = {.member_id = member, .generation = generation};
    request.offsets.push_back(
        {.partition = partition, .value = {.offset = Offset(offset)}, .expected = expected});
    absl::Status outcome = absl::UnknownError("nothing came");
    Do(coordinator_->Commit(std::move(request), now_, [&](const std::vector<absl::Status>& each) {
      outcome = each.front();
    }));
    return outcome;
  }
  /// -1: nothing is committed.
  int64_t Committed(TopicPartition partition = kFirst) {
    int64_t offset = -1;
    Do(coordinator_->FetchOffsets({.group = "g"}, now_, [&](const auto& offsets) {
      if (offsets.ok() && offsets->contains(partition))
        offset = offsets->at(partition).offset.value();
    }));
    return offset;
  }
  absl::Status Reset(int64_t offset, ResetRequest::WhileLive while_live) {
    absl::Status outcome = absl::UnknownError("nothing came");
    Do(coordinator_->Reset(
        {.group = "g", .offsets = {{kFirst, Offset(offset)}}, .while_live = while_live}, now_,
        [&](const std::vector<absl::Status>& each) { outcome = each.front(); }));
    return outcome;
  }
  /// A second topic, of one partition.
  TopicPartition AddOther() {
    const TopicId id({9, 9});
    topics_.by_name["other"] = {.id = id, .partitions = 1};
    topics_.name_of[id] = "other";
    Do(coordinator_->OnTopics(Topics(), now_));
    return {.topic_id = id, .partition = PartitionId(0)};
  }
  absl::Status Forget(const TopicPartition& partition) {
    absl::Status outcome = absl::UnknownError("nothing came");
    Do(coordinator_->Forget({.group = "g", .partitions = {partition}}, now_,
                            [&](const absl::StatusOr<std::vector<absl::Status>>& each) {
                              outcome = each.ok() ? each->front() : each.status();
                            }));
    return outcome;
  }
  absl::Status Delete() {
    absl::Status outcome = absl::UnknownError("nothing came");
    Do(coordinator_->Delete("g", now_, [&](const absl::Status& status) { outcome = status; }));
    return outcome;
  }
  absl::Status Leave(const std::string& member, bool keeps = false) {
    absl::Status outcome = absl::UnknownError("nothing came");
    Do(coordinator_->Leave({.group = "g", .member_id = member, .keeps_partitions = keeps}, now_,
                           [&](const absl::Status& status) { outcome = status; }));
    return outcome;
  }

  /// Of a classic member.
  ClassicJoinOutcome JoinClassic(const std::string& group, const std::string& id = "",
                                 const std::string& metadata = "") {
    // A join that waits is answered when this has returned.
    const auto outcome = std::make_shared<ClassicJoinOutcome>();
    outcome->status = absl::UnknownError("it waits");
    Do(coordinator_->Join({.group = group,
                           .member_id = id,
                           .client_id = "k",
                           .protocol_type = "consumer",
                           .protocols = {{"range", metadata}}},
                          now_,
                          [outcome](ClassicJoinOutcome answer) { *outcome = std::move(answer); }));
    return *outcome;
  }
  std::vector<std::string> Groups() {
    std::vector<std::string> names;
    Do(coordinator_->List(now_, [&](const auto& groups) {
      for (const GroupSummary& group : *groups) names.push_back(group.group);
    }));
    return names;
  }
  absl::Status CommitAs(std::optional<Committer> committer) {
    absl::Status outcome = absl::UnknownError("nothing came");
    CommitRequest request{.group = "g", .committer = std::move(committer)};
    request.offsets.push_back({.partition = kFirst, .value = {.offset = Offset(1)}});
    Do(coordinator_->Commit(std::move(request), now_, [&](const std::vector<absl::Status>& each) {
      outcome = each.front();
    }));
    return outcome;
  }
  /// The coordinator holds what a full replay of its log gives.
  void ExpectAsLogged() {
    const auto encoded = [](const std::vector<Change>& changes) {
      std::map<std::string, std::string> folded;
      for (const Change& change : changes) {
        const EncodedChange each = Encode(change);
        folded.erase(each.key);
        if (each.value) folded[each.key] = *each.value;
      }
      return folded;
    };
    EXPECT_EQ(encoded(coordinator_->Snapshot()), encoded(log_));
  }

  static constexpr TopicId kOrders{{1}};
  static constexpr TopicPartition kFirst{kOrders, PartitionId(0)};
  static constexpr TopicPartition kSecond{kOrders, PartitionId(1)};

  CountingRandom random_;
  CoordinatorOptions options_;
  TopicCatalogue topics_;
  Now now_{.monotonic = absl::Hours(1), .wall = absl::FromUnixSeconds(1'767'225'600)};
  const absl::Duration begin_ = now_.monotonic;
  std::vector<Change> log_;
  std::unique_ptr<Coordinator> coordinator_;
};

}  // namespace talosmq::group
