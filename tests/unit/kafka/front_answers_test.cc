#include "kafka/protocol/describe_configs.h"
#include "kafka/protocol/fetch.h"
#include "kafka/protocol/metadata.h"
#include "kafka/protocol/produce.h"
#include "kafka/protocol/sync_group.h"

#include "gtest/gtest.h"
#include "unit/kafka/front_fixture.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace talosmq::kafka {
namespace {

class KafkaAnswersTest : public FrontTest {
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

}  // namespace
}  // namespace talosmq::kafka
