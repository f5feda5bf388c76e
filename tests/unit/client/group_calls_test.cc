#include "client/group_calls.h"

#include "support/manual_clock.h"
#include "support/manual_executor.h"
#include "talosmq/error.h"

#include "unit/client/scripted_transport.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace talosmq::client {
namespace {

using ::testing::ElementsAre;

constexpr char kCommit[] = "/talosmq.v1.ConsumerService/CommitOffsets";
constexpr char kFetch[] = "/talosmq.v1.ConsumerService/FetchOffsets";

class NoRandom final : public base::Random {
 public:
  uint64_t Next() override { return 0; }
};

TopicPartition P(int32_t number) {
  return {.topic_id = ScriptedTransport::IdOf(1), .partition = PartitionId(number)};
}

class GroupCallsTest : public ::testing::Test {
 protected:
  GroupCallsTest() {
    auto transport = std::make_unique<ScriptedTransport>();
    net_ = transport.get();
    net_->held_methods = {kCommit, kFetch};
    core_ = std::make_unique<ClientCore>(
        ClientOptions{.server = "seed:1"}, std::move(transport),
        ClientCore::Deps{.executor = executor_, .clock = clock_, .random = random_});
  }
  ~GroupCallsTest() override { executor_.DropAll(); }

  void Commit(std::vector<OffsetCommit> commits) {
    CommitOffsets(*core_, {.group = "billing", .member_id = "me", .generation = 7},
                  std::move(commits), [this](std::vector<absl::Status> outcomes) {
                    reasons_.emplace();
                    for (const absl::Status& outcome : outcomes) {
                      reasons_->push_back(ReasonOf(outcome));
                    }
                  });
    executor_.RunUntilIdle();
  }
  void Advance(absl::Duration by) {
    clock_.Advance(by);
    executor_.RunUntilIdle();
  }
  v1::CommitOffsetsRequest LastRequest() const {
    v1::CommitOffsetsRequest request;
    request.ParseFromString(net_->held_calls.back().body);
    return request;
  }
  /// Of the partitions of the last request, in their order.
  void Answer(const std::vector<v1::Reason>& reasons) {
    const v1::CommitOffsetsRequest request = LastRequest();
    v1::CommitOffsetsResponse response;
    for (size_t i = 0; i < reasons.size(); ++i) {
      const v1::OffsetCommit& commit = request.offsets(static_cast<int>(i));
      v1::CommittedPartition& partition = *response.add_partitions();
      partition.set_topic_id(commit.topic_id());
      partition.set_partition(commit.partition());
      if (reasons[i] != v1::REASON_NONE) partition.mutable_error()->set_reason(reasons[i]);
    }
    Reply(response.SerializeAsString());
  }
  void Reply(absl::StatusOr<std::string> body) {
    std::exchange(net_->held_calls.back().reply, nullptr)(std::move(body));
    executor_.RunUntilIdle();
  }

  support::ManualClock clock_;
  support::ManualExecutor executor_{clock_};
  NoRandom random_;
  ScriptedTransport* net_ = nullptr;
  std::unique_ptr<ClientCore> core_;
  std::optional<std::vector<Reason>> reasons_;
};

TEST_F(GroupCallsTest, OnlyWhatFailedForNowIsCommittedAgain) {
  Commit({{.partition = P(0), .offset = Offset(5)},
          {.partition = P(1), .offset = Offset(6)},
          {.partition = P(2), .offset = Offset(7), .metadata = "m"}});
  Answer({v1::REASON_NONE, v1::REASON_NOT_OWNER, v1::REASON_COORDINATOR_NOT_AVAILABLE});
  EXPECT_FALSE(reasons_.has_value());
  Advance(absl::Seconds(1));
  ASSERT_EQ(net_->held_calls.size(), 2U);
  const v1::CommitOffsetsRequest again = LastRequest();
  ASSERT_EQ(again.offsets_size(), 1);
  EXPECT_EQ(again.offsets(0).partition(), 2);
  EXPECT_EQ(again.offsets(0).offset(), 7);
  EXPECT_EQ(again.offsets(0).metadata(), "m");
  EXPECT_EQ(again.member_id(), "me");
  EXPECT_EQ(again.generation(), 7);
  Answer({v1::REASON_NONE});
  ASSERT_TRUE(reasons_.has_value());
  EXPECT_THAT(*reasons_, ElementsAre(Reason::kNone, Reason::kNotOwner, Reason::kNone));
}

TEST_F(GroupCallsTest, ALostAnswerIsAskedForAgainUntilTheTimeIsOver) {
  Commit({{.partition = P(0), .offset = Offset(5)}});
  while (!reasons_.has_value()) {
    if (net_->held_calls.back().reply != nullptr) {
      Reply(MakeError(Reason::kUnavailable, "scripted"));
    }
    Advance(absl::Milliseconds(500));
  }
  EXPECT_GT(net_->held_calls.size(), 10U);
  EXPECT_THAT(*reasons_, ElementsAre(Reason::kUnavailable));
}

TEST_F(GroupCallsTest, AComparisonWhoseAnswerWasLostIsNotMadeTwice) {
  Commit({{.partition = P(0), .offset = Offset(5), .expected = Offset(3)}});
  EXPECT_EQ(LastRequest().offsets(0).expected_offset(), 3);
  Reply(MakeError(Reason::kUnavailable, "scripted"));
  ASSERT_TRUE(reasons_.has_value());
  EXPECT_THAT(*reasons_, ElementsAre(Reason::kMaybeStored));
}

TEST_F(GroupCallsTest, AComparisonThatWasCertainlyNotMadeIsMadeAgain) {
  Commit({{.partition = P(0), .offset = Offset(5), .expected = kNothingCommitted}});
  Answer({v1::REASON_COORDINATOR_NOT_AVAILABLE});
  Advance(absl::Seconds(1));
  EXPECT_EQ(LastRequest().offsets(0).expected_offset(), -1);
  Answer({v1::REASON_CONFLICT});
  ASSERT_TRUE(reasons_.has_value());
  EXPECT_THAT(*reasons_, ElementsAre(Reason::kConflict));
}

TEST_F(GroupCallsTest, MorePartitionsThanOneCallTakesGoInSeveral) {
  std::vector<OffsetCommit> commits;
  for (int32_t number = 0; number < 10'001; ++number) {
    commits.push_back({.partition = P(number), .offset = Offset(5)});
  }
  Commit(std::move(commits));
  EXPECT_EQ(LastRequest().offsets_size(), 10'000);
  Answer(std::vector<v1::Reason>(10'000, v1::REASON_NONE));
  EXPECT_FALSE(reasons_.has_value());
  EXPECT_EQ(LastRequest().offsets_size(), 1);
  Answer({v1::REASON_NOT_OWNER});
  ASSERT_TRUE(reasons_.has_value());
  EXPECT_EQ(std::ranges::count(*reasons_, Reason::kNone), 10'000);
  EXPECT_EQ(reasons_->back(), Reason::kNotOwner);
}

TEST_F(GroupCallsTest, APartitionWithoutAnOutcomeIsAnError) {
  Commit({{.partition = P(0), .offset = Offset(5)}});
  Answer({});
  ASSERT_TRUE(reasons_.has_value());
  EXPECT_THAT(*reasons_, ElementsAre(Reason::kInternal));
}

TEST_F(GroupCallsTest, WhatWasNeverCommittedIsLeftOut) {
  std::optional<absl::StatusOr<CommittedOffsets>> found;
  FetchCommittedOffsets(*core_, "billing", {P(0), P(1)},
                        [&](absl::StatusOr<CommittedOffsets> offsets) { found = offsets; });
  executor_.RunUntilIdle();
  Reply(MakeError(Reason::kCoordinatorNotAvailable, "scripted"));
  Advance(absl::Seconds(1));
  ASSERT_EQ(net_->held_calls.size(), 2U) << "asked again";
  v1::FetchOffsetsResponse response;
  for (const int32_t number : {0, 1}) {
    v1::CommittedOffset& offset = *response.add_offsets();
    offset.set_topic_id(std::string(P(number).topic_id.bytes()));
    offset.set_partition(number);
    if (number == 1) {
      offset.set_offset(42);
      offset.set_leader_epoch_plus_one(4);
      offset.set_metadata("m");
    }
  }
  Reply(response.SerializeAsString());
  ASSERT_TRUE(found.has_value() && found->ok());
  ASSERT_EQ((*found)->size(), 1U);
  EXPECT_EQ((*found)->at(P(1)).offset, Offset(42));
  EXPECT_EQ((*found)->at(P(1)).epoch, LeaderEpoch(3));
  EXPECT_EQ((*found)->at(P(1)).metadata, "m");
}

}  // namespace
}  // namespace talosmq::client
