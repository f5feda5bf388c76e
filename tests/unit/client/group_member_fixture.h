#pragma once

#include "client/group_member.h"
#include "support/manual_clock.h"
#include "support/manual_executor.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"
#include "unit/client/fixed_random.h"
#include "unit/client/scripted_transport.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace talosmq::client {

/// A clock during which other threads run: `after_read` is called whenever it was read.
class BusyClock final : public base::Clock {
 public:
  explicit BusyClock(const support::ManualClock& clock) : clock_(clock) {}
  absl::Time Now() const override { return clock_.Now(); }
  absl::Duration Monotonic() const override {
    const absl::Duration now = clock_.Monotonic();
    if (after_read) after_read();
    return now;
  }
  std::function<void()> after_read;

 private:
  const support::ManualClock& clock_;
};

/// Writes down what the member tells; lets go when the test says so.
class Worker final : public GroupMemberListener {
 public:
  void OnAssigned(const Partitions& partitions) override { Note("assigned", partitions); }
  void OnRevoked(const Partitions& partitions) override { Note("revoked", partitions); }
  void OnLost(const Partitions& partitions, const absl::Status& why) override {
    Note("lost", partitions);
    lost_why = why;
  }
  void OnFailed(const absl::Status& why) override {
    told.push_back("failed " + std::string(ReasonName(ReasonOf(why))));
  }

  std::vector<std::string> Take() { return std::exchange(told, {}); }

  std::vector<std::string> told;
  absl::Status lost_why;

 private:
  void Note(std::string what, const Partitions& partitions) {
    for (const TopicPartition& partition : partitions) {
      what += " " + std::to_string(partition.partition.value());
    }
    told.push_back(std::move(what));
  }
};

/// One member; its clock, its executor and the coordinator are the test's.
class GroupMemberTest : public ::testing::Test {
 protected:
  static constexpr char kHeartbeat[] = "/talosmq.v1.ConsumerService/Heartbeat";
  static constexpr char kCommit[] = "/talosmq.v1.ConsumerService/CommitOffsets";
  static constexpr char kLeave[] = "/talosmq.v1.ConsumerService/LeaveGroup";

  static TopicPartition P(int32_t number) {
    return {.topic_id = ScriptedTransport::IdOf(1), .partition = PartitionId(number)};
  }

  GroupMemberTest() {
    auto transport = std::make_unique<ScriptedTransport>();
    net_ = transport.get();
    net_->held_methods = {kHeartbeat, kLeave};
    core_ = std::make_unique<ClientCore>(
        ClientOptions{.server = "seed:1"}, std::move(transport),
        ClientCore::Deps{.executor = executor_, .clock = busy_clock_, .random = random_});
  }
  void TearDown() override {
    if (member_ != nullptr) member_->Close();
    member_ = nullptr;
    executor_.DropAll();
  }

  GroupMember& Start(std::string instance_id = {}) {
    member_ = std::make_shared<GroupMember>(
        *core_,
        GroupOptions{.group = "billing",
                     .subscription = {.topics = {"events"}, .patterns = {}},
                     .instance_id = std::move(instance_id)},
        worker_);
    member_->Start();
    Run();
    return *member_;
  }
  void Run() { executor_.RunUntilIdle(); }
  void Advance(absl::Duration by) {
    clock_.Advance(by);
    Run();
  }
  /// A process that stands still: what came meanwhile is seen after the timers.
  void Pause(absl::Duration by) { clock_.Advance(by); }

  size_t asked() const { return net_->held_calls.size(); }
  v1::HeartbeatRequest Request(size_t index) const {
    v1::HeartbeatRequest request;
    EXPECT_EQ(net_->held_calls.at(index).method, kHeartbeat);
    request.ParseFromString(net_->held_calls.at(index).body);
    return request;
  }
  v1::HeartbeatRequest LastRequest() const { return Request(asked() - 1); }
  static std::vector<int32_t> Owned(const v1::HeartbeatRequest& request) {
    std::vector<int32_t> owned;
    for (const v1::GroupPartition& partition : request.owned()) {
      owned.push_back(partition.partition());
    }
    return owned;
  }

  void Answer(size_t index, int32_t generation, const std::vector<int32_t>& assigned) {
    v1::HeartbeatResponse response;
    response.set_member_id(member_->id());
    response.set_generation(generation);
    response.set_lease_ms(10'000);
    for (const int32_t number : assigned) {
      v1::GroupPartition& partition = *response.add_assigned();
      partition.set_topic_id(std::string(P(number).topic_id.bytes()));
      partition.set_partition(number);
    }
    std::exchange(net_->held_calls.at(index).reply, nullptr)(response.SerializeAsString());
    Run();
  }
  void AnswerLast(int32_t generation, const std::vector<int32_t>& assigned) {
    Answer(asked() - 1, generation, assigned);
  }
  void Refuse(size_t index, Reason reason) {
    std::exchange(net_->held_calls.at(index).reply, nullptr)(MakeError(reason, "scripted"));
    Run();
  }
  void RefuseLast(Reason reason) { Refuse(asked() - 1, reason); }
  size_t CallsOf(std::string_view method) const {
    return static_cast<size_t>(std::ranges::count(
        net_->held_calls, method, [](const auto& call) { return std::string_view(call.method); }));
  }
  v1::HeartbeatRequest LastHeartbeat() const {
    size_t index = asked() - 1;
    while (net_->held_calls.at(index).method != kHeartbeat) --index;
    return Request(index);
  }
  /// Answers the newest heartbeat that waits, without news.
  void KeepAlive() {
    size_t index = asked() - 1;
    while (net_->held_calls.at(index).method != kHeartbeat) --index;
    if (net_->held_calls.at(index).reply != nullptr) Answer(index, 1, {0});
  }
  /// commits_ gets "OFFSET REASON".
  void Commit(int32_t number, int64_t offset) {
    member_->Commit({{.partition = P(number), .offset = Offset(offset)}},
                    [this, offset](const std::vector<absl::Status>& outcomes) {
                      commits_.push_back(std::to_string(offset) + " " +
                                         std::string(ReasonName(ReasonOf(outcomes.at(0)))));
                    });
    Run();
  }
  /// Answers the oldest commit that waits.
  void AnswerCommit() {
    const auto call = std::ranges::find_if(net_->held_calls, [](const auto& held) {
      return held.method == kCommit && held.reply != nullptr;
    });
    ASSERT_NE(call, net_->held_calls.end());
    v1::CommitOffsetsRequest request;
    request.ParseFromString(call->body);
    v1::CommitOffsetsResponse response;
    for (const v1::OffsetCommit& offset : request.offsets()) {
      v1::CommittedPartition& partition = *response.add_partitions();
      partition.set_topic_id(offset.topic_id());
      partition.set_partition(offset.partition());
    }
    std::exchange(call->reply, nullptr)(response.SerializeAsString());
    Run();
  }
  /// Joined in generation 1 with these, and told so.
  void Join(const std::vector<int32_t>& assigned) {
    Start();
    AnswerLast(1, assigned);
    worker_->Take();
  }

  support::ManualClock clock_;
  BusyClock busy_clock_{clock_};
  support::ManualExecutor executor_{clock_};
  FixedRandom random_;
  ScriptedTransport* net_ = nullptr;
  std::unique_ptr<ClientCore> core_;
  std::shared_ptr<Worker> worker_ = std::make_shared<Worker>();
  std::shared_ptr<GroupMember> member_;
  std::vector<std::string> commits_;
};

}  // namespace talosmq::client
