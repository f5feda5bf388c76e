#include "kafka/error_code.h"
#include "kafka/kafka_front.h"
#include "kafka/protocol/api_versions.h"
#include "kafka/protocol/create_topics.h"
#include "kafka/protocol/describe_configs.h"
#include "kafka/protocol/fetch.h"
#include "kafka/protocol/join_group.h"
#include "kafka/protocol/metadata.h"
#include "kafka/protocol/offset_commit.h"
#include "kafka/protocol/produce.h"
#include "kafka/protocol/sync_group.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/kafka/front_fixture.h"
#include <sys/resource.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace talosmq::kafka {
namespace {

constexpr int16_t kProduce = 9;
constexpr int16_t kFetch = 11;
constexpr int32_t kMinute = 60'000;

class KafkaFrontTest : public FrontTest {
 protected:
  static int64_t BaseOffset(const ProduceResponse& response) {
    return response.topics.at(0).partitions.at(0).base_offset;
  }
};

TEST_F(KafkaFrontTest, ProduceIsAnsweredInOrderWhateverOrderItIsAcknowledgedIn) {
  Start();
  broker_.messages.Hold();
  const RawClient client(port());
  for (const int32_t id : {1, 2, 3}) client.Ask(Produce(batch_), kProduce, id);
  broker_.messages.WaitForAppends(3);
  for (const size_t index : {2U, 0U, 1U}) broker_.messages.Acknowledge(index);
  for (const int32_t id : {1, 2, 3}) {
    EXPECT_EQ(BaseOffset(client.ReadAnswer<ProduceResponse>(kProduce, id)), id - 1);
  }
}

TEST_F(KafkaFrontTest, OtherRequestsBeginWhenAllBeforeThemAreAnswered) {
  Start({.listeners = {}, .threads = 1});
  broker_.messages.Hold();
  const RawClient client(port());
  client.Send(FrameOf(Produce(batch_), kProduce, 1) + FrameOf(Fetch(0, 0), kFetch, 2) +
              FrameOf(Produce(batch_), kProduce, 3));
  broker_.messages.WaitForAppends(1);
  const RawClient other(port());
  RoundTrip(other);
  EXPECT_EQ(broker_.messages.fetches(), 0);
  EXPECT_EQ(broker_.messages.appends(), 1);

  broker_.messages.Acknowledge(0);
  client.ReadAnswer<ProduceResponse>(kProduce, 1);
  const auto fetched = client.ReadAnswer<FetchResponse>(kFetch, 2);
  EXPECT_EQ(fetched.topics.at(0).partitions.at(0).records->bytes(), batch_.size());
  broker_.messages.WaitForAppends(2);
  broker_.messages.Acknowledge(1);
  client.ReadAnswer<ProduceResponse>(kProduce, 3);
}

TEST_F(KafkaFrontTest, AFetchIsAnsweredByWhatComesWhileItWaits) {
  Start();
  const RawClient client(port());
  client.Ask(Fetch(0, kMinute), kFetch, 1);
  broker_.messages.WaitForWaitingFetches(1);
  broker_.messages.Store(kOrders0, batch_);
  const auto fetched = client.ReadAnswer<FetchResponse>(kFetch, 1);
  EXPECT_EQ(fetched.topics.at(0).partitions.at(0).high_watermark, 1);
  EXPECT_EQ(fetched.topics.at(0).partitions.at(0).records->bytes(), batch_.size());
}

// News of several partitions come on several threads, while others are still being asked.
TEST_F(KafkaFrontTest, AFetchOfSeveralPartitionsGathersUntilThereIsEnough) {
  constexpr int kRounds = 20;
  constexpr int kBatches = 10;
  const TopicPartition logs[] = {kOrders0, {FakeTopics::kOrders, PartitionId(1)}};
  Start();
  const RawClient client(port());
  for (int round = 0; round < kRounds; ++round) {
    FetchRequest request = Fetch(round * kBatches, kMinute);
    request.topics[0].partitions.push_back(request.topics[0].partitions[0]);
    request.topics[0].partitions[1].partition = 1;
    request.min_bytes = static_cast<int32_t>(2 * kBatches * batch_.size());
    client.Ask(request, kFetch, round);
    std::vector<std::thread> producers;
    for (const TopicPartition& log : logs) {
      producers.emplace_back([this, &log] {
        for (int i = 0; i < kBatches; ++i) broker_.messages.Store(log, batch_);
      });
    }
    const auto fetched = client.ReadAnswer<FetchResponse>(kFetch, round);
    for (std::thread& producer : producers) producer.join();
    for (const auto& partition : fetched.topics.at(0).partitions) {
      EXPECT_EQ(partition.records->bytes(), kBatches * batch_.size());
    }
  }
}

TEST_F(KafkaFrontTest, AFetchThatWaitsIsGivenUpWhenItsClientGoes) {
  Start();
  RawClient client(port());
  client.Ask(Fetch(0, kMinute), kFetch, 1);
  broker_.messages.WaitForWaitingFetches(1);
  client.Close();
  EXPECT_TRUE(broker_.messages.WaitForWaitingFetches(0));
}

// It stayed until the log was open, with the memory for its answer; clients that came again and
// again took all of it.
TEST_F(KafkaFrontTest, AFetchOfALogThatIsBeingOpenedIsGivenUpWhenItsClientGoes) {
  Start();
  broker_.messages.BeginOpening();
  RawClient client(port());
  client.Ask(Fetch(0, kMinute), kFetch, 1);
  ASSERT_TRUE(broker_.messages.WaitForWaitingFetches(1));
  client.Close();
  EXPECT_TRUE(broker_.messages.WaitForWaitingFetches(0));
}

// Nobody read the socket while the second request waited for its turn.
TEST_F(KafkaFrontTest, AFetchThatWaitsIsGivenUpWhenItsClientGoesWithARequestBehindIt) {
  Start();
  RawClient client(port());
  client.Ask(Fetch(0, kMinute), kFetch, 1);
  broker_.messages.WaitForWaitingFetches(1);
  client.Ask(Fetch(0, kMinute), kFetch, 2);
  client.Close();
  EXPECT_TRUE(broker_.messages.WaitForWaitingFetches(0));
}

TEST_F(KafkaFrontTest, WhoHasEndedItsSendingStillGetsItsAnswers) {
  Start();
  const RawClient client(port());
  client.Ask(Fetch(0, kMinute), kFetch, 1);
  broker_.messages.WaitForWaitingFetches(1);
  client.Ask(ApiVersionsRequest(), 0, 2);
  client.EndSending();
  client.ReadAnswer<FetchResponse>(kFetch, 1);
  client.ReadAnswer<ApiVersionsResponse>(0, 2);
  EXPECT_TRUE(client.IsEnded());
}

// Its connection went with the loop, and told nobody.
TEST_F(KafkaFrontTest, AFetchThatWaitsIsGivenUpWhenTheFrontStops) {
  Start();
  const RawClient client(port());
  client.Ask(Fetch(0, kMinute), kFetch, 1);
  broker_.messages.WaitForWaitingFetches(1);
  std::exchange(front_, nullptr)->Stop();
  EXPECT_EQ(broker_.messages.waiting_fetches(), 0);
  EXPECT_TRUE(client.IsEnded());
}

// It was read again and again until its time was over, since there was always more behind it.
TEST_F(KafkaFrontTest, AFetchWhoseBoundsAreFullDoesNotWaitForMore) {
  Start();
  for (int i = 0; i < 3; ++i) broker_.messages.Store(kOrders0, batch_);
  FetchRequest request = Fetch(0, kMinute);
  request.min_bytes = 1 << 20;
  request.topics[0].partitions[0].partition_max_bytes = 1;
  const RawClient client(port());
  client.Ask(request, kFetch, 1);
  const auto fetched = client.ReadAnswer<FetchResponse>(kFetch, 1);
  EXPECT_EQ(fetched.topics.at(0).partitions.at(0).records->bytes(), batch_.size());
  EXPECT_EQ(broker_.messages.fetches(), 1);
}

TEST_F(KafkaFrontTest, ASessionGoesOnOverAnotherConnection) {
  Start();
  FetchRequest opening = Fetch(0, 0);
  opening.session_epoch = 0;
  int32_t session = 0;
  {
    const RawClient client(port());
    client.Ask(opening, kFetch, 1);
    session = client.ReadAnswer<FetchResponse>(kFetch, 1).session_id;
  }
  ASSERT_GT(session, 0);
  FetchRequest next = Fetch(0, kMinute);
  next.topics.clear();
  next.session_id = session;
  next.session_epoch = 1;
  const RawClient client(port());
  client.Ask(next, kFetch, 2);
  broker_.messages.WaitForWaitingFetches(1);
  broker_.messages.Store(kOrders0, batch_);
  const auto fetched = client.ReadAnswer<FetchResponse>(kFetch, 2);
  EXPECT_EQ(fetched.session_id, session);
  EXPECT_EQ(fetched.topics.at(0).partitions.at(0).records->bytes(), batch_.size());
  client.Ask(next, kFetch, 3);
  EXPECT_EQ(client.ReadAnswer<FetchResponse>(kFetch, 3).error_code,
            Wire(ErrorCode::kInvalidFetchSessionEpoch));
}

class KafkaSessionTest : public KafkaFrontTest {
 protected:
  void SetUp() override {
    Start();
    FetchRequest opening = Fetch(0, 0);
    opening.session_epoch = 0;
    const RawClient client(port());
    client.Ask(opening, kFetch, 1);
    session_ = client.ReadAnswer<FetchResponse>(kFetch, 1).session_id;
    ASSERT_GT(session_, 0);
  }
  /// Of a client that waits for news.
  FetchRequest Next(int32_t epoch) const {
    FetchRequest next = Fetch(0, kMinute);
    next.topics.clear();
    next.session_id = session_;
    next.session_epoch = epoch;
    return next;
  }

  int32_t session_ = 0;
};

// All of them stayed until their time was over, each with all partitions of the session.
TEST_F(KafkaSessionTest, AFetchThatWaitsIsRefusedWhenTheNextOneComes) {
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int32_t epoch = 1; epoch <= 5; ++epoch) {
    clients.push_back(std::make_unique<RawClient>(port()));
    clients.back()->Ask(Next(epoch), kFetch, epoch);
    if (epoch > 1) {
      const auto overtaken =
          clients[clients.size() - 2]->ReadAnswer<FetchResponse>(kFetch, epoch - 1);
      EXPECT_EQ(overtaken.error_code, Wire(ErrorCode::kInvalidFetchSessionEpoch));
      EXPECT_TRUE(overtaken.topics.empty());
    }
    broker_.messages.WaitForWaitingFetches(1);
  }
  broker_.messages.Store(kOrders0, batch_);
  const auto fetched = clients.back()->ReadAnswer<FetchResponse>(kFetch, 5);
  EXPECT_EQ(fetched.error_code, 0);
  EXPECT_EQ(fetched.topics.at(0).partitions.at(0).records->bytes(), batch_.size());
}

TEST_F(KafkaSessionTest, AFetchOfALogThatIsBeingOpenedIsRefusedWhenTheNextOneComes) {
  broker_.messages.BeginOpening();
  const RawClient first(port());
  first.Ask(Next(1), kFetch, 1);
  ASSERT_TRUE(broker_.messages.WaitForWaitingFetches(1));
  const RawClient second(port());
  second.Ask(Next(2), kFetch, 2);
  EXPECT_EQ(first.ReadAnswer<FetchResponse>(kFetch, 1).error_code,
            Wire(ErrorCode::kInvalidFetchSessionEpoch));
  broker_.messages.Store(kOrders0, batch_);
  broker_.messages.EndOpening();
  EXPECT_EQ(second.ReadAnswer<FetchResponse>(kFetch, 2).error_code, 0);
}

// As the clients of Kafka begin anew when their connection has gone.
TEST_F(KafkaSessionTest, AFetchThatWaitsIsRefusedWhenItsSessionEnds) {
  for (const int32_t epoch : {0, -1}) {
    const RawClient waiting(port());
    waiting.Ask(Next(1), kFetch, 1);
    broker_.messages.WaitForWaitingFetches(1);
    FetchRequest anew = Fetch(0, 0);
    anew.session_id = session_;
    anew.session_epoch = epoch;
    const RawClient client(port());
    client.Ask(anew, kFetch, 2);
    session_ = client.ReadAnswer<FetchResponse>(kFetch, 2).session_id;
    EXPECT_EQ(waiting.ReadAnswer<FetchResponse>(kFetch, 1).error_code,
              Wire(ErrorCode::kFetchSessionIdNotFound));
  }
}

TEST_F(KafkaFrontTest, ProduceWithoutAcknowledgementHasNoAnswer) {
  Start();
  const RawClient client(port());
  client.Ask(Produce(batch_, 0), kProduce, 1);
  client.Ask(ApiVersionsRequest(), 0, 2);
  client.ReadAnswer<ApiVersionsResponse>(0, 2);
  EXPECT_EQ(broker_.messages.appends(), 1);
}

TEST_F(KafkaFrontTest, AnErrorWithoutAcknowledgementEndsTheConnection) {
  Start();
  broker_.messages.FailAppendsWith(MakeError(Reason::kNotLeader, "moved"));
  const RawClient client(port());
  client.Ask(Produce(batch_, 0), kProduce, 1);
  EXPECT_TRUE(client.IsEnded());
}

TEST_F(KafkaFrontTest, WhatCameBeforeTheEndOfAConnectionIsAnswered) {
  Start();
  broker_.messages.Hold();
  const RawClient client(port());
  client.Ask(Produce(batch_), kProduce, 1);
  client.Ask(Produce("rubbish", 0), kProduce, 2);
  broker_.messages.WaitForAppends(1);
  broker_.messages.Acknowledge(0);
  client.ReadAnswer<ProduceResponse>(kProduce, 1);
  EXPECT_TRUE(client.IsEnded());
}

TEST_F(KafkaFrontTest, SizesOutOfRangeEndTheConnection) {
  Start({.listeners = {}, .limits = {.produce_bytes_max = 1000}});
  for (const int32_t size : {-1, 0, 7, 1001, 0x7fffffff}) {
    std::string bytes(sizeof(size), '\0');
    base::StoreBigEndian(reinterpret_cast<std::byte*>(bytes.data()), size);
    const RawClient client(port());
    client.Send(bytes);
    EXPECT_TRUE(client.IsEnded()) << size;
  }
}

// It is refused by what it announces, before its bytes have come.
TEST_F(KafkaFrontTest, OtherRequestsThanProduceAreSmaller) {
  Start({.listeners = {}, .limits = {.request_bytes_max = 1000}});
  const auto begin_frame = [this](ApiKey key) {
    std::string bytes(12, '\0');
    auto* const at = reinterpret_cast<std::byte*>(bytes.data());
    base::StoreBigEndian(at, int32_t{1001});
    base::StoreBigEndian(at + 4, static_cast<int16_t>(key));
    auto client = std::make_unique<RawClient>(port());
    client->Send(bytes);
    return client;
  };
  const auto produce = begin_frame(ApiKey::kProduce);
  for (const Api& api : kApis) {
    if (api.key == ApiKey::kProduce) continue;
    EXPECT_TRUE(begin_frame(api.key)->IsEnded()) << api.name;
  }
  produce->Send(std::string(1001 - 8, '\xff'));
  EXPECT_TRUE(produce->IsEnded()) << "a header that lies";
}

// A hundred times the memory of the frame was taken for it.
TEST_F(KafkaFrontTest, ARequestOfMoreListsThanAnyClientHasEndsTheConnection) {
  Start();
  const RawClient client(port());
  MetadataRequest request;
  request.topics.emplace().resize(1'000'000);
  for (auto& topic : *request.topics) topic.name = "";
  client.Ask(request, 1, 1);
  EXPECT_TRUE(client.IsEnded());
}

TEST_F(KafkaFrontTest, WhatLargeClientsAskForIsTaken) {
  constexpr int32_t kPartitions = 10'000;
  Start();
  const RawClient client(port());
  OffsetCommitRequest commit;
  commit.topics.resize(1);
  commit.topics[0].name = "orders";
  CreateTopicsRequest create;
  create.topics.resize(1);
  create.topics[0].name = "orders";
  for (int32_t i = 0; i < kPartitions; ++i) {
    commit.topics[0].partitions.push_back(
        {.partition = i, .committed_metadata = "of 16 characters"});
    create.topics[0].assignments.push_back({.partition = i, .broker_ids = {0, 1, 2}});
  }
  client.Ask(commit, 8, 1);
  const auto committed = client.ReadAnswer<OffsetCommitResponse>(8, 1);
  EXPECT_EQ(committed.topics.at(0).partitions.size(), kPartitions);
  client.Ask(create, 4, 2);
  client.ReadAnswer<CreateTopicsResponse>(4, 2);
}

TEST_F(KafkaFrontTest, AHeaderCutShortEndsTheConnection) {
  Start();
  const std::string frame = FrameOf(MetadataRequest(), 9, 1);
  for (size_t size = 8; size < frame.size() - sizeof(int32_t); ++size) {
    std::string cut = frame.substr(0, sizeof(int32_t) + size);
    base::StoreBigEndian(reinterpret_cast<std::byte*>(cut.data()), static_cast<int32_t>(size));
    const RawClient client(port());
    client.Send(cut);
    EXPECT_TRUE(client.IsEnded()) << size;
  }
}

TEST_F(KafkaFrontTest, ApisAndVersionsThatAreNotServedEndTheConnection) {
  Start();
  std::string unknown_api = FrameOf(MetadataRequest(), 9, 1);
  unknown_api[5] = 99;
  std::string unknown_version = FrameOf(MetadataRequest(), 9, 1);
  unknown_version[7] = 99;
  for (const std::string& frame : {unknown_api, unknown_version}) {
    const RawClient client(port());
    client.Send(frame);
    EXPECT_TRUE(client.IsEnded());
  }
}

TEST_F(KafkaFrontTest, AnUnknownVersionOfApiVersionsIsAnsweredInVersion0) {
  Start();
  const RawClient client(port());
  std::string frame = FrameOf(ApiVersionsRequest(), 4, 1);
  frame[7] = 99;
  client.Send(frame);
  const auto response = client.ReadAnswer<ApiVersionsResponse>(0, 1);
  EXPECT_EQ(response.error_code, Wire(ErrorCode::kUnsupportedVersion));
  EXPECT_THAT(response.api_keys,
              testing::Contains(testing::Field(&ApiVersionsResponse::ApiRange::api_key, 18)));
  RoundTrip(client);  // It is asked again on the same connection.
}

TEST_F(KafkaFrontTest, ConnectionsAreLimitedInAll) {
  Start({.listeners = {}, .limits = {.connections_max = 1}});
  const RawClient first(port());
  RoundTrip(first);
  const RawClient second(port(), "127.0.0.2");
  EXPECT_TRUE(second.IsEnded());
  RoundTrip(first);
}

// Without descriptors for files the server could not store what its clients send.
TEST_F(KafkaFrontTest, ConnectionsLeaveDescriptorsForFiles) {
  rlimit own{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &own), 0);
  const rlimit few{.rlim_cur = 100, .rlim_max = own.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  Start();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &own), 0);
  constexpr size_t kServedMax = (100 - 64) / 2;
  std::vector<std::unique_ptr<RawClient>> clients;
  bool is_served = true;
  while (is_served && clients.size() <= kServedMax) {
    clients.push_back(std::make_unique<RawClient>(port()));
    clients.back()->Ask(ApiVersionsRequest(), 0, 1);
    is_served = clients.back()->ReadFrame().has_value();
  }
  EXPECT_FALSE(is_served);
}

TEST_F(KafkaFrontTest, ConnectionsAreLimitedByAddress) {
  Start({.listeners = {}, .limits = {.connections_per_address_max = 1}});
  const RawClient first(port());
  RoundTrip(first);
  const RawClient second(port());
  EXPECT_TRUE(second.IsEnded());
  const RawClient of_another(port(), "127.0.0.2");
  RoundTrip(of_another);
}

TEST_F(KafkaFrontTest, AConnectionThatHasGoneMakesRoom) {
  Start({.listeners = {}, .limits = {.connections_max = 1}});
  RawClient first(port());
  RoundTrip(first);
  first.Close();
  // The front learns of it some time later.
  bool is_served = false;
  for (int tries = 0; tries < 10'000 && !is_served; ++tries) {
    const RawClient next(port());
    next.Ask(ApiVersionsRequest(), 0, 1);
    is_served = next.ReadFrame().has_value();
  }
  EXPECT_TRUE(is_served);
}

TEST_F(KafkaFrontTest, IdleConnectionsEndAndThoseThatAreWorkedForStay) {
  Start({.listeners = {}, .idle_timeout = absl::Milliseconds(50)});
  const RawClient waiting(port());
  waiting.Ask(Fetch(0, kMinute), kFetch, 1);
  broker_.messages.WaitForWaitingFetches(1);
  for (int i = 0; i < 3; ++i) {
    const RawClient idle(port());
    EXPECT_TRUE(idle.IsEnded());
  }
  broker_.messages.Store(kOrders0, batch_);
  waiting.ReadAnswer<FetchResponse>(kFetch, 1);
}

// What took longer than the timeout as a whole was cut off.
TEST_F(KafkaFrontTest, AFrameThatComesSlowlyButSteadilyIsNotIdle) {
  Start({.listeners = {}, .idle_timeout = absl::Seconds(1)});
  // Its idle connections tell the time.
  auto clock = KafkaFront::Start(
      {.listeners = {{.host = "127.0.0.1", .port = 0}}, .idle_timeout = absl::Milliseconds(100)},
      broker_.services());
  ASSERT_TRUE(clock.ok()) << clock.status();
  const RawClient slow(port());
  const std::string frame = FrameOf(Produce(batch_), kProduce, 1);
  constexpr size_t kParts = 15;
  for (size_t i = 0; i < kParts; ++i) {
    slow.Send(frame.substr(i, 1));
    EXPECT_TRUE(RawClient((*clock)->ports().front()).IsEnded());
  }
  slow.Send(frame.substr(kParts));
  slow.ReadAnswer<ProduceResponse>(kProduce, 1);
  (*clock)->Stop();
}

TEST_F(KafkaFrontTest, AFrameWaitsUntilTheMemoryOfAnotherIsFree) {
  Start({.listeners = {}, .threads = 1, .limits = {.memory_bytes_max = 1000}});
  broker_.messages.Hold();
  const std::string large = BatchOf(std::string(600, 'x'));
  const RawClient first(port());
  first.Ask(Produce(large), kProduce, 1);
  broker_.messages.WaitForAppends(1);
  const RawClient second(port());
  second.Ask(Produce(large), kProduce, 2);
  const RawClient third(port());
  for (int i = 0; i < 10; ++i) RoundTrip(third);
  EXPECT_EQ(broker_.messages.appends(), 1);

  broker_.messages.Acknowledge(0);
  first.ReadAnswer<ProduceResponse>(kProduce, 1);
  broker_.messages.WaitForAppends(2);
  broker_.messages.Acknowledge(1);
  second.ReadAnswer<ProduceResponse>(kProduce, 2);
}

/// All memory of requests is taken, by two that wait to be acknowledged.
class KafkaMemoryTest : public KafkaFrontTest {
 protected:
  void SetUp() override {
    Start({.listeners = {}, .limits = {.memory_bytes_max = 100'000}});
    auto bystander =
        KafkaFront::Start({.listeners = {{.host = "127.0.0.1", .port = 0}}}, others_.services());
    ASSERT_TRUE(bystander.ok()) << bystander.status();
    bystander_ = *std::move(bystander);
    broker_.messages.Hold();
    for (size_t i = 0; i < 2; ++i) {
      holders_.push_back(std::make_unique<RawClient>(port()));
      holders_.back()->Send(frame_);
      broker_.messages.WaitForAppends(i + 1);
    }
  }
  void TearDown() override { bystander_->Stop(); }

  /// False when there are not so many connections after a while, which a bystander measures.
  bool WaitForConnections(int64_t count) {
    const RawClient bystander(bystander_->ports().front());
    const auto connections = [this] {
      return broker_.metrics.ValueOf("talosmq_kafka_connections");
    };
    for (int i = 0; i < 20'000 && connections() != count; ++i) RoundTrip(bystander);
    return connections() == count;
  }
  void AcknowledgeHolders() {
    for (const size_t index : {0U, 1U}) broker_.messages.Acknowledge(index);
    for (const auto& holder : holders_) holder->ReadAnswer<ProduceResponse>(kProduce, 1);
  }

  const std::string large_ = BatchOf(std::string(80'000, 'x'));
  const std::string frame_ = FrameOf(Produce(large_), kProduce, 1);
  std::vector<std::unique_ptr<RawClient>> holders_;

 private:
  FakeBroker others_;
  std::unique_ptr<KafkaFront> bystander_;
};

// Nobody looked at the socket: it kept its place among the connections as long as the others
// waited.
TEST_F(KafkaMemoryTest, AFrameThatWaitsForItIsGivenUpWhenItsClientGoes) {
  RawClient half(port());
  half.Send(frame_.substr(0, frame_.size() / 2));
  RawClient dead(port());
  dead.Send(frame_);
  ASSERT_TRUE(WaitForConnections(4));
  half.Close();
  EXPECT_TRUE(WaitForConnections(3));
  dead.Reset();
  EXPECT_TRUE(WaitForConnections(2));
  AcknowledgeHolders();
  EXPECT_EQ(broker_.messages.appends(), 2u);
}

TEST_F(KafkaMemoryTest, WhoHasEndedItsSendingGetsTheAnswerToAFrameThatWaitsForIt) {
  const RawClient client(port());
  client.Send(frame_);
  client.EndSending();
  ASSERT_TRUE(WaitForConnections(3));
  AcknowledgeHolders();
  broker_.messages.WaitForAppends(3);
  broker_.messages.Acknowledge(2);
  client.ReadAnswer<ProduceResponse>(kProduce, 1);
}

// They went with the frame that could not come any more.
TEST_F(KafkaMemoryTest, WhoHasEndedItsSendingWithinAFrameGetsTheAnswersToThoseBefore) {
  holders_[0]->Send(frame_.substr(0, frame_.size() / 2));
  holders_[0]->EndSending();
  EXPECT_FALSE(WaitForConnections(1));
  AcknowledgeHolders();
  EXPECT_TRUE(holders_[0]->IsEnded());
}

// Whoever announced much and sent nothing kept all others out.
TEST_F(KafkaFrontTest, AFrameTakesMemoryAsItComes) {
  constexpr size_t kIdlers = 20;
  Start({.listeners = {}, .limits = {.memory_bytes_max = 1'000'000}});
  std::vector<std::unique_ptr<RawClient>> idlers;
  for (size_t i = 0; i < kIdlers; ++i) {
    idlers.push_back(std::make_unique<RawClient>(port()));
    idlers.back()->Send(
        FrameOf(Produce(BatchOf(std::string(500'000, 'x'))), kProduce, 1).substr(0, 100));
    RoundTrip(RawClient(port()));
  }
  const RawClient client(port());
  client.Ask(Produce(BatchOf(std::string(500'000, 'x'))), kProduce, 1);
  EXPECT_EQ(BaseOffset(client.ReadAnswer<ProduceResponse>(kProduce, 1)), 0);
}

// Six that each held a whole frame stopped all ports until their fetches were answered.
TEST_F(KafkaFrontTest, ARequestTakesNoMemoryUntilItsTurn) {
  constexpr size_t kWaiting = 6;
  Start({.listeners = {}, .threads = 1, .limits = {.memory_bytes_max = 200'000}});
  const std::string large = BatchOf(std::string(100'000, 'x'));
  std::vector<std::unique_ptr<RawClient>> waiting;
  for (size_t i = 0; i < kWaiting; ++i) {
    waiting.push_back(std::make_unique<RawClient>(port()));
    waiting.back()->Ask(Fetch(0, kMinute), kFetch, 1);
    broker_.messages.WaitForWaitingFetches(i + 1);
    waiting.back()->Ask(Produce(large), kProduce, 2);
  }
  const RawClient client(port());
  client.Ask(Produce(large), kProduce, 1);
  client.ReadAnswer<ProduceResponse>(kProduce, 1);
  for (const auto& waiter : waiting) waiter->ReadAnswer<FetchResponse>(kFetch, 1);
  for (const auto& waiter : waiting) waiter->ReadAnswer<ProduceResponse>(kProduce, 2);
  EXPECT_EQ(broker_.messages.appends(), kWaiting + 1);
}

TEST_F(KafkaFrontTest, AFrameThatDoesNotComeEndsTheConnectionBeforeItIsIdle) {
  Start({.listeners = {}, .piece_timeout = absl::Milliseconds(50)});
  const RawClient client(port());
  RoundTrip(client);
  client.Send(FrameOf(Produce(batch_), kProduce, 1).substr(0, 30));
  EXPECT_TRUE(client.IsEnded());
}

// A byte now and then kept the memory of 100 MiB for most of an hour.
TEST_F(KafkaFrontTest, AFrameThatDripsEndsTheConnection) {
  Start({.listeners = {}, .frame_timeout = absl::Milliseconds(100)});
  const std::string frame = FrameOf(Produce(BatchOf(std::string(3'000'000, 'x'))), kProduce, 1);
  const RawClient client(port());
  client.Send(frame.substr(0, frame.size() - 1));
  EXPECT_TRUE(client.IsEnded());
}

TEST_F(KafkaFrontTest, FramesThatEachHoldAPartDoNotWaitForEachOtherForEver) {
  constexpr size_t kClients = 5;
  Start({.listeners = {}, .limits = {.memory_bytes_max = 100'000}});
  const std::string frame = FrameOf(Produce(BatchOf(std::string(200'000, 'x'))), kProduce, 1);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (size_t i = 0; i < kClients; ++i) clients.push_back(std::make_unique<RawClient>(port()));
  for (const auto& client : clients) client->Send(frame.substr(0, 10'000));
  std::vector<std::thread> senders;
  for (const auto& client : clients) {
    senders.emplace_back([&client = *client, &frame] { client.Send(frame.substr(10'000)); });
  }
  for (const auto& client : clients) client->ReadAnswer<ProduceResponse>(kProduce, 1);
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(broker_.messages.appends(), kClients);
}

TEST_F(KafkaFrontTest, RequestsThatWaitTakeOnlyWhatTheyAreMadeOf) {
  constexpr size_t kClients = 50;
  Start({.listeners = {}, .limits = {.memory_bytes_max = 50'000}});
  std::vector<std::unique_ptr<RawClient>> clients;
  for (size_t i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<RawClient>(port()));
    clients.back()->Ask(Fetch(0, kMinute), kFetch, 1);
  }
  broker_.messages.WaitForWaitingFetches(kClients);
  EXPECT_EQ(broker_.messages.fetches(), 2 * kClients) << "each has read, and then waited";
}

class KafkaAnswersTest : public KafkaFrontTest {
 protected:
  /// More than the kernel keeps of one connection that nobody reads.
  static constexpr size_t kLarge = size_t{12} << 20;

  void StoreLarge() { broker_.messages.Store(kOrders0, BatchOf(std::string(kLarge, 'x'))); }
  /// Of clients that do not read their answers; each has been read from the log when this returns.
  void FetchBySlowReaders(size_t count) {
    const RawClient other(port());
    for (size_t i = 0; i < count; ++i) {
      slow_.push_back(std::make_unique<RawClient>(port()));
      slow_.back()->Ask(Fetch(0, 0), kFetch, 1);
      for (int tries = 0; tries < 10'000 && broker_.messages.fetches() <= i; ++tries) {
        RoundTrip(other);
      }
      ASSERT_EQ(broker_.messages.fetches(), i + 1);
      RoundTrip(other);
    }
  }

  std::vector<std::unique_ptr<RawClient>> slow_;
};

// Each client that did not read had an answer of its own made, and kept.
TEST_F(KafkaAnswersTest, AreMadeWhenOthersHaveBeenTaken) {
  Start({.listeners = {}, .threads = 1, .limits = {.answer_bytes_max = 2 * kLarge - 1}});
  StoreLarge();
  FetchBySlowReaders(2);
  const RawClient next(port());
  next.Ask(Fetch(0, 0), kFetch, 1);
  const RawClient asks_for_little(port());
  for (int i = 0; i < 10; ++i) RoundTrip(asks_for_little);
  asks_for_little.Ask(Produce(batch_), kProduce, 1);
  asks_for_little.ReadAnswer<ProduceResponse>(kProduce, 1);
  asks_for_little.Ask(MetadataRequest(), 4, 2);
  EXPECT_EQ(asks_for_little.ReadAnswer<MetadataResponse>(4, 2).brokers.size(), 1u);
  EXPECT_EQ(broker_.messages.fetches(), 2u);

  slow_[0]->ReadAnswer<FetchResponse>(kFetch, 1);
  const auto fetched = next.ReadAnswer<FetchResponse>(kFetch, 1);
  EXPECT_GE(fetched.topics.at(0).partitions.at(0).records->bytes(), kLarge);
  EXPECT_EQ(broker_.messages.fetches(), 3u);
}

TEST_F(KafkaAnswersTest, WhoTakesNothingGoesWhenOthersWait) {
  Start({.listeners = {},
         .answer_timeout = absl::Milliseconds(50),
         .limits = {.answer_bytes_max = 2 * kLarge - 1}});
  StoreLarge();
  FetchBySlowReaders(2);
  const RawClient next(port());
  next.Ask(Fetch(0, 0), kFetch, 1);
  const auto fetched = next.ReadAnswer<FetchResponse>(kFetch, 1);
  EXPECT_EQ(fetched.topics.at(0).partitions.at(0).records->bytes(),
            BatchOf(std::string(kLarge, 'x')).size());
}

TEST_F(KafkaAnswersTest, WhoTakesNothingGoesWhenThereIsMoreThanTheBound) {
  Start({.listeners = {},
         .answer_timeout = absl::Milliseconds(50),
         .limits = {.answer_bytes_max = kLarge / 2}});
  broker_.groups.assignment = std::string(kLarge, 'x');
  const RawClient slow(port());
  slow.Ask(SyncGroupRequest(), 0, 1);
  const RawClient other(port());
  const auto connections = [this] { return broker_.metrics.ValueOf("talosmq_kafka_connections"); };
  for (int tries = 0; tries < 10'000 && broker_.groups.syncs == 0; ++tries) RoundTrip(other);
  for (int tries = 0; tries < 100'000 && connections() > 1; ++tries) RoundTrip(other);
  EXPECT_EQ(connections(), 1);
}

TEST_F(KafkaAnswersTest, WhoTakesNothingStaysWhenNobodyWaits) {
  Start({.listeners = {}, .answer_timeout = absl::Milliseconds(1)});
  StoreLarge();
  FetchBySlowReaders(1);
  const RawClient other(port());
  for (int i = 0; i < 500; ++i) RoundTrip(other);
  EXPECT_EQ(slow_[0]->ReadAnswer<FetchResponse>(kFetch, 1).error_code, 0);
}

TEST_F(KafkaAnswersTest, AFetchThatWaitsForMoreHoldsNothing) {
  constexpr size_t kClients = 5;
  Start({.listeners = {}, .threads = 1, .limits = {.answer_bytes_max = kLarge + 1}});
  StoreLarge();
  FetchRequest request = Fetch(0, kMinute);
  request.min_bytes = 1 << 30;
  for (size_t i = 0; i < kClients; ++i) {
    slow_.push_back(std::make_unique<RawClient>(port()));
    slow_.back()->Ask(request, kFetch, 1);
  }
  EXPECT_TRUE(broker_.messages.WaitForWaitingFetches(kClients));
}

TEST_F(KafkaAnswersTest, SmallOnesWithoutRoomSayWhereTheLogEnds) {
  Start({.listeners = {}, .threads = 1, .limits = {.answer_bytes_max = kLarge}});
  StoreLarge();
  const RawClient waiting(port());
  waiting.Ask(Fetch(1, kMinute), kFetch, 1);
  broker_.messages.WaitForWaitingFetches(1);
  const RawClient slow(port());
  slow.Ask(Fetch(0, 0), kFetch, 1);
  const RawClient other(port());
  for (int tries = 0; tries < 10'000 && broker_.messages.fetches() < 3; ++tries) RoundTrip(other);
  RoundTrip(other);
  broker_.messages.Store(kOrders0, batch_);
  const auto told = waiting.ReadAnswer<FetchResponse>(kFetch, 1);
  EXPECT_TRUE(told.topics.at(0).partitions.at(0).records->empty());
  EXPECT_EQ(told.topics.at(0).partitions.at(0).high_watermark, 2);
}

// That of a group's assignment was counted nowhere.
TEST_F(KafkaAnswersTest, ThatFoundNoRoomBeforeAreCountedWhenTheyAreThere) {
  Start({.listeners = {}, .threads = 1, .limits = {.answer_bytes_max = kLarge}});
  broker_.messages.Store(kOrders0, batch_);
  broker_.groups.assignment = std::string(kLarge, 'x');
  const RawClient slow(port());
  slow.Ask(SyncGroupRequest(), 0, 1);
  const RawClient other(port());
  for (int tries = 0; tries < 10'000 && broker_.groups.syncs == 0; ++tries) RoundTrip(other);
  ASSERT_EQ(broker_.groups.syncs, 1u);
  RoundTrip(other);
  const RawClient next(port());
  next.Ask(Fetch(0, 0), kFetch, 1);
  for (int i = 0; i < 100; ++i) RoundTrip(other);
  EXPECT_EQ(broker_.messages.fetches(), 0u);

  EXPECT_EQ(slow.ReadAnswer<SyncGroupResponse>(0, 1).assignment.size(), kLarge);
  const auto fetched = next.ReadAnswer<FetchResponse>(kFetch, 1);
  EXPECT_EQ(fetched.topics.at(0).partitions.at(0).records->bytes(), batch_.size());
}

// What their requests had taken stopped all ports until these clients had been idle for long.
TEST_F(KafkaAnswersTest, ThatNobodyTakesHoldNoMemoryOfRequests) {
  constexpr size_t kSlow = 2;
  Start({.listeners = {}, .threads = 1, .limits = {.memory_bytes_max = 100'000}});
  broker_.groups.assignment = std::string(kLarge, 'x');
  const std::string given(80'000, 'x');
  SyncGroupRequest request;
  request.assignments.push_back({.member_id = "member", .assignment = given});
  const RawClient other(port());
  for (size_t i = 0; i < kSlow; ++i) {
    slow_.push_back(std::make_unique<RawClient>(port()));
    slow_.back()->Ask(request, 0, 1);
    for (int tries = 0; tries < 10'000 && broker_.groups.syncs <= i && !HasFailure(); ++tries) {
      RoundTrip(other);
    }
    ASSERT_EQ(broker_.groups.syncs, i + 1);
  }
  const std::string large = BatchOf(given);
  other.Ask(Produce(large), kProduce, 1);
  EXPECT_EQ(BaseOffset(other.ReadAnswer<ProduceResponse>(kProduce, 1)), 0);
}

// It waited with all the memory that it had as a request, and stopped all ports with it.
TEST_F(KafkaAnswersTest, WithoutRoomHoldNoMemoryOfRequests) {
  constexpr size_t kBegun = 100;
  Start({.listeners = {},
         .threads = 1,
         .limits = {.memory_bytes_max = 50'000, .answer_bytes_max = kLarge}});
  broker_.messages.Store(kOrders0, batch_);
  broker_.groups.assignment = std::string(kLarge, 'x');
  const std::string rack(30'000, 'x');
  FetchRequest request = Fetch(0, 0);
  request.rack_id = rack;
  const std::string frame = FrameOf(request, kFetch, 1);
  const RawClient other(port());
  const RawClient half(port());
  RoundTrip(half);
  half.Send(frame.substr(0, kBegun));
  for (int i = 0; i < 10; ++i) RoundTrip(other);
  const RawClient slow(port());
  slow.Ask(SyncGroupRequest(), 0, 1);
  for (int tries = 0; tries < 10'000 && broker_.groups.syncs == 0; ++tries) RoundTrip(other);
  RoundTrip(other);
  half.Send(frame.substr(kBegun));
  const auto fetched = half.ReadAnswer<FetchResponse>(kFetch, 1);
  EXPECT_TRUE(fetched.topics.at(0).partitions.at(0).records->empty());
  EXPECT_EQ(fetched.topics.at(0).partitions.at(0).high_watermark, 1);
  RoundTrip(other);
}

// Each had found room for less than its first batch, and kept all of it.
TEST_F(KafkaAnswersTest, ThatAreReadAtOncePassTheBoundByOneBatch) {
  constexpr size_t kClients = 5;
  Start({.listeners = {}, .threads = 1, .limits = {.answer_bytes_max = kLarge}});
  StoreLarge();
  broker_.messages.BeginOpening();
  for (size_t i = 0; i < kClients; ++i) {
    slow_.push_back(std::make_unique<RawClient>(port()));
    slow_.back()->Ask(Fetch(0, 0), kFetch, 1);
  }
  ASSERT_TRUE(broker_.messages.WaitForWaitingFetches(kClients));
  broker_.messages.EndOpening();
  int with_records = 0;
  for (const auto& client : slow_) {
    const auto fetched = client->ReadAnswer<FetchResponse>(kFetch, 1);
    const auto& partition = fetched.topics.at(0).partitions.at(0);
    EXPECT_EQ(partition.high_watermark, 1);
    with_records += partition.records->empty() ? 0 : 1;
  }
  EXPECT_EQ(with_records, 1);
}

// The first ones took a quarter each of what was left, and the others got nothing.
TEST_F(KafkaAnswersTest, ThatAreBeingReadTakeNoMoreThanTheirPartitionsMay) {
  constexpr size_t kClients = 20;
  Start({.listeners = {}, .threads = 1, .limits = {.answer_bytes_max = (kClients + 1) << 20}});
  broker_.messages.BeginOpening();
  for (size_t i = 0; i < kClients; ++i) {
    slow_.push_back(std::make_unique<RawClient>(port()));
    slow_.back()->Ask(Fetch(0, 0), kFetch, 1);
  }
  EXPECT_TRUE(broker_.messages.WaitForWaitingFetches(kClients));
  broker_.messages.EndOpening();
  for (const auto& client : slow_) client->ReadAnswer<FetchResponse>(kFetch, 1);
}

// Of what had grown to twice the bytes that are sent, half was counted.
TEST_F(KafkaAnswersTest, AreCountedWithTheRestOfTheirBlock) {
  constexpr size_t kSent = size_t{17} << 20;
  constexpr size_t kHeld = size_t{32} << 20;
  const std::string value(1000, 'x');
  broker_.settings.keys.assign(kSent / value.size(), {.name = "some.key", .value = value});
  Start({.listeners = {}, .threads = 1, .limits = {.answer_bytes_max = kHeld}});
  broker_.messages.Store(kOrders0, batch_);
  DescribeConfigsRequest request;
  request.resources.push_back({.resource_type = 4, .resource_name = "0", .configuration_keys = {}});
  const RawClient slow(port());
  slow.Ask(request, 0, 1);
  const RawClient other(port());
  for (int i = 0; i < 100; ++i) RoundTrip(other);
  const RawClient next(port());
  next.Ask(Fetch(0, 0), kFetch, 1);
  for (int i = 0; i < 100; ++i) RoundTrip(other);
  EXPECT_EQ(broker_.messages.fetches(), 0u);

  const size_t sent = slow.ReadFrame().value().size();
  EXPECT_GT(sent, kHeld / 2);
  EXPECT_LT(sent, kHeld - (size_t{4} << 20)) << "others would wait for it alone";
  next.ReadAnswer<FetchResponse>(kFetch, 1);
}

// Hundreds of them were kept, of a client that sent small requests and read nothing.
TEST_F(KafkaAnswersTest, ToProduceAreNotGatheredForWhoDoesNotRead) {
  constexpr int32_t kPartitions = 20'000;
  constexpr int32_t kRequests = 30;
  Start();
  ProduceRequest request = Produce(batch_);
  auto& partitions = request.topics[0].partitions;
  for (int32_t i = 2; i < kPartitions; ++i) partitions.push_back({.partition = i, .records = ""});
  std::string frame = FrameOf(request, kProduce, 1);
  const RawClient client(port());
  std::thread sender([&] {
    for (int32_t i = 0; i < kRequests; ++i) client.Send(frame);
  });
  const RawClient other(port());
  for (int i = 0; i < 500; ++i) RoundTrip(other);
  EXPECT_LT(broker_.messages.appends(), kRequests);
  for (int32_t i = 0; i < kRequests; ++i) client.ReadAnswer<ProduceResponse>(kProduce, 1);
  sender.join();
  EXPECT_EQ(broker_.messages.appends(), kRequests);
}

TEST_F(KafkaFrontTest, AFrameLargerThanAllMemoryIsTakenWhenNobodyElseHasAny) {
  Start({.listeners = {}, .limits = {.memory_bytes_max = 100}});
  const std::string large = BatchOf(std::string(600, 'x'));
  const RawClient client(port());
  client.Ask(Produce(large), kProduce, 1);
  EXPECT_EQ(BaseOffset(client.ReadAnswer<ProduceResponse>(kProduce, 1)), 0);
}

TEST_F(KafkaFrontTest, AnswersThatComeAfterStopGoNowhere) {
  Start();
  broker_.messages.Hold();
  broker_.groups.HoldJoins();
  const RawClient producer(port());
  const RawClient joiner(port());
  const RawClient half(port());
  for (const int32_t id : {1, 2, 3}) producer.Ask(Produce(batch_), kProduce, id);
  joiner.Ask(JoinGroupRequest(), 0, 1);
  half.Send(FrameOf(Produce(batch_), kProduce, 1).substr(0, 30));
  broker_.messages.WaitForAppends(3);
  broker_.groups.WaitForJoins(1);
  std::exchange(front_, nullptr)->Stop();
  for (const size_t index : {0U, 1U, 2U}) broker_.messages.Acknowledge(index);
  broker_.groups.LetJoinsGo();
  EXPECT_TRUE(producer.IsEnded());
}

TEST_F(KafkaFrontTest, StopMayMeetAnswersAndNewConnections) {
  for (int round = 0; round < 20; ++round) {
    Start();
    const uint16_t port_now = port();
    const RawClient steady(port_now);
    std::thread asks([&] {
      for (int i = 0; i < 50; ++i) steady.Ask(Produce(batch_), kProduce, i);
    });
    const RawClient late(port_now);
    late.Ask(Fetch(1'000'000, kMinute), kFetch, 1);
    std::exchange(front_, nullptr)->Stop();
    asks.join();
    while (late.ReadFrame()) {
    }
    EXPECT_TRUE(late.IsEnded());
  }
}

TEST_F(KafkaFrontTest, TheClientIsToldWhereItHasConnectedTo) {
  Start();
  const RawClient client(port());
  client.Ask(MetadataRequest(), 4, 1);
  const auto told = client.ReadAnswer<MetadataResponse>(4, 1);
  ASSERT_EQ(told.brokers.size(), 1);
  EXPECT_EQ(told.brokers[0].host, "127.0.0.1");
  EXPECT_EQ(told.brokers[0].port, port());
}

TEST_F(KafkaFrontTest, APortThatIsTakenIsAnError) {
  Start();
  const auto second =
      KafkaFront::Start({.listeners = {{.host = "127.0.0.1", .port = port()}}}, broker_.services());
  EXPECT_EQ(ReasonOf(second.status()), Reason::kUnavailable);
}

TEST_F(KafkaFrontTest, RequestsBytesAndConnectionsAreCounted) {
  Start();
  const RawClient client(port());
  ApiVersionsRequest hello;
  hello.client_software_name = "test-client";
  hello.client_software_version = "1.2.3";
  const std::string first = FrameOf(hello, 3, 1);
  const std::string second = FrameOf(Produce(batch_), kProduce, 2);
  client.Send(first + second + second);
  size_t answered = 0;
  for (int i = 0; i < 3; ++i) answered += sizeof(int32_t) + client.ReadFrame().value().size();
  RoundTrip(client);  // The answers before are counted now.

  CountingRegistry& metrics = broker_.metrics;
  EXPECT_EQ(metrics.ValueOf("talosmq_kafka_requests_total{api=ApiVersions,version=3}"), 1);
  EXPECT_EQ(metrics.ValueOf("talosmq_kafka_requests_total{api=Produce,version=9}"), 2);
  EXPECT_EQ(metrics.ValueOf("talosmq_kafka_client_requests_total{software=test-client,"
                            "software_version=1.2.3}"),
            3);
  EXPECT_GE(metrics.ValueOf("talosmq_kafka_received_bytes_total"),
            static_cast<int64_t>(first.size() + 2 * second.size()));
  EXPECT_GE(metrics.ValueOf("talosmq_kafka_sent_bytes_total"), static_cast<int64_t>(answered));
  EXPECT_EQ(metrics.ValueOf("talosmq_kafka_connections"), 1);
}

}  // namespace
}  // namespace talosmq::kafka
