#include "rpc/limits.h"
#include "talosmq/v1/consumer.grpc.pb.h"

#include "gtest/gtest.h"
#include "unit/rpc/front_fixture.h"
#include "unit/rpc/watched_registry.h"

#include <memory>
#include <string>
#include <utility>

namespace talosmq::rpc {
namespace {

class HeartbeatStreamTest : public FrontTest {
 protected:
  HeartbeatStreamTest()
      : FrontTest({.listen = "127.0.0.1:0"}, std::make_unique<WatchedRegistry>("heartbeats")) {
    groups_.HoldHeartbeatsOf("patient");
  }

  static void Add(v1::HeartbeatsRequest& message, uint64_t number, const std::string& member) {
    v1::NumberedHeartbeat& numbered = *message.add_heartbeats();
    numbered.set_number(number);
    numbered.mutable_heartbeat()->set_group("g");
    numbered.mutable_heartbeat()->set_member_id(member);
  }
  /// So many of one member, numbered from `first`.
  bool Send(const std::string& member, uint64_t first, uint64_t count) {
    v1::HeartbeatsRequest message;
    for (uint64_t i = 0; i < count; ++i) Add(message, first + i, member);
    return stream_->Write(message);
  }
  v1::HeartbeatsResponse Read() {
    v1::HeartbeatsResponse response;
    EXPECT_TRUE(stream_->Read(&response)) << stream_->Finish().error_message();
    return response;
  }
  /// What the stream ends with, when no answer comes any more.
  grpc::Status End() {
    v1::HeartbeatsResponse none;
    EXPECT_FALSE(stream_->Read(&none)) << none.ShortDebugString();
    return stream_->Finish();
  }

  /// Sends one of "m" whose answer of some MB is being sent, and not yet read, when this returns;
  /// one of "patient", numbered `patient`, waits then.
  void SendUnreadAnswer(uint64_t patient) {
    // More than what gRPC takes on both sides before the client reads.
    groups_.heartbeat_reply = group::HeartbeatReply();
    groups_.heartbeat_reply->assigned.resize(kManyPartitions, kLog);
    ASSERT_TRUE(Send("m", 0, 1));
    // The stream is read on once the answer is given to gRPC.
    ASSERT_TRUE(Send("patient", patient, 1));
    groups_.WaitForHeld(1);
  }

  static constexpr size_t kManyPartitions = 1'000'000;
  /// Less than what an answer with those takes.
  static constexpr int64_t kManyPartitionsBytesMin = int64_t{2} << 20;

  WatchedRegistry& registry_ = static_cast<WatchedRegistry&>(*metrics_);
  std::unique_ptr<v1::ConsumerService::Stub> consumers_ = v1::ConsumerService::NewStub(channel_);
  std::unique_ptr<grpc::ClientContext> context_ = Context();
  std::unique_ptr<grpc::ClientReaderWriter<v1::HeartbeatsRequest, v1::HeartbeatsResponse>> stream_ =
      consumers_->Heartbeats(context_.get());
};

TEST_F(HeartbeatStreamTest, AMessageThatIsTooLargeEndsTheStream) {
  v1::HeartbeatsRequest message;
  Add(message, 1, std::string(kControlBytesMax, 'm'));
  ASSERT_TRUE(stream_->Write(message));
  EXPECT_EQ(End().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(TrailerOf(*context_).reason(), v1::REASON_INVALID_ARGUMENT);
}

TEST_F(HeartbeatStreamTest, OneThatIsWrongIsRefusedAndTheOthersAreNot) {
  groups_.heartbeat_reply = group::HeartbeatReply{
      .member_id = "m", .generation = 7, .lease = absl::Seconds(10), .assigned = {kLog}};
  v1::HeartbeatsRequest message;
  Add(message, 1, "wrong");
  message.mutable_heartbeats(0)->mutable_heartbeat()->add_owned()->set_topic_id("short");
  Add(message, 2, "m");
  ASSERT_TRUE(stream_->Write(message));
  v1::HeartbeatsResponse answers;
  while (answers.answers_size() < 2) answers.MergeFrom(Read());
  EXPECT_EQ(answers.answers(0).number(), 1U);
  EXPECT_EQ(answers.answers(0).error().reason(), v1::REASON_UNKNOWN_TOPIC_ID);
  EXPECT_FALSE(answers.answers(0).has_response());
  EXPECT_EQ(answers.answers(1).number(), 2U);
  EXPECT_FALSE(answers.answers(1).has_error());
  EXPECT_EQ(answers.answers(1).response().generation(), 7);
  EXPECT_EQ(answers.answers(1).response().assigned_size(), 1);
  EXPECT_EQ(groups_.heartbeat.host, "127.0.0.1");
}

TEST_F(HeartbeatStreamTest, TheCoordinatorsRefusalKeepsItsReason) {
  groups_.heartbeat_reply = MakeError(Reason::kUnknownMember, "group g has no member m");
  ASSERT_TRUE(Send("m", 1, 1));
  const v1::HeartbeatsResponse refused = Read();
  EXPECT_EQ(refused.answers(0).error().reason(), v1::REASON_UNKNOWN_MEMBER);
  EXPECT_EQ(refused.answers(0).error().message(), "group g has no member m");
}

TEST_F(HeartbeatStreamTest, BeyondTheListenersBoundEachIsRefused) {
  constexpr uint64_t kBatch = 1000;
  // One connection alone gets a half of it all.
  constexpr uint64_t kHeld = kHeartbeatEntriesMax / 2;
  for (uint64_t sent = 0; sent < kHeld; sent += kBatch) {
    ASSERT_TRUE(Send("patient", sent, kBatch));
  }
  groups_.WaitForHeld(kHeld);
  ASSERT_TRUE(Send("patient", kHeld, 1));
  const v1::HeartbeatsResponse refused = Read();
  ASSERT_EQ(refused.answers_size(), 1);
  EXPECT_EQ(refused.answers(0).number(), kHeld);
  EXPECT_EQ(refused.answers(0).error().reason(), v1::REASON_OVERLOADED);
  EXPECT_GT(refused.answers(0).error().retry_after_ms(), 0U);

  groups_.LetHeartbeatsGo();
  uint64_t answered = 0;
  while (answered < kHeld) answered += static_cast<uint64_t>(Read().answers_size());
  ASSERT_TRUE(Send("m", kHeld + 1, 1));
  EXPECT_FALSE(Read().answers(0).has_error()) << "room comes back with the answers";
}

TEST_F(HeartbeatStreamTest, RefusalsOfAFullListenerEndNoStream) {
  constexpr uint64_t kHeld = kHeartbeatEntriesMax / 2;
  ASSERT_TRUE(Send("patient", 0, kHeld / 2));
  ASSERT_TRUE(Send("patient", kHeld / 2, kHeld / 2));
  groups_.WaitForHeld(kHeld);
  constexpr uint64_t kMessages = 4;
  for (uint64_t i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(Send("m", kHeld + i * kUncoveredRefusalsMax, kUncoveredRefusalsMax));
  }
  uint64_t refused = 0;
  while (refused < kMessages * kUncoveredRefusalsMax) {
    const v1::HeartbeatsResponse answers = Read();
    ASSERT_GT(answers.answers_size(), 0);
    refused += static_cast<uint64_t>(answers.answers_size());
    EXPECT_EQ(answers.answers(0).error().reason(), v1::REASON_OVERLOADED);
  }
  groups_.LetHeartbeatsGo();
  EXPECT_FALSE(Read().answers(0).has_error());
}

TEST_F(HeartbeatStreamTest, AnAnswerCountsUntilItIsSent) {
  SendUnreadAnswer(1);
  EXPECT_GT(registry_.held_bytes.now(), kManyPartitionsBytesMin);
  EXPECT_EQ(registry_.held_entries.now(), 2);
  EXPECT_EQ(Read().answers(0).number(), 0U);
  groups_.heartbeat_reply = group::HeartbeatReply();
  groups_.LetHeartbeatsGo();
  EXPECT_EQ(Read().answers(0).number(), 1U);
  EXPECT_LT(registry_.held_bytes.now(), kManyPartitionsBytesMin);
  EXPECT_LE(registry_.held_entries.now(), 1);
}

TEST_F(HeartbeatStreamTest, TheWordsOfARefusalCount) {
  SendUnreadAnswer(1);
  const int64_t before = registry_.held_bytes.now();
  groups_.heartbeat_reply =
      MakeError(Reason::kUnknownMember, std::string(kErrorMessageBytesMax, 'w'));
  groups_.LetHeartbeatsGo();
  EXPECT_GT(registry_.held_bytes.now() - before,
            static_cast<int64_t>(kErrorMessageBytesMax) - kEntryBytes);
  EXPECT_EQ(Read().answers(0).number(), 0U);
  EXPECT_EQ(Read().answers(0).error().message().size(), kErrorMessageBytesMax);
}

TEST_F(HeartbeatStreamTest, WhatASubscriptionNamesCountsAsParsed) {
  constexpr int kTopics = 10'000;
  v1::HeartbeatsRequest message;
  Add(message, 1, "patient");
  auto& subscription = *message.mutable_heartbeats(0)->mutable_heartbeat()->mutable_subscription();
  for (int i = 0; i < kTopics; ++i) subscription.add_topics("t");
  for (int i = 0; i < kTopics; ++i) subscription.add_patterns("p");
  ASSERT_TRUE(stream_->Write(message));
  groups_.WaitForHeld(1);
  EXPECT_GT(registry_.held_bytes.now(), int64_t{2} * kTopics * int64_t{sizeof(std::string)});
}

TEST_F(HeartbeatStreamTest, AnswersThatFindNoRoomAreSent) {
  // Each about 1.5 MB, and one connection gets 64 MiB.
  constexpr uint64_t kCount = 60;
  group::HeartbeatReply large;
  large.assigned.resize(70'000, kLog);
  groups_.heartbeat_reply = large;
  ASSERT_TRUE(Send("patient", 0, kCount));
  groups_.WaitForHeld(kCount);
  groups_.LetHeartbeatsGo();
  for (uint64_t answered = 0; answered < kCount;) {
    const v1::HeartbeatsResponse answers = Read();
    ASSERT_GT(answers.answers_size(), 0);
    for (const v1::HeartbeatAnswer& answer : answers.answers()) {
      ++answered;
      EXPECT_FALSE(answer.has_error()) << "the heartbeat may have changed something";
    }
  }
}

TEST_F(HeartbeatStreamTest, OneThatWaitsHoldsNoOtherBack) {
  ASSERT_TRUE(Send("patient", 1, 1));
  ASSERT_TRUE(Send("m", 2, 1));
  EXPECT_EQ(Read().answers(0).number(), 2U);
  groups_.WaitForHeld(1);
  groups_.LetHeartbeatsGo();
  EXPECT_EQ(Read().answers(0).number(), 1U);
}

TEST_F(HeartbeatStreamTest, AnswersThatAreReadyTogetherShareAMessage) {
  constexpr uint64_t kTogether = 100;
  ASSERT_TRUE(Send("patient", 1, kTogether));
  groups_.WaitForHeld(kTogether);
  // Larger than what the client takes before it reads, so that it is being written for long.
  groups_.heartbeat_reply = group::HeartbeatReply();
  groups_.heartbeat_reply->assigned.resize(kManyPartitions, kLog);
  ASSERT_TRUE(Send("m", 0, 1));
  groups_.HoldHeartbeatsOf("other");
  ASSERT_TRUE(Send("other", kTogether + 1, 1));
  groups_.WaitForHeld(kTogether + 1);
  groups_.heartbeat_reply = group::HeartbeatReply();
  groups_.LetHeartbeatsGo();
  EXPECT_EQ(Read().answers_size(), 1);
  uint64_t messages = 0;
  for (uint64_t answers = 0; answers < kTogether + 1; ++messages) {
    answers += static_cast<uint64_t>(Read().answers_size());
  }
  // The first ones leave alone when the large one is out by then.
  EXPECT_LT(messages, kTogether / 2);
}

TEST_F(HeartbeatStreamTest, HalfClosedStreamStillGetsItsAnswers) {
  ASSERT_TRUE(Send("patient", 1, 2));
  ASSERT_TRUE(stream_->WritesDone());
  groups_.WaitForHeld(2);
  groups_.LetHeartbeatsGo();
  for (int answered = 0; answered < 2;) answered += Read().answers_size();
  EXPECT_TRUE(End().ok());
}

TEST_F(HeartbeatStreamTest, AStopEndsTheStreamWhateverWaits) {
  ASSERT_TRUE(Send("patient", 1, 1));
  groups_.WaitForHeld(1);
  front_->Stop();
  front_ = nullptr;
  EXPECT_EQ(End().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(TrailerOf(*context_).reason(), v1::REASON_SHUTTING_DOWN);
  groups_.LetHeartbeatsGo();
}

}  // namespace
}  // namespace talosmq::rpc
