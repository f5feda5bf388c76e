#include "kafka/error_code.h"
#include "kafka/kafka_front.h"
#include "kafka/protocol/api_versions.h"
#include "kafka/protocol/create_topics.h"
#include "kafka/protocol/fetch.h"
#include "kafka/protocol/join_group.h"
#include "kafka/protocol/metadata.h"
#include "kafka/protocol/offset_commit.h"
#include "kafka/protocol/produce.h"

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

class KafkaFrontTest : public FrontTest {};

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
