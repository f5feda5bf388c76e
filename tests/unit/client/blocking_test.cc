#include "client/buffer_budget.h"
#include "client/client_core.h"
#include "client/connect.h"
#include "client/null_transport.h"
#include "talosmq/admin.h"
#include "talosmq/consumer.h"
#include "talosmq/error.h"
#include "talosmq/producer.h"

#include "absl/synchronization/notification.h"
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace talosmq::client {
namespace {

// The blocking facade with its real threads, over the null transport: what a single thread cannot
// show. No test here depends on how fast anything is.

class BlockingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto client = ConnectWithTransport(std::make_unique<NullTransport>(4), {.server = "null:1"});
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }
  std::unique_ptr<Producer> NewProducer(ProducerOptions options) {
    auto producer = Producer::Create(*client_, "events", std::move(options));
    EXPECT_TRUE(producer.ok()) << producer.status();
    return *std::move(producer);
  }
  std::unique_ptr<Client> client_;
};

/// Says when it is being shut down, and counts the calls that come later.
class WatchedTransport final : public Transport {
 public:
  WatchedTransport(absl::Notification& shut_down, int& late_calls)
      : shut_down_(shut_down), late_calls_(late_calls) {}
  void Call(CallRequest request, Reply done) override {
    if (shut_down_.HasBeenNotified()) ++late_calls_;
    null_.Call(std::move(request), std::move(done));
  }
  std::unique_ptr<ProduceStream> OpenProduce(const std::string& address,
                                             std::shared_ptr<ProduceObserver> observer) override {
    return null_.OpenProduce(address, std::move(observer));
  }
  std::unique_ptr<FetchStream> OpenFetch(const std::string& address,
                                         std::shared_ptr<FetchObserver> observer) override {
    return null_.OpenFetch(address, std::move(observer));
  }
  std::unique_ptr<HeartbeatStream> OpenHeartbeats(
      const std::string& address, std::shared_ptr<HeartbeatObserver> observer) override {
    return null_.OpenHeartbeats(address, std::move(observer));
  }
  void ShutDown() override { shut_down_.Notify(); }

 private:
  NullTransport null_{4};
  absl::Notification& shut_down_;
  int& late_calls_;
};

TEST(ClientLifeTest, WorkThatIsQueuedWhenTheClientGoesStillHasATransport) {
  absl::Notification shut_down;
  int late_calls = 0;
  auto client = ConnectWithTransport(std::make_unique<WatchedTransport>(shut_down, late_calls),
                                     {.server = "null:1"});
  ASSERT_TRUE(client.ok()) << client.status();
  ClientCore& core = (*client)->core();
  core.executor().Post([&] { shut_down.WaitForNotification(); });
  core.Call("/talosmq.v1.ClusterService/GetServerInfo", {}, CallPolicy::kOnce,
            [](const absl::StatusOr<std::string>& /*reply*/) {});
  client->reset();
  EXPECT_EQ(late_calls, 1);
}

TEST_F(BlockingTest, EveryRecordOfEveryThreadIsDeliveredOnce) {
  constexpr uint64_t kThreads = 4;
  constexpr uint64_t kRecords = 20'000;
  std::vector<int> delivered(kThreads * kRecords);
  // A small buffer, so that Send blocks and goes on again and again.
  auto producer = NewProducer({.batch_bytes = 16 << 10,
                               .buffer_bytes = 1 << 20,
                               .on_delivery = [&](std::span<const Delivery> deliveries) {
                                 for (const Delivery& delivery : deliveries) {
                                   EXPECT_TRUE(delivery.status.ok());
                                   ++delivered[delivery.tag];
                                 }
                               }});
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      const std::string value(100, 'x');
      for (uint64_t i = 0; i < kRecords; ++i) {
        const std::string key = std::to_string(i);
        const uint64_t tag = thread * kRecords + i;
        const Record record = i % 2 == 0 ? Record{.value = value} : Record{.key = key};
        EXPECT_TRUE(producer->Send(record, tag).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(producer->Flush().ok());
  EXPECT_EQ(std::count(delivered.begin(), delivered.end(), 1),
            static_cast<int64_t>(delivered.size()));
}

TEST_F(BlockingTest, TheDestructorDeliversWhatWasSent) {
  std::atomic<int> delivered = 0;
  auto producer = NewProducer(
      {.linger = absl::Minutes(1), .on_delivery = [&](std::span<const Delivery> deliveries) {
         delivered += static_cast<int>(deliveries.size());
       }});
  for (uint64_t i = 0; i < 100; ++i) EXPECT_TRUE(producer->Send({.value = "x"}, i).ok());
  producer = nullptr;
  EXPECT_EQ(delivered, 100);
}

/// Fills the producer, whose deliveries wait for `gate`, until a record of 10 kB finds no room.
void Fill(Producer& producer, absl::Notification& gate) {
  EXPECT_TRUE(producer.Send({.value = "first"}, 0).ok());
  gate.WaitForNotification();
  const std::string value(10'000, 'x');
  while (producer.TrySend({.value = value}, 1, absl::ZeroDuration()).ok()) {
  }
}

TEST_F(BlockingTest, TrySendGivesUpWhenItsWaitIsOver) {
  absl::Notification entered;
  absl::Notification go;
  auto producer = NewProducer({.buffer_bytes = 1 << 20, .on_delivery = [&](auto deliveries) {
                                 if (deliveries[0].tag != 0) return;
                                 entered.Notify();
                                 go.WaitForNotification();
                               }});
  Fill(*producer, entered);
  const std::string value(10'000, 'x');
  EXPECT_EQ(ReasonOf(producer->TrySend({.value = value}, 2, absl::ZeroDuration())),
            Reason::kOverloaded);
  EXPECT_EQ(ReasonOf(producer->TrySend({.value = value}, 2, absl::Milliseconds(5))),
            Reason::kOverloaded);
  EXPECT_EQ(ReasonOf(producer->TrySend(PartitionId(1), {.value = value}, 2, absl::Milliseconds(5))),
            Reason::kOverloaded);
  go.Notify();
  EXPECT_TRUE(producer->TrySend({.value = value}, 2, absl::InfiniteDuration()).ok());
}

TEST_F(BlockingTest, ASendThatWaitsGoesOnWhenThereIsRoom) {
  absl::Notification entered;
  absl::Notification go;
  auto producer = NewProducer({.buffer_bytes = 1 << 20, .on_delivery = [&](auto deliveries) {
                                 if (deliveries[0].tag != 0) return;
                                 entered.Notify();
                                 go.WaitForNotification();
                               }});
  Fill(*producer, entered);
  std::thread sender([&] {
    EXPECT_TRUE(producer->Send({.value = std::string(10'000, 'x')}, 2).ok());
    EXPECT_TRUE(producer->TrySend({.value = "y"}, 3, absl::Hours(1)).ok());
  });
  go.Notify();
  sender.join();
}

TEST_F(BlockingTest, SendAfterCloseIsRefused) {
  auto producer = NewProducer({});
  EXPECT_TRUE(producer->Close().ok());
  EXPECT_TRUE(producer->Close().ok());
  EXPECT_EQ(ReasonOf(producer->Send({.value = "x"}, 1)), Reason::kClosed);
}

TEST_F(BlockingTest, DeliveriesMaySend) {
  std::atomic<int> delivered = 0;
  Producer* again = nullptr;
  auto producer = NewProducer({.on_delivery = [&](std::span<const Delivery> deliveries) {
    delivered += static_cast<int>(deliveries.size());
    if (deliveries[0].tag != 1) return;
    EXPECT_TRUE(again->Send({.value = "y"}, 2).ok());
  }});
  again = producer.get();
  EXPECT_TRUE(producer->Send({.value = "x"}, 1).ok());
  EXPECT_TRUE(producer->Flush().ok());
  EXPECT_TRUE(producer->Flush().ok());
  EXPECT_EQ(delivered, 2);
}

TEST_F(BlockingTest, ARecordProducerKeepsItsPromises) {
  auto producer = RecordProducer::Create(*client_, "events", {});
  ASSERT_TRUE(producer.ok());
  std::atomic<int> called = 0;
  EXPECT_TRUE((*producer)->Send({.value = "x"}, [&](const Delivery&) { ++called; }).ok());
  std::future<Delivery> future = (*producer)->Send({.value = "y"});
  EXPECT_TRUE((*producer)->Close().ok());
  EXPECT_EQ(called, 1);
  EXPECT_TRUE(future.get().status.ok());
  EXPECT_EQ(ReasonOf((*producer)->Send({.value = "z"}).get().status), Reason::kClosed);
}

TEST_F(BlockingTest, SendAndWaitReturnsTheOffset) {
  auto producer = RecordProducer::Create(*client_, "events", {});
  ASSERT_TRUE(producer.ok());
  for (int64_t offset = 0; offset < 3; ++offset) {
    const auto delivery = (*producer)->SendAndWait(PartitionId(2), {.value = "x"});
    ASSERT_TRUE(delivery.ok()) << delivery.status();
    EXPECT_EQ(delivery->partition, PartitionId(2));
    EXPECT_EQ(delivery->offset, Offset(offset));
  }
  EXPECT_TRUE((*producer)->SendAndWait({.key = "k", .value = "x"}).ok());
}

TEST_F(BlockingTest, SendAndWaitTellsWhyARecordIsNotAccepted) {
  auto producer = RecordProducer::Create(*client_, "events", {});
  ASSERT_TRUE(producer.ok());
  EXPECT_EQ(ReasonOf((*producer)->SendAndWait(PartitionId(9), {.value = "x"}).status()),
            Reason::kUnknownPartition);
  EXPECT_TRUE((*producer)->Close().ok());
  EXPECT_EQ(ReasonOf((*producer)->SendAndWait({.value = "x"}).status()), Reason::kClosed);
}

TEST_F(BlockingTest, ARecordProducerDeliversByItself) {
  const auto producer =
      RecordProducer::Create(*client_, "events", {.on_delivery = [](std::span<const Delivery>) {}});
  EXPECT_EQ(ReasonOf(producer.status()), Reason::kInvalidArgument);
}

TEST_F(BlockingTest, APollOfNothingIsEmptyInTime) {
  auto consumer = Consumer::Create(*client_, "events", {});
  ASSERT_TRUE(consumer.ok());
  EXPECT_EQ((*consumer)->partition_count(), 4);
  EXPECT_TRUE((*consumer)->Assign({PartitionId(0)}, Offset(5)).ok());
  const auto polled = (*consumer)->Poll(absl::Milliseconds(1));
  ASSERT_TRUE(polled.ok());
  EXPECT_TRUE(polled->empty());
  ASSERT_EQ((*consumer)->positions().size(), 1u);
  EXPECT_EQ((*consumer)->positions()[0].position, Offset(5));
}

TEST_F(BlockingTest, AConsumerRefusesWrongPartitions) {
  auto consumer = Consumer::Create(*client_, "events", {});
  ASSERT_TRUE(consumer.ok());
  EXPECT_EQ(ReasonOf((*consumer)->Assign({PartitionId(4)}, Offset(0))), Reason::kUnknownPartition);
  EXPECT_EQ(ReasonOf((*consumer)->Seek(PartitionId(0), Offset(0))), Reason::kInvalidArgument);
}

TEST_F(BlockingTest, AnAdminTellsTheServersError) {
  EXPECT_EQ(ReasonOf(Admin::Create(*client_)->ListTopics().status()), Reason::kUnimplemented);
}

TEST(BufferBudgetTest, AWaiterGoesOnWhenThereIsRoom) {
  BufferBudget budget(10);
  ASSERT_TRUE(budget.TryTake(10));
  EXPECT_FALSE(budget.TryTake(1));
  std::thread waiter([&] { budget.WaitForRoom(5, absl::InfiniteDuration()); });
  budget.Give(5);
  waiter.join();
  EXPECT_TRUE(budget.TryTake(5));
}

TEST(BufferBudgetTest, AWaitEndsWithItsTime) {
  BufferBudget budget(10);
  ASSERT_TRUE(budget.TryTake(10));
  budget.WaitForRoom(5, absl::Milliseconds(1));
  EXPECT_EQ(budget.taken(), 10);
}

TEST(BufferBudgetTest, AShareThatCannotGrowKeepsWhatItHas) {
  const auto budget = std::make_shared<BufferBudget>(10);
  {
    BudgetShare share(budget);
    EXPECT_TRUE(share.TryGrowTo(8));
    EXPECT_FALSE(share.TryGrowTo(11));
    EXPECT_EQ(budget->taken(), 8);
  }
  EXPECT_EQ(budget->taken(), 0);
}

TEST(BufferBudgetTest, CloseLetsWaitersGo) {
  BufferBudget budget(10);
  ASSERT_TRUE(budget.TryTake(10));
  std::thread waiter([&] { budget.WaitForRoom(5, absl::InfiniteDuration()); });
  budget.Close();
  waiter.join();
}

}  // namespace
}  // namespace talosmq::client
