#include "kafka/error_code.h"
#include "kafka/protocol/api_versions.h"
#include "kafka/protocol/fetch.h"

#include "gtest/gtest.h"
#include "unit/kafka/front_fixture.h"

#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace talosmq::kafka {
namespace {

class KafkaFetchTest : public FrontTest {};

TEST_F(KafkaFetchTest, AFetchIsAnsweredByWhatComesWhileItWaits) {
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
TEST_F(KafkaFetchTest, AFetchOfSeveralPartitionsGathersUntilThereIsEnough) {
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

TEST_F(KafkaFetchTest, AFetchThatWaitsIsGivenUpWhenItsClientGoes) {
  Start();
  RawClient client(port());
  client.Ask(Fetch(0, kMinute), kFetch, 1);
  broker_.messages.WaitForWaitingFetches(1);
  client.Close();
  EXPECT_TRUE(broker_.messages.WaitForWaitingFetches(0));
}

// It stayed until the log was open, with the memory for its answer; clients that came again and
// again took all of it.
TEST_F(KafkaFetchTest, AFetchOfALogThatIsBeingOpenedIsGivenUpWhenItsClientGoes) {
  Start();
  broker_.messages.BeginOpening();
  RawClient client(port());
  client.Ask(Fetch(0, kMinute), kFetch, 1);
  ASSERT_TRUE(broker_.messages.WaitForWaitingFetches(1));
  client.Close();
  EXPECT_TRUE(broker_.messages.WaitForWaitingFetches(0));
}

// Nobody read the socket while the second request waited for its turn.
TEST_F(KafkaFetchTest, AFetchThatWaitsIsGivenUpWhenItsClientGoesWithARequestBehindIt) {
  Start();
  RawClient client(port());
  client.Ask(Fetch(0, kMinute), kFetch, 1);
  broker_.messages.WaitForWaitingFetches(1);
  client.Ask(Fetch(0, kMinute), kFetch, 2);
  client.Close();
  EXPECT_TRUE(broker_.messages.WaitForWaitingFetches(0));
}

TEST_F(KafkaFetchTest, WhoHasEndedItsSendingStillGetsItsAnswers) {
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
TEST_F(KafkaFetchTest, AFetchThatWaitsIsGivenUpWhenTheFrontStops) {
  Start();
  const RawClient client(port());
  client.Ask(Fetch(0, kMinute), kFetch, 1);
  broker_.messages.WaitForWaitingFetches(1);
  std::exchange(front_, nullptr)->Stop();
  EXPECT_EQ(broker_.messages.waiting_fetches(), 0);
  EXPECT_TRUE(client.IsEnded());
}

// It was read again and again until its time was over, since there was always more behind it.
TEST_F(KafkaFetchTest, AFetchWhoseBoundsAreFullDoesNotWaitForMore) {
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

TEST_F(KafkaFetchTest, ASessionGoesOnOverAnotherConnection) {
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

class KafkaSessionTest : public KafkaFetchTest {
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

}  // namespace
}  // namespace talosmq::kafka
