#include "client/producer_core.h"

#include "record/batch.h"
#include "support/manual_clock.h"
#include "support/manual_executor.h"
#include "talosmq/error.h"

#include "unit/client/scripted_transport.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace talosmq::client {
namespace {

using ::testing::HasSubstr;

/// Always the same number: retries are in step, which makes them easy to wait for.
class FixedRandom final : public base::Random {
 public:
  uint64_t Next() override { return 0; }
};

/// "reason records buffer" of every batch, and what else was told.
class RecordingMetrics final : public ClientMetrics {
 public:
  void OnBatchEnded(const BatchEnded& batch) override {
    EXPECT_EQ(batch.topic, "events");
    EXPECT_GT(batch.bytes, 0);
    EXPECT_GT(batch.buffer_used_bytes, 0) << "this batch still counts";
    batches.push_back(std::string(ReasonName(batch.reason)) + " " + std::to_string(batch.records));
    last_latency = batch.latency;
  }
  void OnRetryPause(const RetryPause& pause) override {
    retries.push_back(std::string(ReasonName(pause.reason)) + " " +
                      absl::FormatDuration(pause.pause));
  }
  void OnRequestEnded(const RequestEnded& request) override {
    requests.push_back(std::string(request.method.substr(request.method.rfind('/') + 1)) + " " +
                       std::string(request.server) + " " + std::string(ReasonName(request.reason)) +
                       " " + absl::FormatDuration(request.latency));
  }

  std::vector<std::string> batches;
  std::vector<std::string> retries;
  std::vector<std::string> requests;
  absl::Duration last_latency;
};

/// A producer of topic "events" on one thread, with the test as the cluster.
class ProducerCoreTest : public ::testing::Test {
 protected:
  ProducerCoreTest() {
    auto transport = std::make_unique<ScriptedTransport>();
    net_ = transport.get();
    net_->topics["events"] = {ScriptedTransport::IdOf(1), {{0, 4}}};
    core_ = std::make_unique<ClientCore>(
        ClientOptions{.server = "seed:1", .metrics = metrics_}, std::move(transport),
        ClientCore::Deps{.executor = executor_, .clock = clock_, .random = random_});
    options_.on_delivery = [this](std::span<const Delivery> deliveries) {
      for (const Delivery& delivery : deliveries) delivered_.push_back(delivery);
    };
  }
  ~ProducerCoreTest() override {
    producer_ = nullptr;
    executor_.DropAll();
  }

  absl::Status Create() {
    absl::Status created = absl::UnknownError("not called");
    ProducerCore::Create(*core_, "events", options_, [&](auto producer) {
      created = producer.status();
      if (producer.ok()) producer_ = *producer;
    });
    executor_.RunUntilIdle();
    return created;
  }
  void MustCreate() { ASSERT_TRUE(Create().ok()); }

  /// Sends one record and lets everything happen that can.
  void Send(uint64_t tag) {
    ASSERT_TRUE(producer_->TrySend({.value = "value"}, tag).ok());
    executor_.RunUntilIdle();
  }
  void Advance(absl::Duration by) {
    clock_.Advance(by);
    executor_.RunUntilIdle();
  }
  void Run() { executor_.RunUntilIdle(); }
  /// Proves the identity, so that batches may overlap; tag 0.
  void SendFirst() {
    Send(0);
    stream().Accept(0, 0);
    Run();
    delivered_.clear();
  }

  ScriptedProduceStream::End& stream() { return net_->produce(); }
  record::BatchHeader Written(size_t index) {
    return *record::ParseHeader(stream().written[index].batches[0].records.bytes());
  }
  /// "tag:reason@offset" of everything delivered since the last call.
  std::vector<std::string> TakeDelivered() {
    std::vector<std::string> all;
    for (const Delivery& delivery : delivered_) {
      std::string text =
          std::to_string(delivery.tag) + ":" + std::string(ReasonName(ReasonOf(delivery.status)));
      if (delivery.status.ok()) text += "@" + std::to_string(delivery.offset.value());
      all.push_back(text);
    }
    delivered_.clear();
    return all;
  }
  bool IsFlushed() {
    // Shared: a flush that has not ended yet may end in a later step of the test.
    const auto flushed = std::make_shared<bool>(false);
    producer_->Flush([this, flushed](const absl::Status& status) {
      *flushed = true;
      flush_status_ = status;
    });
    Run();
    return *flushed;
  }

  const std::shared_ptr<RecordingMetrics> metrics_ = std::make_shared<RecordingMetrics>();
  support::ManualClock clock_;
  support::ManualExecutor executor_{clock_};
  FixedRandom random_;
  ScriptedTransport* net_ = nullptr;
  std::unique_ptr<ClientCore> core_;
  ProducerOptions options_;
  std::shared_ptr<ProducerCore> producer_;
  std::vector<Delivery> delivered_;
  absl::Status flush_status_;
};

using Deliveries = std::vector<std::string>;

TEST_F(ProducerCoreTest, AnUnknownTopicIsToldAtCreation) {
  net_->topics.clear();
  EXPECT_EQ(ReasonOf(Create()), Reason::kUnknownTopic);
}

TEST_F(ProducerCoreTest, WrongOptionsAreToldAtCreation) {
  options_.in_flight_per_partition = 0;
  EXPECT_EQ(ReasonOf(Create()), Reason::kInvalidArgument);
  EXPECT_TRUE(net_->calls.empty());
}

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

TEST_F(ProducerCoreTest, ARecordIsDeliveredWithItsOffset) {
  MustCreate();
  Send(11);
  ASSERT_EQ(stream().written.size(), 1u);
  EXPECT_EQ(stream().address, "broker:1");
  EXPECT_EQ(stream().written[0].batches[0].known_epoch, LeaderEpoch(4));
  EXPECT_EQ(Written(0).producer_id, ProducerId(7000));
  EXPECT_EQ(Written(0).base_sequence, 0);
  stream().Accept(0, 500);
  Run();
  EXPECT_EQ(TakeDelivered(), (Deliveries{"11:None@500"}));
}

TEST_F(ProducerCoreTest, WhileTheWindowIsFullTheNextBatchGrows) {
  MustCreate();
  SendFirst();
  for (uint64_t tag = 1; tag <= 9; ++tag) Send(tag);
  ASSERT_EQ(stream().written.size(), 6u) << "the first one and five in flight";
  stream().Accept(1, 1);
  Run();
  ASSERT_EQ(stream().written.size(), 7u);
  EXPECT_EQ(Written(6).count, 4) << "6 to 9 in one batch";
  EXPECT_EQ(Written(6).base_sequence, 6);
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

TEST_F(ProducerCoreTest, ADeletedTopicEndsEverythingOnceWithThatReason) {
  MustCreate();
  SendFirst();
  for (uint64_t tag = 1; tag <= 7; ++tag) Send(tag);
  net_->topics.clear();
  stream().Refuse(1, Reason::kUnknownTopicId);
  Run();
  Advance(absl::Seconds(1));
  const Deliveries delivered = TakeDelivered();
  EXPECT_EQ(delivered.size(), 7u);
  for (size_t i = 0; i < delivered.size(); ++i) {
    EXPECT_EQ(delivered[i], std::to_string(i + 1) + ":UnknownTopicId");
  }
  EXPECT_EQ(ReasonOf(producer_->TrySend({.value = "x"}, 8)), Reason::kUnknownTopicId);
  stream().Accept(2, 1);
  Run();
  EXPECT_EQ(TakeDelivered(), Deliveries{});
  EXPECT_TRUE(IsFlushed());
}

TEST_F(ProducerCoreTest, AfterTheEndOfItsTopicNothingIsAskedAnyMore) {
  MustCreate();
  SendFirst();
  Send(1);
  net_->topics.clear();
  stream().Refuse(1, Reason::kUnknownTopicId);
  Run();
  Advance(absl::Seconds(1));
  ASSERT_EQ(TakeDelivered().size(), 1u);
  net_->calls.clear();
  for (int i = 0; i < 10; ++i) Advance(absl::Seconds(1));
  EXPECT_EQ(net_->calls.size(), 0u);
}

TEST_F(ProducerCoreTest, ADeletedTopicIsToldOnceAfterTheLastDelivery) {
  std::vector<std::string> told;
  options_.on_topic_deleted = [&](const absl::Status& why) {
    told.push_back(std::string(ReasonName(ReasonOf(why))) + " after " +
                   std::to_string(delivered_.size()));
  };
  MustCreate();
  SendFirst();
  for (uint64_t tag = 1; tag <= 7; ++tag) Send(tag);
  net_->topics.clear();
  stream().Refuse(1, Reason::kUnknownTopicId);
  stream().Refuse(2, Reason::kUnknownTopicId);
  Run();
  Advance(absl::Seconds(1));
  Advance(absl::Minutes(1));
  EXPECT_EQ(told, (std::vector<std::string>{"UnknownTopicId after 7"}));
}

TEST_F(ProducerCoreTest, ATopicThatIsBeingDeletedEndsEverythingWithTheSameReason) {
  MustCreate();
  SendFirst();
  Send(1);
  Send(2);
  net_->topics.clear();
  stream().Refuse(1, Reason::kTopicDeleting);
  Run();
  Advance(absl::Seconds(1));
  EXPECT_EQ(TakeDelivered(), (Deliveries{"1:UnknownTopicId", "2:UnknownTopicId"}));
}

TEST_F(ProducerCoreTest, AnIdleProducerHearsOfTheDeletionWithinItsMetadatasAge) {
  int told = 0;
  options_.on_topic_deleted = [&](const absl::Status&) { ++told; };
  MustCreate();
  net_->topics.clear();
  Advance(absl::Seconds(29));
  EXPECT_EQ(told, 0);
  Advance(absl::Seconds(1));
  EXPECT_EQ(told, 1);
}

TEST_F(ProducerCoreTest, ATopicOfTheSameNameIsAnotherOne) {
  int told = 0;
  options_.on_topic_deleted = [&](const absl::Status&) { ++told; };
  MustCreate();
  SendFirst();
  Send(1);
  net_->topics["events"].id = ScriptedTransport::IdOf(2);
  stream().Refuse(1, Reason::kUnknownTopicId);
  Run();
  Advance(absl::Seconds(1));
  EXPECT_EQ(TakeDelivered(), (Deliveries{"1:UnknownTopicId"}));
  EXPECT_EQ(ReasonOf(producer_->TrySend({.value = "x"}, 2)), Reason::kUnknownTopicId);
  Advance(absl::Minutes(1));
  EXPECT_EQ(stream().written.size(), 2u) << "nothing for the new topic";
  EXPECT_EQ(told, 1);
}

TEST_F(ProducerCoreTest, AProducerThatIsBeingClosedIsNotToldOfADeletion) {
  options_.on_topic_deleted = [](const absl::Status&) { FAIL(); };
  MustCreate();
  SendFirst();
  Send(1);
  bool closed = false;
  producer_->Close([&](const absl::Status&) { closed = true; });
  net_->topics.clear();
  stream().Refuse(1, Reason::kUnknownTopicId);
  Run();
  Advance(absl::Seconds(1));
  EXPECT_EQ(TakeDelivered(), (Deliveries{"1:UnknownTopicId"}));
  EXPECT_TRUE(closed);
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

TEST_F(ProducerCoreTest, AFullBufferRefusesUntilAnAnswerMakesRoom) {
  options_.buffer_bytes = 1 << 20;
  options_.batch_bytes = 64 << 10;
  MustCreate();
  const std::string value(10'000, 'x');
  uint64_t accepted = 0;
  while (producer_->TrySend({.value = value}, accepted).ok()) ++accepted;
  EXPECT_GE(accepted, 80u);
  EXPECT_EQ(ReasonOf(producer_->TrySend({.value = value}, 0)), Reason::kOverloaded);
  Run();
  stream().Accept(0, 0);
  Run();
  EXPECT_TRUE(producer_->TrySend({.value = value}, accepted).ok());
}

TEST_F(ProducerCoreTest, AFullBufferCutsLingerShort) {
  options_.buffer_bytes = 1 << 20;
  options_.linger = absl::Minutes(1);
  MustCreate();
  const std::string value(10'000, 'x');
  while (producer_->TrySend({.value = value}, 1).ok()) {
  }
  Run();
  EXPECT_EQ(stream().written.size(), 1u);
}

TEST_F(ProducerCoreTest, ATooLargeRecordIsNotAccepted) {
  options_.buffer_bytes = 1 << 20;
  MustCreate();
  const absl::Status status = producer_->TrySend({.value = std::string(1 << 20, 'x')}, 1);
  EXPECT_EQ(ReasonOf(status), Reason::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("expected at most"));
  EXPECT_TRUE(IsFlushed());
  EXPECT_EQ(TakeDelivered(), Deliveries{});
}

TEST_F(ProducerCoreTest, APartitionerChooses) {
  net_->topics["events"].leaders = std::vector<std::pair<int32_t, int32_t>>(1000, {0, 1});
  int32_t asked_for = 0;
  options_.partitioner = [&](const Record& record, int32_t partition_count) {
    asked_for = partition_count;
    return record.key == "two" ? std::optional(PartitionId(2)) : std::nullopt;
  };
  MustCreate();
  ASSERT_TRUE(producer_->TrySend({.key = "two", .value = "x"}, 0).ok());
  Run();
  ASSERT_TRUE(producer_->TrySend({.key = "21", .value = "x"}, 1).ok());
  Run();
  EXPECT_EQ(asked_for, 1000);
  EXPECT_EQ(stream().written[0].batches[0].target.partition, PartitionId(2));
  EXPECT_EQ(stream().written[1].batches[0].target.partition, PartitionId(340)) << "as without";
}

TEST_F(ProducerCoreTest, APartitionersAnswerOutOfRangeIsNotAccepted) {
  for (const int32_t answer : {-1, 1, 1000}) {
    options_.partitioner = [answer](const Record&, int32_t) { return PartitionId(answer); };
    MustCreate();
    EXPECT_EQ(ReasonOf(producer_->TrySend({.value = "x"}, 1)), Reason::kUnknownPartition);
    EXPECT_TRUE(IsFlushed());
  }
  EXPECT_EQ(TakeDelivered(), Deliveries{});
}

TEST_F(ProducerCoreTest, AnExplicitPartitionIsNotForThePartitioner) {
  net_->topics["events"].leaders = {{0, 1}, {0, 1}};
  options_.partitioner = [](const Record&, int32_t) { return PartitionId(0); };
  MustCreate();
  ASSERT_TRUE(producer_->TrySend(PartitionId(1), {.value = "x"}, 0).ok());
  Run();
  EXPECT_EQ(stream().written[0].batches[0].target.partition, PartitionId(1));
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

TEST_F(ProducerCoreTest, AnUnknownPartitionIsNotAccepted) {
  MustCreate();
  EXPECT_EQ(ReasonOf(producer_->TrySend(PartitionId(1), {.value = "x"}, 1)),
            Reason::kUnknownPartition);
  EXPECT_EQ(ReasonOf(producer_->TrySend(PartitionId(-1), {.value = "x"}, 1)),
            Reason::kUnknownPartition);
}

TEST_F(ProducerCoreTest, FlushWaitsForTheDeliveriesAndTellsTheFirstError) {
  options_.linger = absl::Minutes(1);
  MustCreate();
  Send(1);
  EXPECT_TRUE(net_->produce_streams.empty()) << "lingers";
  EXPECT_FALSE(IsFlushed());
  ASSERT_EQ(stream().written.size(), 1u);
  bool flushed = false;
  producer_->Flush([&](const absl::Status& status) {
    flushed = true;
    flush_status_ = status;
  });
  stream().Refuse(0, Reason::kInvalidTimestamp);
  Run();
  EXPECT_TRUE(flushed);
  EXPECT_TRUE(IsFlushed());
  EXPECT_TRUE(flush_status_.ok()) << "told once";
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

TEST_F(ProducerCoreTest, AcksNoneIsDeliveredOnceWritten) {
  options_.acks = Acks::kNone;
  options_.idempotent = false;
  MustCreate();
  Send(1);
  EXPECT_EQ(TakeDelivered(), (Deliveries{"1:None@-1"}));
}

TEST_F(ProducerCoreTest, PartitionsShareAMessageButNeverTwoBatchesOfOne) {
  net_->topics["events"].leaders = {{0, 1}, {0, 1}};
  MustCreate();
  ASSERT_TRUE(producer_->TrySend(PartitionId(0), {.value = "a"}, 0).ok());
  ASSERT_TRUE(producer_->TrySend(PartitionId(1), {.value = "b"}, 1).ok());
  Run();
  ASSERT_EQ(stream().written.size(), 1u);
  EXPECT_EQ(stream().written[0].batches.size(), 2u);
  stream().holds_writes = true;
  stream().Answer(stream().written[0], 1, absl::OkStatus(), Offset(3));
  stream().Answer(stream().written[0], 0, absl::OkStatus(), Offset(5));
  Run();
  EXPECT_EQ(TakeDelivered(), (Deliveries{"1:None@3", "0:None@5"}));
  for (uint64_t tag = 2; tag <= 4; ++tag) {
    ASSERT_TRUE(producer_->TrySend(PartitionId(0), {.value = "c"}, tag).ok());
    Run();
  }
  ASSERT_EQ(stream().written.size(), 2u);
  stream().observer->OnWritten(stream().written[1].request_id);
  Run();
  ASSERT_EQ(stream().written.size(), 3u);
  EXPECT_EQ(stream().written[2].batches.size(), 1u);
}

TEST_F(ProducerCoreTest, KeylessRecordsStickForABatchThenMoveOn) {
  net_->topics["events"].leaders = {{0, 1}, {0, 1}, {0, 1}};
  options_.batch_records = 2;
  MustCreate();
  for (uint64_t tag = 0; tag < 6; ++tag) {
    ASSERT_TRUE(producer_->TrySend({.value = "x"}, tag).ok());
  }
  Run();
  std::map<int32_t, int32_t> records;
  for (const ProduceMessage& message : stream().written) {
    for (const PartitionBatch& batch : message.batches) {
      records[batch.target.partition.value()] += record::ParseHeader(batch.records.bytes())->count;
    }
  }
  EXPECT_EQ(records, (std::map<int32_t, int32_t>{{0, 2}, {1, 2}, {2, 2}}));
}

TEST_F(ProducerCoreTest, KeysGoWhereKafkasJavaClientSendsThem) {
  net_->topics["events"].leaders = std::vector<std::pair<int32_t, int32_t>>(1000, {0, 1});
  MustCreate();
  ASSERT_TRUE(producer_->TrySend({.key = "21", .value = "x"}, 0).ok());
  Run();
  EXPECT_EQ(stream().written[0].batches[0].target.partition, PartitionId(340));
}

TEST_F(ProducerCoreTest, AddedPartitionsAreUsedOnceTheMetadataTells) {
  MustCreate();
  net_->topics["events"].leaders = {{0, 4}, {0, 1}};
  Advance(absl::Seconds(30));
  EXPECT_TRUE(producer_->TrySend(PartitionId(1), {.value = "x"}, 1).ok());
  Run();
  EXPECT_EQ(Written(0).base_sequence, 0);
}

TEST_F(ProducerCoreTest, LateAnswersFindNobodyWhenTheProducerIsGone) {
  MustCreate();
  SendFirst();
  Send(1);
  producer_ = nullptr;
  stream().Accept(1, 1);
  Run();
  EXPECT_EQ(TakeDelivered(), Deliveries{});
}

TEST_F(ProducerCoreTest, LingerSendsByItself) {
  options_.linger = absl::Milliseconds(20);
  MustCreate();
  Send(1);
  Advance(absl::Milliseconds(19));
  EXPECT_TRUE(net_->produce_streams.empty());
  Advance(absl::Milliseconds(1));
  EXPECT_EQ(stream().written.size(), 1u);
}

}  // namespace
}  // namespace talosmq::client
