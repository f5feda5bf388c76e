#include "client/grpc_transport.h"

#include "base/mutex.h"
#include "talosmq/client.h"
#include "talosmq/error.h"
#include "talosmq/v1/cluster.grpc.pb.h"
#include "talosmq/v1/message.grpc.pb.h"
#include "talosmq/v1/topic.grpc.pb.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <deque>
#include <functional>

namespace talosmq::client {
namespace {

using ::testing::HasSubstr;

/// What happened on another thread, to be waited for in order.
template <typename T>
class Happenings {
 public:
  void Add(T value) {
    const base::MutexLock lock(mutex_);
    values_.push_back(std::move(value));
    came_.Signal();
  }
  T Next() {
    const base::MutexLock lock(mutex_);
    while (values_.empty()) came_.Wait(mutex_);
    T value = std::move(values_.front());
    values_.pop_front();
    return value;
  }

 private:
  base::Mutex mutex_;
  base::CondVar came_;
  std::deque<T> values_ ABSL_GUARDED_BY(mutex_);
};

class RecordingProduceObserver final : public ProduceObserver {
 public:
  void OnWritten(uint64_t request_id) override { written.Add(request_id); }
  void OnAnswer(ProduceAnswer answer) override { answers.Add(std::move(answer)); }
  void OnClosed(absl::Status why) override { closed.Add(std::move(why)); }
  Happenings<uint64_t> written;
  Happenings<ProduceAnswer> answers;
  Happenings<absl::Status> closed;
};

class RecordingFetchObserver final : public FetchObserver {
 public:
  void OnWritten() override {}
  void OnFetched(std::vector<FetchedPartition> partitions) override {
    fetched.Add(std::move(partitions));
  }
  void OnClosed(absl::Status why) override { closed.Add(std::move(why)); }
  Happenings<std::vector<FetchedPartition>> fetched;
  Happenings<absl::Status> closed;
};

class FakeMessages final : public v1::MessageService::Service {
 public:
  using ProduceCall = grpc::ServerReaderWriter<v1::ProduceResponse, v1::ProduceRequest>;
  using FetchCall = grpc::ServerReaderWriter<v1::FetchResponse, v1::FetchRequest>;

  /// Acknowledges each batch at the offset that is its size; ends with a request of no batches.
  grpc::Status Produce(grpc::ServerContext* /*context*/, ProduceCall* call) override {
    v1::ProduceRequest request;
    while (call->Read(&request) && request.batches_size() > 0) {
      v1::ProduceResponse response;
      response.set_request_id(request.request_id());
      for (const v1::PartitionBatch& batch : request.batches()) {
        v1::PartitionAck& ack = *response.add_acks();
        ack.set_topic_id(batch.topic_id());
        ack.set_partition(batch.partition());
        ack.set_base_offset(static_cast<int64_t>(batch.records().size()));
      }
      call->Write(response);
    }
    return grpc::Status::OK;
  }

  /// Sends as many bytes as the first subscription's offset says, then refuses the stream.
  grpc::Status Fetch(grpc::ServerContext* context, FetchCall* call) override {
    v1::FetchRequest request;
    call->Read(&request);
    v1::FetchResponse response;
    v1::FetchedPartition& partition = *response.add_partitions();
    partition.set_subscription_id(request.subscribe(0).subscription_id());
    partition.set_records(std::string(static_cast<size_t>(request.subscribe(0).offset()), 'r'));
    call->Write(response);
    return Refuse(*context);
  }

  grpc::Status ListOffsets(grpc::ServerContext* context, const v1::ListOffsetsRequest* /*request*/,
                           v1::ListOffsetsResponse* /*response*/) override {
    return Refuse(*context);
  }

  /// Hangs until it is cancelled.
  grpc::Status InitProducer(grpc::ServerContext* context,
                            const v1::InitProducerRequest* /*request*/,
                            v1::InitProducerResponse* /*response*/) override {
    hanging.Add(true);
    base::Mutex mutex;
    base::CondVar never;
    const base::MutexLock lock(mutex);
    while (!context->IsCancelled()) never.WaitFor(mutex, absl::Milliseconds(5));
    return grpc::Status::CANCELLED;
  }

  Happenings<bool> hanging;

 private:
  static grpc::Status Refuse(grpc::ServerContext& context) {
    v1::Error error;
    error.set_reason(v1::REASON_OVERLOADED);
    error.set_message("too much");
    context.AddTrailingMetadata("talosmq-error-bin", error.SerializeAsString());
    return {grpc::StatusCode::RESOURCE_EXHAUSTED, "too much"};
  }
};

class FakeCluster final : public v1::ClusterService::Service {
 public:
  grpc::Status GetServerInfo(grpc::ServerContext* /*context*/,
                             const v1::GetServerInfoRequest* request,
                             v1::GetServerInfoResponse* response) override {
    response->set_version(request->client_name());
    response->set_protocol_version_min(1);
    response->set_protocol_version_max(3);
    return grpc::Status::OK;
  }
};

/// The real transport against a gRPC server in this process, on a port of the kernel's choice.
class GrpcTransportTest : public ::testing::Test {
 protected:
  GrpcTransportTest() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&messages_);
    builder.RegisterService(&cluster_);
    builder.SetMaxReceiveMessageSize(24 << 20);
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
  }
  ~GrpcTransportTest() override {
    transport_ = nullptr;
    server_->Shutdown();
  }

  absl::StatusOr<std::string> Call(const std::string& address, std::string_view method) {
    Happenings<absl::StatusOr<std::string>> replies;
    transport_->Call(
        {.address = address, .method = method, .body = "", .timeout = absl::Seconds(10)},
        [&](absl::StatusOr<std::string> reply) { replies.Add(std::move(reply)); });
    return replies.Next();
  }
  static ProduceMessage MessageOf(uint64_t id, const base::Buffer& records) {
    return {.request_id = id, .batches = {{.target = {}, .records = records}}};
  }

  FakeMessages messages_;
  FakeCluster cluster_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  std::unique_ptr<Transport> transport_ = *MakeGrpcTransport({});
};

TEST_F(GrpcTransportTest, NobodyListeningIsUnavailable) {
  server_->Shutdown();
  const auto reply = Call(address_, "/talosmq.v1.ClusterService/GetServerInfo");
  EXPECT_EQ(ReasonOf(reply.status()), Reason::kUnavailable);
  EXPECT_THAT(std::string(reply.status().message()), HasSubstr("connect"));
}

TEST_F(GrpcTransportTest, TheServersErrorKeepsReasonAndWords) {
  const auto reply = Call(address_, "/talosmq.v1.MessageService/ListOffsets");
  EXPECT_EQ(ReasonOf(reply.status()), Reason::kOverloaded);
  EXPECT_EQ(reply.status().message(), "too much");
}

TEST_F(GrpcTransportTest, AMethodThatTheServerDoesNotHaveIsUnimplemented) {
  EXPECT_EQ(ReasonOf(Call(address_, "/talosmq.v1.TopicService/ListTopics").status()),
            Reason::kUnimplemented);
}

TEST_F(GrpcTransportTest, BatchesArriveWhole) {
  auto observer = std::make_shared<RecordingProduceObserver>();
  auto stream = transport_->OpenProduce(address_, observer);
  for (const size_t bytes : {size_t{1}, size_t{100}, size_t{3} << 20}) {
    stream->Write(MessageOf(bytes, base::Buffer::Allocate(bytes)));
    EXPECT_EQ(observer->written.Next(), bytes);
    const ProduceAnswer answer = observer->answers.Next();
    EXPECT_EQ(answer.request_id, bytes);
    ASSERT_EQ(answer.acks.size(), 1u);
    EXPECT_EQ(answer.acks[0].base_offset, Offset(static_cast<int64_t>(bytes)));
  }
}

TEST_F(GrpcTransportTest, BytesOfAWriteAreHeldUntilItsStreamHasEnded) {
  // A server that takes the connection and never says a word.
  const int silent = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{
      .sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  socklen_t size = sizeof(at);
  ASSERT_EQ(bind(silent, reinterpret_cast<sockaddr*>(&at), size), 0);
  ASSERT_EQ(listen(silent, 1), 0);
  ASSERT_EQ(getsockname(silent, reinterpret_cast<sockaddr*>(&at), &size), 0);

  Happenings<bool> let_go;
  auto companion = std::shared_ptr<const void>(&let_go, [&](const void*) { let_go.Add(true); });
  const std::weak_ptr<const void> watched = companion;
  auto observer = std::make_shared<RecordingProduceObserver>();
  auto stream =
      transport_->OpenProduce("127.0.0.1:" + std::to_string(ntohs(at.sin_port)), observer);
  stream->Write(MessageOf(1, base::Buffer::Allocate(1000).With(std::move(companion))));
  EXPECT_FALSE(watched.expired());
  stream = nullptr;
  EXPECT_EQ(ReasonOf(observer->closed.Next()), Reason::kCancelled);
  EXPECT_TRUE(let_go.Next());
  close(silent);
}

TEST_F(GrpcTransportTest, AStreamThatTheServerEndsIsClosedOnce) {
  auto observer = std::make_shared<RecordingProduceObserver>();
  auto stream = transport_->OpenProduce(address_, observer);
  stream->Write({.request_id = 1, .batches = {}});
  EXPECT_EQ(ReasonOf(observer->closed.Next()), Reason::kUnavailable);
  stream->Write(MessageOf(2, base::Buffer::Allocate(10)));
}

TEST_F(GrpcTransportTest, AStreamToNobodyIsClosed) {
  server_->Shutdown();
  auto observer = std::make_shared<RecordingProduceObserver>();
  auto stream = transport_->OpenProduce(address_, observer);
  stream->Write(MessageOf(2, base::Buffer::Allocate(10)));
  EXPECT_EQ(ReasonOf(observer->closed.Next()), Reason::kUnavailable);
}

TEST_F(GrpcTransportTest, ADestroyedStreamIsClosed) {
  auto observer = std::make_shared<RecordingProduceObserver>();
  auto stream = transport_->OpenProduce(address_, observer);
  stream = nullptr;
  EXPECT_EQ(ReasonOf(observer->closed.Next()), Reason::kCancelled);
}

TEST_F(GrpcTransportTest, FetchedRecordsAreWholeHoweverTheyWereCut) {
  for (const int64_t bytes : {int64_t{1}, int64_t{5} << 20}) {
    auto observer = std::make_shared<RecordingFetchObserver>();
    auto stream = transport_->OpenFetch(address_, observer);
    stream->Write({.subscribe = {{.id = 9, .source = {}, .offset = Offset(bytes)}},
                   .unsubscribe = {},
                   .credit_bytes = 1});
    const std::vector<FetchedPartition> fetched = observer->fetched.Next();
    ASSERT_EQ(fetched.size(), 1u);
    EXPECT_EQ(fetched[0].subscription_id, 9u);
    EXPECT_EQ(fetched[0].records.text(), std::string(static_cast<size_t>(bytes), 'r'));
    EXPECT_EQ(ReasonOf(observer->closed.Next()), Reason::kOverloaded);
  }
}

TEST_F(GrpcTransportTest, TheDestructorCancelsWhatHangsAndWaits) {
  auto observer = std::make_shared<RecordingProduceObserver>();
  auto stream = transport_->OpenProduce(address_, observer);
  Happenings<absl::StatusOr<std::string>> replies;
  transport_->Call({.address = address_,
                    .method = "/talosmq.v1.MessageService/InitProducer",
                    .body = "",
                    .timeout = absl::Minutes(5)},
                   [&](absl::StatusOr<std::string> reply) { replies.Add(std::move(reply)); });
  messages_.hanging.Next();
  transport_ = nullptr;
  EXPECT_EQ(ReasonOf(replies.Next().status()), Reason::kCancelled);
  EXPECT_EQ(ReasonOf(observer->closed.Next()), Reason::kCancelled);
}

TEST_F(GrpcTransportTest, ACallHasItsTimeout) {
  Happenings<absl::StatusOr<std::string>> replies;
  transport_->Call({.address = address_,
                    .method = "/talosmq.v1.MessageService/InitProducer",
                    .body = "",
                    .timeout = absl::Milliseconds(50)},
                   [&](absl::StatusOr<std::string> reply) { replies.Add(std::move(reply)); });
  EXPECT_EQ(ReasonOf(replies.Next().status()), Reason::kDeadlineExceeded);
}

TEST_F(GrpcTransportTest, AClientConnectsToTheServerThatAnswers) {
  const auto client = Client::Connect({.server = "127.0.0.1:1," + address_});
  EXPECT_TRUE(client.ok()) << client.status();
}

}  // namespace
}  // namespace talosmq::client
