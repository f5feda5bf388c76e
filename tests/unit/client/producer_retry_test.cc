// A producer whose streams break and whose batches are refused: what it sends again, and what it
// tells.

#include "talosmq/error.h"

#include "gtest/gtest.h"
#include "unit/client/producer_core_fixture.h"

#include <string>
#include <vector>

namespace talosmq::client {
namespace {

TEST_F(ProducerCoreTest, TheProducerIdIsAskedForAgain) {
  net_->refusals["/talosmq.v1.MessageService/InitProducer"] = {Reason::kMetadataUnavailable,
                                                               Reason::kOverloaded};
  absl::Status created = absl::UnknownError("not called");
  ProducerCore::Create(*core_, "events", options_,
                       [&](auto producer) { created = producer.status(); });
  Run();
  EXPECT_FALSE(created.ok());
  Advance(absl::Seconds(1));
  Advance(absl::Seconds(1));
  EXPECT_TRUE(created.ok());
}

TEST_F(ProducerCoreTest, ABrokenStreamIsReplayedWithTheSameBytesInOrder) {
  MustCreate();
  SendFirst();
  for (uint64_t tag = 1; tag <= 3; ++tag) Send(tag);
  std::vector<std::string> before;
  for (size_t i = 1; i <= 3; ++i) {
    before.emplace_back(stream().written[i].batches[0].records.text());
  }
  stream().Break();
  Run();
  EXPECT_EQ(TakeDelivered(), Deliveries{});
  Advance(absl::Seconds(1));
  ASSERT_EQ(net_->produce_streams.size(), 2u);
  ASSERT_EQ(stream().written.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(stream().written[i].batches[0].records.text(), before[i]);
    stream().Accept(i, static_cast<int64_t>(1 + i));
  }
  Run();
  EXPECT_EQ(TakeDelivered(), (Deliveries{"1:None@1", "2:None@2", "3:None@3"}));
}

TEST_F(ProducerCoreTest, WithoutIdempotenceABrokenStreamIsMaybeStored) {
  options_.idempotent = false;
  MustCreate();
  Send(1);
  stream().Break();
  Run();
  EXPECT_EQ(TakeDelivered(), (Deliveries{"1:MaybeStored"}));
  EXPECT_EQ(Written(0).producer_id, kNoProducer);
  EXPECT_EQ(net_->CountCalls("/talosmq.v1.MessageService/InitProducer"), 0);
}

TEST_F(ProducerCoreTest, WhatNeverLeftABrokenStreamIsNotMaybeStored) {
  options_.idempotent = false;
  options_.delivery_timeout = absl::Seconds(5);
  MustCreate();
  Send(1);
  stream().holds_writes = true;
  stream().Accept(0, 0);
  Run();
  Send(2);
  Send(3);
  ASSERT_EQ(stream().written.size(), 2u);
  TakeDelivered();
  stream().Break();
  Run();
  EXPECT_EQ(TakeDelivered(), (Deliveries{"2:MaybeStored"}));
  Advance(absl::Seconds(1));
  ASSERT_EQ(stream().written.size(), 1u) << "3 is sent again, for it certainly was not stored";
}

TEST_F(ProducerCoreTest, NotLeaderFindsTheNewLeader) {
  MustCreate();
  SendFirst();
  net_->brokers[1] = "other:1";
  net_->topics["events"].leaders = {{1, 5}};
  Send(1);
  stream().Refuse(1, Reason::kNotLeader);
  Run();
  Advance(absl::Seconds(1));
  EXPECT_EQ(stream().address, "other:1");
  ASSERT_EQ(stream().written.size(), 1u);
  EXPECT_EQ(stream().written[0].batches[0].known_epoch, LeaderEpoch(5));
  EXPECT_EQ(Written(0).base_sequence, 1);
}

TEST_F(ProducerCoreTest, AnOverloadedBrokerIsAskedAgainLaterAndLater) {
  MustCreate();
  SendFirst();
  Send(1);
  for (int attempt = 0; attempt < 4; ++attempt) {
    const size_t sent = stream().written.size();
    stream().Refuse(sent - 1, Reason::kOverloaded);
    Run();
    // Back-offs of 5, 10, 20, 40 ms with the smallest jitter.
    Advance(absl::Milliseconds(4) * (1 << attempt));
    EXPECT_EQ(stream().written.size(), sent) << attempt;
    Advance(absl::Milliseconds(1) * (1 << attempt));
    EXPECT_EQ(stream().written.size(), sent + 1) << attempt;
  }
  EXPECT_EQ(net_->CountCalls("/talosmq.v1.TopicService/GetMetadata"), 1) << "same leader";
}

TEST_F(ProducerCoreTest, MetricsHearOfBatchesRequestsAndRetries) {
  MustCreate();
  EXPECT_EQ(metrics_->requests,
            (std::vector<std::string>{"GetMetadata seed:1 None 0", "InitProducer seed:1 None 0"}));
  metrics_->requests.clear();
  Send(1);
  clock_.Advance(absl::Milliseconds(3));
  stream().Refuse(0, Reason::kOverloaded);
  Run();
  EXPECT_EQ(metrics_->batches, std::vector<std::string>{});
  Advance(absl::Milliseconds(5));
  stream().Accept(1, 0);
  Run();
  EXPECT_EQ(metrics_->requests, (std::vector<std::string>{"Produce broker:1 Overloaded 3ms",
                                                          "Produce broker:1 None 0"}));
  EXPECT_EQ(metrics_->retries, std::vector<std::string>{"Overloaded 5ms"});
  EXPECT_EQ(metrics_->batches, std::vector<std::string>{"None 1"});
  EXPECT_EQ(metrics_->last_latency, absl::Milliseconds(8));
  EXPECT_EQ(producer_->buffer_used_bytes(), 0);
}

TEST_F(ProducerCoreTest, ARecordThatCannotBeSentTimesOut) {
  options_.delivery_timeout = absl::Seconds(2);
  net_->topics["events"].leaders = {{9, 0}};
  MustCreate();
  Send(1);
  EXPECT_TRUE(net_->produce_streams.empty()) << "broker 9 has no address";
  for (int i = 0; i < 30; ++i) Advance(absl::Milliseconds(100));
  EXPECT_EQ(TakeDelivered(), (Deliveries{"1:DeadlineExceeded"}));
}

TEST_F(ProducerCoreTest, ARecordThatIsNotAnsweredTimesOutAsMaybeStored) {
  options_.delivery_timeout = absl::Seconds(2);
  MustCreate();
  SendFirst();
  Send(1);
  Advance(absl::Seconds(2));
  EXPECT_EQ(TakeDelivered(), (Deliveries{"1:MaybeStored"}));
  stream().Accept(1, 1);
  Run();
  EXPECT_EQ(TakeDelivered(), Deliveries{}) << "no second delivery";
}

TEST_F(ProducerCoreTest, ARecordBehindAStuckWriteTimesOutAsNotStoredAndIsNeverWritten) {
  options_.delivery_timeout = absl::Seconds(2);
  MustCreate();
  SendFirst();
  stream().holds_writes = true;
  Send(1);
  Send(2);
  ASSERT_EQ(stream().written.size(), 2u) << "2 waits for the write of 1";
  Advance(absl::Seconds(2));
  EXPECT_EQ(TakeDelivered(), (Deliveries{"1:MaybeStored", "2:DeadlineExceeded"}));
  stream().observer->OnWritten(stream().written[1].request_id);
  Run();
  EXPECT_EQ(stream().written.size(), 2u);
  stream().Accept(1, 1);
  Run();
  Send(3);
  Advance(absl::Milliseconds(10));
  EXPECT_EQ(TakeDelivered(), Deliveries{});
  ASSERT_EQ(stream().written.size(), 3u);
  EXPECT_EQ(Written(2).producer_id, ProducerId(7001)) << "the chain of sequences had a gap";
}

TEST_F(ProducerCoreTest, ARefusedRecordTimesOutAsNotStored) {
  options_.delivery_timeout = absl::Milliseconds(100);
  MustCreate();
  SendFirst();
  Send(1);
  stream().Refuse(1, Reason::kOverloaded);
  Run();
  clock_.Advance(absl::Milliseconds(100));
  Run();
  EXPECT_EQ(TakeDelivered(), (Deliveries{"1:DeadlineExceeded"}));
}

TEST_F(ProducerCoreTest, AfterASequenceErrorLaterRecordsGoUnderANewProducerId) {
  MustCreate();
  SendFirst();
  Send(1);
  Send(2);
  stream().Refuse(1, Reason::kOutOfOrderSequence);
  stream().Refuse(2, Reason::kOutOfOrderSequence);
  Run();
  EXPECT_EQ(TakeDelivered(), (Deliveries{"1:OutOfOrderSequence"}));
  Advance(absl::Seconds(1));
  ASSERT_EQ(stream().written.size(), 4u) << "2 was spared";
  EXPECT_EQ(Written(3).producer_id, ProducerId(7001));
  EXPECT_EQ(Written(3).base_sequence, 0);
  stream().Accept(3, 9);
  Run();
  EXPECT_EQ(TakeDelivered(), (Deliveries{"2:None@9"}));
}

// The class of CVE-2026-35554 (Kafka's Java producer): memory of an expired batch was used again
// while the network was still reading it, and records arrived in other topics.
TEST_F(ProducerCoreTest, WhatTheNetworkHoldsOfAnExpiredBatchIsNeitherReusedNorForgotten) {
  options_.buffer_bytes = 1 << 20;
  options_.delivery_timeout = absl::Seconds(2);
  MustCreate();
  SendFirst();
  stream().holds_bytes = true;
  const std::string value(600'000, 'x');
  ASSERT_TRUE(producer_->TrySend({.value = value}, 1).ok());
  Run();
  Advance(absl::Seconds(2));
  EXPECT_EQ(TakeDelivered(), (Deliveries{"1:MaybeStored"}));
  EXPECT_GT(producer_->buffer_used_bytes(), 600'000);
  EXPECT_EQ(ReasonOf(producer_->TrySend({.value = value}, 2)), Reason::kOverloaded);
  for (uint64_t tag = 3; tag < 100; ++tag) Send(tag);
  ASSERT_GE(stream().held.size(), 1u);
  EXPECT_EQ(stream().held[0].text(), stream().written[1].batches[0].records.text());
  stream().held.erase(stream().held.begin());
  EXPECT_TRUE(producer_->TrySend({.value = value}, 2).ok());
}

TEST_F(ProducerCoreTest, TheNetworkMayHoldBytesLongerThanTheProducerLives) {
  MustCreate();
  SendFirst();
  stream().holds_bytes = true;
  Send(1);
  producer_ = nullptr;
  Run();
  EXPECT_EQ(stream().held[0].text(), stream().written[1].batches[0].records.text());
  stream().held.clear();
}

TEST_F(ProducerCoreTest, AnUnknownTopicIdThatTheMetadataDoesNotConfirmIsRetried) {
  MustCreate();
  SendFirst();
  Send(1);
  stream().Refuse(1, Reason::kUnknownTopicId);
  Run();
  Advance(absl::Seconds(1));
  EXPECT_EQ(stream().written.size(), 3u);
}

TEST_F(ProducerCoreTest, UnsafeRetriesAreMadeWhenAskedFor) {
  options_.idempotent = false;
  options_.unsafe_retries = UnsafeRetries::kOn;
  MustCreate();
  Send(1);
  stream().Break();
  Run();
  Advance(absl::Seconds(1));
  stream().Accept(0, 7);
  Run();
  EXPECT_EQ(TakeDelivered(), (Deliveries{"1:None@7"}));
}

TEST_F(ProducerCoreTest, CloseDuringARetryLosesNothing) {
  MustCreate();
  SendFirst();
  Send(1);
  stream().Break();
  Run();
  bool closed = false;
  producer_->Close([&](const absl::Status& status) { closed = status.ok(); });
  Run();
  EXPECT_FALSE(closed);
  EXPECT_EQ(ReasonOf(producer_->TrySend({.value = "x"}, 2)), Reason::kClosed);
  Advance(absl::Seconds(1));
  stream().Accept(0, 1);
  Run();
  EXPECT_TRUE(closed);
  EXPECT_EQ(TakeDelivered(), (Deliveries{"1:None@1"}));
  bool again = false;
  producer_->Close([&](const absl::Status&) { again = true; });
  Run();
  EXPECT_TRUE(again);
}

}  // namespace
}  // namespace talosmq::client
