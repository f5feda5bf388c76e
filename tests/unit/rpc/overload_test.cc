#include "unit/rpc/front_fixture.h"
#include "unit/rpc/watched_registry.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>

namespace talosmq::rpc {
namespace {

/// A listener that holds 4 MiB of records, a greedy client and, on a connection of its own, a
/// modest one.
class OverloadTest : public FrontTest {
 protected:
  static constexpr size_t kMebibyte = size_t{1} << 20;

  OverloadTest()
      : FrontTest({.listen = "127.0.0.1:0", .record_bytes_max = int64_t{4} << 20}),
        modest_channel_(Connect()),
        modest_(v1::MessageService::NewStub(modest_channel_)) {}

  static void ExpectOverloaded(const v1::Error& error) {
    EXPECT_EQ(error.reason(), v1::REASON_OVERLOADED) << error.message();
    EXPECT_TRUE(error.retry_safe());
    EXPECT_GT(error.retry_after_ms(), 0U);
  }

  /// Produces `batches` of 1 MiB on one stream whose answers are held back, until one is refused.
  void FillWithBatches() {
    messages_.HoldAnswers();
    context_ = Context();
    stream_ = stub_->Produce(context_.get());
    v1::ProduceResponse response;
    for (uint64_t i = 0; i < 4; ++i) stream_->Write(Request(i, std::string(kMebibyte, 'x')));
    ASSERT_TRUE(stream_->Read(&response));
    ExpectOverloaded(response.acks(0).error());
  }

  void ExpectModestClientIsServed() {
    const size_t before = messages_.appends();
    std::thread helper([this, before] {
      messages_.WaitForAppends(before + 1);
      messages_.LetAnswersGo();
    });
    v1::ProduceResponse response;
    const grpc::Status status = modest_->ProduceOnce(
        Context().get(), Request(1, std::string(kMebibyte / 2, 'y')), &response);
    helper.join();
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_FALSE(response.acks(0).has_error()) << response.acks(0).error().message();
  }

  void ExpectAdministrationIsServed(const std::shared_ptr<grpc::Channel>& channel) {
    v1::ListTopicsResponse topics;
    EXPECT_TRUE(v1::TopicService::NewStub(channel)
                    ->ListTopics(Context().get(), v1::ListTopicsRequest(), &topics)
                    .ok());
    v1::CheckHealthResponse health;
    EXPECT_TRUE(v1::ClusterService::NewStub(channel)
                    ->CheckHealth(Context().get(), v1::CheckHealthRequest(), &health)
                    .ok());
  }

  std::shared_ptr<grpc::Channel> modest_channel_;
  std::unique_ptr<v1::MessageService::Stub> modest_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ProduceRequest, v1::ProduceResponse>> stream_;
};

TEST_F(OverloadTest, BatchesBeyondTheConnectionsPartAreRefusedAndNotAppended) {
  FillWithBatches();
  EXPECT_LE(messages_.appends(), 3U);
  messages_.LetAnswersGo();
}

TEST_F(OverloadTest, GreedyProducerLeavesRoomForOthers) {
  FillWithBatches();
  ExpectModestClientIsServed();
}

TEST_F(OverloadTest, AdministrationAndHealthGetThrough) {
  FillWithBatches();
  ExpectAdministrationIsServed(channel_);
  ExpectAdministrationIsServed(modest_channel_);
  messages_.LetAnswersGo();
}

TEST_F(OverloadTest, RoomComesBackWithTheAnswers) {
  FillWithBatches();
  messages_.LetAnswersGo();
  v1::ProduceResponse response;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(stream_->Read(&response));
  ASSERT_TRUE(stream_->Write(Request(9, std::string(kMebibyte, 'x'))));
  ASSERT_TRUE(stream_->Read(&response));
  EXPECT_EQ(response.request_id(), 9U);
  EXPECT_FALSE(response.acks(0).has_error()) << response.acks(0).error().message();
}

TEST_F(OverloadTest, BatchesThatWantNoAnswerCountUntilTheyAreDone) {
  messages_.HoldAnswers();
  for (uint64_t i = 0; i < 8; ++i) {
    v1::ProduceRequest request = Request(i, std::string(kMebibyte, 'x'));
    request.set_acks(v1::ACKS_NONE);
    v1::ProduceResponse response;
    const auto context = Context();
    const grpc::Status status = stub_->ProduceOnce(context.get(), request, &response);
    if (!status.ok()) ExpectOverloaded(TrailerOf(*context));
  }
  EXPECT_EQ(messages_.appends(), 2U);
  messages_.LetAnswersGo();
}

TEST_F(OverloadTest, CallThatFindsNoRoomIsRefusedAsAWhole) {
  FillWithBatches();
  const size_t before = messages_.appends();
  v1::ProduceResponse response;
  const auto context = Context();
  const grpc::Status status =
      stub_->ProduceOnce(context.get(), Request(1, std::string(2 * kMebibyte, 'x')), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  ExpectOverloaded(TrailerOf(*context));
  EXPECT_EQ(messages_.appends(), before);
  messages_.LetAnswersGo();
}

TEST_F(OverloadTest, LongPollFindsNoRoomForItsRecords) {
  messages_.Store(kLog, std::string(3 * kMebibyte, 'r'));
  FillWithBatches();
  v1::FetchOnceRequest request;
  *request.add_partitions() = Subscribe(1, 0, 0).subscribe(0);
  v1::FetchResponse response;
  ASSERT_TRUE(modest_->FetchOnce(Context().get(), request, &response).ok());
  ExpectOverloaded(response.partitions(0).error());
  EXPECT_TRUE(response.partitions(0).records().empty());
  messages_.LetAnswersGo();
}

TEST_F(OverloadTest, LongPollTellsWhatBecameOfPartitionsWithoutRecordsWhenThereIsNoRoom) {
  const TopicPartition woken{kTopic, PartitionId(5)};
  messages_.Store(woken, "a");
  messages_.Store({kTopic, PartitionId(6)}, "b");
  v1::FetchOnceRequest request;
  *request.add_partitions() = Subscribe(1, 1, 0, 5).subscribe(0);
  *request.add_partitions() = Subscribe(2, 1, 0, 6).subscribe(0);
  request.set_wait_ms(60'000);
  std::thread producer([&] {
    messages_.WaitForWaitingFetches(2);
    FillWithBatches();
    messages_.Store(woken, std::string(3 * kMebibyte, 'r'));
    messages_.LetAnswersGo();
  });
  v1::FetchResponse response;
  EXPECT_TRUE(stub_->FetchOnce(Context().get(), request, &response).ok());
  producer.join();
  ASSERT_EQ(response.partitions_size(), 2);
  ExpectOverloaded(response.partitions(0).error());
  EXPECT_EQ(response.partitions(0).next_offset(), 1);
  EXPECT_FALSE(response.partitions(1).has_error()) << response.partitions(1).error().message();
  EXPECT_EQ(response.partitions(1).next_offset(), 1);
  EXPECT_EQ(response.partitions(1).high_watermark(), 1);
}

TEST_F(OverloadTest, ClientThatDoesNotReadGetsNoMoreThanItsPartAndOthersAreServed) {
  for (int partition = 0; partition < 16; ++partition) {
    const TopicPartition log{kTopic, PartitionId(partition)};
    messages_.Store(log, std::string(kMebibyte, 'r'));
  }
  const auto context = Context();
  const auto stream = stub_->Fetch(context.get());
  for (int partition = 0; partition < 16; ++partition) {
    ASSERT_TRUE(stream->Write(
        Subscribe(static_cast<uint64_t>(partition) + 1, 0, uint64_t{64} << 20, partition)));
  }
  v1::FetchOnceRequest modest;
  *modest.add_partitions() = Subscribe(1, 0, 0).subscribe(0);
  v1::FetchResponse served;
  ASSERT_TRUE(modest_->FetchOnce(Context().get(), modest, &served).ok());
  EXPECT_EQ(served.partitions(0).records().size(), kMebibyte);

  // When it reads at last, each of its subscriptions has brought its records or was refused.
  std::map<uint64_t, bool> records;
  v1::FetchResponse response;
  while (records.size() < 16 && stream->Read(&response)) {
    for (const v1::FetchedPartition& fetched : response.partitions()) {
      if (fetched.has_error()) ExpectOverloaded(fetched.error());
      records[fetched.subscription_id()] = !fetched.records().empty();
    }
  }
  EXPECT_EQ(records.size(), 16U);
  context->TryCancel();
}

/// A listener with room for 12,288 answers, half of them for one connection.
class RefusalsTest : public FrontTest {
 protected:
  static constexpr int kMany = 10'000;

  RefusalsTest() : FrontTest({.listen = "127.0.0.1:0", .record_bytes_max = int64_t{3} << 20}) {}

  /// A connection whose window stays at 64 KiB a stream, so that what is not read is not sent.
  std::shared_ptr<grpc::Channel> ConnectWithSmallWindow() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    return grpc::CreateCustomChannel(base::StrCat("127.0.0.1:", front_->port()),
                                     grpc::InsecureChannelCredentials(), arguments);
  }
};

TEST_F(RefusalsTest, BatchesThatAreRefusedTakeRoomUntilTheirAnswerIsReadAndThenEndTheStream) {
  v1::ProduceRequest request;
  for (int i = 0; i < kMany; ++i) request.add_batches()->set_topic_id("unknown");
  const auto unread = v1::MessageService::NewStub(ConnectWithSmallWindow());
  const auto context = Context();
  const auto stream = unread->Produce(context.get());
  ASSERT_TRUE(stream->Write(request));
  for (int i = 0; i < 200; ++i) {  // The message has been handled by then.
    v1::InitProducerResponse identity;
    ASSERT_TRUE(stub_->InitProducer(Context().get(), v1::InitProducerRequest(), &identity).ok());
  }
  int answers = 0;
  v1::ProduceResponse response;
  while (stream->Read(&response)) answers += response.acks_size();
  EXPECT_GT(answers, 2000);
  EXPECT_LT(answers, kMany);
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(TrailerOf(*context).reason(), v1::REASON_OVERLOADED);
  EXPECT_TRUE(
      unread->ProduceOnce(Context().get(), Request(2, std::string(1 << 20, 'x')), &response).ok());
}

TEST_F(RefusalsTest, SubscriptionsThatAreRefusedTakeRoomAndThenEndTheStream) {
  v1::FetchRequest request;
  for (int i = 0; i < kMany; ++i) request.add_subscribe()->set_topic_id("unknown");
  const auto context = Context();
  const auto stream = stub_->Fetch(context.get());
  ASSERT_TRUE(stream->Write(request));
  v1::FetchResponse response;
  while (stream->Read(&response)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(TrailerOf(*context).reason(), v1::REASON_OVERLOADED);
}

TEST_F(RefusalsTest, FewSubscriptionsWithoutRoomAreAnsweredOneByOne) {
  messages_.HoldAnswers();
  const auto producer_context = Context();
  const auto producer = stub_->Produce(producer_context.get());
  v1::ProduceRequest filling;
  for (int i = 0; i < 6300; ++i) *filling.add_batches() = Request(1, "x").batches(0);
  ASSERT_TRUE(producer->Write(filling));
  v1::ProduceResponse refused;
  ASSERT_TRUE(producer->Read(&refused));

  v1::FetchRequest request;
  for (uint64_t i = 1; i <= 200; ++i) {
    *request.add_subscribe() = Subscribe(i, 0, 0).subscribe(0);
  }
  const auto context = Context();
  const auto stream = stub_->Fetch(context.get());
  for (int message = 0; message < 3; ++message) {
    ASSERT_TRUE(stream->Write(request));
    int answers = 0;
    v1::FetchResponse response;
    while (answers < 200 && stream->Read(&response)) {
      for (const v1::FetchedPartition& fetched : response.partitions()) {
        EXPECT_EQ(fetched.error().reason(), v1::REASON_OVERLOADED);
      }
      answers += response.partitions_size();
    }
    EXPECT_EQ(answers, 200) << "message " << message;
  }
  context->TryCancel();
  messages_.LetAnswersGo();
}

/// A topic of 10,000 partitions and a label of 8 MiB.
class WideTopicTest : public FrontTest {
 protected:
  WideTopicTest()
      : FrontTest({.listen = "127.0.0.1:0"}, std::make_unique<WatchedRegistry>("calls")) {
    topics_.Widen(10'000, std::string(size_t{8} << 20, 'l'));
  }

  /// Describes it until the connection is refused; the calls before wait for their answer.
  void DescribeUntilRefused() {
    topics_.HoldDescriptions();
    const auto topics = v1::TopicService::NewStub(channel_);
    for (int i = 0; i < 100 && !is_refused(); ++i) {
      Call& call = calls_.emplace_back();
      call.request.set_name("orders");
      topics->async()->DescribeTopic(
          call.context.get(), &call.request, &call.response,
          [this, &call](const grpc::Status& status) { OnAnswer(call, status); });
      // By the time this has its answer, the call before it is refused or waits.
      v1::GetServerInfoResponse info;
      v1::ClusterService::NewStub(channel_)->GetServerInfo(Context().get(),
                                                           v1::GetServerInfoRequest(), &info);
    }
  }
  /// Lets them have their answer; how many there were.
  size_t Answer() {
    const size_t held = topics_.LetDescriptionsGo();
    const base::MutexLock lock(mutex_);
    while (answered_ < calls_.size()) changed_.Wait(mutex_);
    return held;
  }
  bool is_refused() {
    const base::MutexLock lock(mutex_);
    return refused_ > 0;
  }
  /// Until only the descriptions that wait hold room: a call does for a moment after its answer.
  void WaitForRoomOfAnsweredCalls() {
    while (registry_.held_entries.now() != unanswered()) std::this_thread::yield();
  }
  grpc::Status ListTopics(const std::shared_ptr<grpc::Channel>& channel) {
    v1::ListTopicsResponse response;
    return v1::TopicService::NewStub(channel)->ListTopics(Context().get(), v1::ListTopicsRequest(),
                                                          &response);
  }

 private:
  struct Call {
    std::unique_ptr<grpc::ClientContext> context = Context();
    v1::DescribeTopicRequest request;
    v1::DescribeTopicResponse response;
  };

  int64_t unanswered() {
    const base::MutexLock lock(mutex_);
    return static_cast<int64_t>(calls_.size() - answered_);
  }
  void OnAnswer(const Call& call, const grpc::Status& status) {
    const bool is_refused = !status.ok();
    if (is_refused) {
      EXPECT_EQ(TrailerOf(*call.context).reason(), v1::REASON_OVERLOADED);
    }
    const base::MutexLock lock(mutex_);
    ++answered_;
    if (is_refused) ++refused_;
    changed_.SignalAll();
  }

  WatchedRegistry& registry_ = static_cast<WatchedRegistry&>(*metrics_);
  std::deque<Call> calls_;
  base::Mutex mutex_;
  base::CondVar changed_;
  size_t answered_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t refused_ ABSL_GUARDED_BY(mutex_) = 0;
};

TEST_F(WideTopicTest, DescriptionsTakeRoomBeforeTheyAreMade) {
  DescribeUntilRefused();
  EXPECT_TRUE(is_refused());
  const size_t held = Answer();
  EXPECT_GE(held, 5U);
  EXPECT_LE(held, 16U) << "of 5 MB each, within half of 128 MiB";
}

TEST_F(WideTopicTest, AnswerThatFindsNoRoomIsOverloaded) {
  DescribeUntilRefused();
  EXPECT_EQ(ListTopics(channel_).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(ListTopics(Connect()).ok());
  WaitForRoomOfAnsweredCalls();
  v1::CreateTopicRequest creation;
  creation.set_name("new");
  v1::CreateTopicResponse created;
  EXPECT_TRUE(
      v1::TopicService::NewStub(channel_)->CreateTopic(Context().get(), creation, &created).ok());
  Answer();
  WaitForRoomOfAnsweredCalls();
  EXPECT_TRUE(ListTopics(channel_).ok());
}

}  // namespace
}  // namespace talosmq::rpc
