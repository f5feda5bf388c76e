#include "kafka/kafka_front.h"
#include "kafka/protocol/fetch.h"
#include "kafka/protocol/produce.h"

#include "gtest/gtest.h"
#include "unit/kafka/front_fixture.h"

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace talosmq::kafka {
namespace {

class KafkaMemoryTest : public FrontTest {};

TEST_F(KafkaMemoryTest, AFrameWaitsUntilTheMemoryOfAnotherIsFree) {
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
class KafkaFullMemoryTest : public KafkaMemoryTest {
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
TEST_F(KafkaFullMemoryTest, AFrameThatWaitsForItIsGivenUpWhenItsClientGoes) {
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

TEST_F(KafkaFullMemoryTest, WhoHasEndedItsSendingGetsTheAnswerToAFrameThatWaitsForIt) {
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
TEST_F(KafkaFullMemoryTest, WhoHasEndedItsSendingWithinAFrameGetsTheAnswersToThoseBefore) {
  holders_[0]->Send(frame_.substr(0, frame_.size() / 2));
  holders_[0]->EndSending();
  EXPECT_FALSE(WaitForConnections(1));
  AcknowledgeHolders();
  EXPECT_TRUE(holders_[0]->IsEnded());
}

// Whoever announced much and sent nothing kept all others out.
TEST_F(KafkaMemoryTest, AFrameTakesMemoryAsItComes) {
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
TEST_F(KafkaMemoryTest, ARequestTakesNoMemoryUntilItsTurn) {
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

TEST_F(KafkaMemoryTest, AFrameThatDoesNotComeEndsTheConnectionBeforeItIsIdle) {
  Start({.listeners = {}, .piece_timeout = absl::Milliseconds(50)});
  const RawClient client(port());
  RoundTrip(client);
  client.Send(FrameOf(Produce(batch_), kProduce, 1).substr(0, 30));
  EXPECT_TRUE(client.IsEnded());
}

// A byte now and then kept the memory of 100 MiB for most of an hour.
TEST_F(KafkaMemoryTest, AFrameThatDripsEndsTheConnection) {
  Start({.listeners = {}, .frame_timeout = absl::Milliseconds(100)});
  const std::string frame = FrameOf(Produce(BatchOf(std::string(3'000'000, 'x'))), kProduce, 1);
  const RawClient client(port());
  client.Send(frame.substr(0, frame.size() - 1));
  EXPECT_TRUE(client.IsEnded());
}

TEST_F(KafkaMemoryTest, FramesThatEachHoldAPartDoNotWaitForEachOtherForEver) {
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

TEST_F(KafkaMemoryTest, RequestsThatWaitTakeOnlyWhatTheyAreMadeOf) {
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

TEST_F(KafkaMemoryTest, AFrameLargerThanAllMemoryIsTakenWhenNobodyElseHasAny) {
  Start({.listeners = {}, .limits = {.memory_bytes_max = 100}});
  const std::string large = BatchOf(std::string(600, 'x'));
  const RawClient client(port());
  client.Ask(Produce(large), kProduce, 1);
  EXPECT_EQ(BaseOffset(client.ReadAnswer<ProduceResponse>(kProduce, 1)), 0);
}

}  // namespace
}  // namespace talosmq::kafka
