#include "client/grpc_transport.h"

#include "base/executor.h"
#include "base/mutex.h"
#include "base/status.h"
#include "base/tls_watch.h"
#include "client/fetch_codec.h"
#include "client/grpc_stream.h"
#include "client/produce_codec.h"
#include "talosmq/error.h"

#include <grpcpp/support/proto_buffer_reader.h>

#include <functional>
#include <map>
#include <memory>
#include <utility>

namespace talosmq::client {
namespace {

/// What the server may send at once; its own limit for what it receives is the same.
constexpr int kReceiveBytesMax = 24 << 20;
/// Larger frames and reads cost less CPU a byte.
constexpr int kFrameBytesMax = 1 << 20;
constexpr int kReadChunkBytes = 256 << 10;
/// A connection on which nothing moves is asked after so long, and dropped when no answer comes.
constexpr absl::Duration kKeepaliveTime = absl::Seconds(30);
constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(10);
constexpr absl::Duration kReconnectBackoffMin = absl::Milliseconds(50);
constexpr absl::Duration kReconnectBackoffMax = absl::Seconds(1);

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

grpc::ChannelArguments ChannelArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kReceiveBytesMax);
  arguments.SetMaxSendMessageSize(-1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kFrameBytesMax);
  arguments.SetInt(GRPC_ARG_TCP_READ_CHUNK_SIZE, kReadChunkBytes);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(kKeepaliveTime));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kKeepaliveTimeout));
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, Milliseconds(kReconnectBackoffMin));
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, Milliseconds(kReconnectBackoffMax));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, Milliseconds(kReconnectBackoffMax));
  // Connections are this client's own: another one of the process must not share their limits.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return arguments;
}

/// The connection to one address, and what it was made with.
struct Connection {
  std::shared_ptr<const base::TlsMaterial> tls;  ///< Null: plain.
  std::shared_ptr<grpc::Channel> channel;
};

Connection Connect(const std::string& address, std::shared_ptr<const base::TlsMaterial> tls) {
  const std::shared_ptr<grpc::ChannelCredentials> credentials =
      tls == nullptr ? grpc::InsecureChannelCredentials()
                     : grpc::SslCredentials({.pem_root_certs = tls->ca,
                                             .pem_private_key = tls->key,
                                             .pem_cert_chain = tls->certificate});
  return {std::move(tls), grpc::CreateCustomChannel(address, credentials, ChannelArguments())};
}

grpc::Slice SliceOver(const base::Buffer& buffer) {
  auto* owner = new base::Buffer(buffer);
  // gRPC never writes into a slice it was given.
  auto* bytes = const_cast<std::byte*>(owner->bytes().data());
  return {bytes, owner->size(), [](void* held) { delete static_cast<base::Buffer*>(held); }, owner};
}

grpc::ByteBuffer ToByteBuffer(const std::vector<base::Buffer>& pieces) {
  std::vector<grpc::Slice> slices;
  slices.reserve(pieces.size());
  for (const base::Buffer& piece : pieces) slices.push_back(SliceOver(piece));
  return {slices.data(), slices.size()};
}

grpc::ByteBuffer ToByteBuffer(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return {&slice, 1};
}

std::string ToString(const grpc::ByteBuffer& bytes) {
  std::vector<grpc::Slice> slices;
  std::string text;
  if (!bytes.Dump(&slices).ok()) return text;
  text.reserve(bytes.Length());
  for (const grpc::Slice& slice : slices) {
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return text;
}

/// The handle of a produce stream. Thread-compatible, as its interface says.
class GrpcProduceStream final : public ProduceStream {
 public:
  GrpcProduceStream(grpc::GenericStub stub, CallRegistry& registry,
                    std::shared_ptr<ProduceObserver> observer)
      : stream_(GrpcStream::Start(stub, "/talosmq.v1.MessageService/Produce", registry,
                                  EventsFor(*this, std::move(observer)))) {}
  ~GrpcProduceStream() override { stream_->Cancel(); }

  void Write(ProduceMessage message) override {
    *writing_ = message.request_id;
    stream_->Write(ToByteBuffer(EncodeProduceRequest(message)));
  }

 private:
  static GrpcStream::Events EventsFor(const GrpcProduceStream& stream,
                                      std::shared_ptr<ProduceObserver> observer) {
    return {.on_written = [observer, writing = stream.writing_] { observer->OnWritten(*writing); },
            .on_message =
                [observer](grpc::ByteBuffer& message) {
                  grpc::ProtoBufferReader reader(&message);
                  absl::StatusOr<ProduceAnswer> answer = DecodeProduceResponse(reader);
                  if (answer.ok()) observer->OnAnswer(*std::move(answer));
                  return answer.status();
                },
            .on_closed = [observer](absl::Status why) { observer->OnClosed(std::move(why)); },
            .at_shut_down = GrpcStream::AtShutDown::kFinish};
  }

  /// Of the message that is being written; shared with the events, which may outlive the handle.
  const std::shared_ptr<uint64_t> writing_ = std::make_shared<uint64_t>(0);
  const std::shared_ptr<GrpcStream> stream_;
};

/// The handle of a fetch stream. Thread-compatible, as its interface says.
class GrpcFetchStream final : public FetchStream {
 public:
  GrpcFetchStream(grpc::GenericStub stub, CallRegistry& registry,
                  const std::shared_ptr<FetchObserver>& observer)
      : stream_(GrpcStream::Start(stub, "/talosmq.v1.MessageService/Fetch", registry,
                                  EventsFor(observer))) {}
  ~GrpcFetchStream() override { stream_->Cancel(); }

  void Write(FetchCommand command) override {
    stream_->Write(ToByteBuffer(EncodeFetchRequest(command)));
  }

 private:
  static GrpcStream::Events EventsFor(const std::shared_ptr<FetchObserver>& observer) {
    return {.on_written = [observer] { observer->OnWritten(); },
            .on_message =
                [observer](grpc::ByteBuffer& message) {
                  grpc::ProtoBufferReader reader(&message);
                  absl::StatusOr<std::vector<FetchedPartition>> partitions =
                      DecodeFetchResponse(reader, static_cast<int64_t>(message.Length()));
                  if (partitions.ok()) observer->OnFetched(*std::move(partitions));
                  return partitions.status();
                },
            .on_closed = [observer](absl::Status why) { observer->OnClosed(std::move(why)); }};
  }

  const std::shared_ptr<GrpcStream> stream_;
};

/// The handle of a heartbeat stream. Thread-compatible, as its interface says.
class GrpcHeartbeatStream final : public HeartbeatStream {
 public:
  GrpcHeartbeatStream(grpc::GenericStub stub, CallRegistry& registry,
                      const std::shared_ptr<HeartbeatObserver>& observer)
      : stream_(GrpcStream::Start(stub, "/talosmq.v1.ConsumerService/Heartbeats", registry,
                                  EventsFor(observer))) {}
  ~GrpcHeartbeatStream() override { stream_->Cancel(); }

  void Write(v1::HeartbeatsRequest heartbeats) override {
    stream_->Write(ToByteBuffer(heartbeats.SerializeAsString()));
  }

 private:
  static GrpcStream::Events EventsFor(const std::shared_ptr<HeartbeatObserver>& observer) {
    return {.on_written = [observer] { observer->OnWritten(); },
            .on_message =
                [observer](grpc::ByteBuffer& message) {
                  grpc::ProtoBufferReader reader(&message);
                  v1::HeartbeatsResponse answers;
                  if (!answers.ParseFromZeroCopyStream(&reader)) {
                    return MakeError(Reason::kInternal,
                                     "the server's message is no HeartbeatsResponse");
                  }
                  observer->OnAnswers(std::move(answers));
                  return absl::OkStatus();
                },
            .on_closed = [observer](absl::Status why) { observer->OnClosed(std::move(why)); }};
  }

  const std::shared_ptr<GrpcStream> stream_;
};

/// gRPC 1.51 reads errno some calls after connect(), so that a connection that was merely under way
/// may seem to have failed with what a library left there that looked for a file. TCP has no such
/// error.
bool IsErrnoOfAnother(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE &&
         status.error_message().find("No such file or directory") != std::string::npos;
}

/// One unary call; what gRPC needs until it is done.
struct UnaryCall {
  std::string address;
  std::string method;
  gpr_timespec deadline;
  std::shared_ptr<grpc::ClientContext> context;
  grpc::ByteBuffer request;
  grpc::ByteBuffer response;
  Transport::Reply done;
  std::optional<base::Gate::Pass> registered;
};

/// Thread-safe. Owns its connections; calls keep what they need themselves.
class GrpcTransport final : public Transport {
 public:
  ~GrpcTransport() override { registry_.CancelAndWait(); }

  absl::Status UseTls(const base::TlsFiles& files) {
    watcher_.emplace(base::ThreadExecutor::Options{.name = "sdk-tls"});
    TALOSMQ_ASSIGN_OR_RETURN(tls_, base::TlsWatch::Start(files, *watcher_));
    return absl::OkStatus();
  }

  void ShutDown() override { registry_.CancelAndWait(); }

  void Call(CallRequest request, Reply done) override {
    auto call = std::make_shared<UnaryCall>();
    call->address = std::move(request.address);
    call->method = request.method;
    call->deadline =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                     gpr_time_from_millis(Milliseconds(request.timeout), GPR_TIMESPAN));
    call->request = ToByteBuffer(request.body);
    call->done = std::move(done);
    Send(call, std::make_shared<grpc::ClientContext>(), [this, call](const grpc::Status& status) {
      if (!IsErrnoOfAnother(status)) return Finish(*call, status);
      auto context = std::make_shared<grpc::ClientContext>();
      context->set_wait_for_ready(true);
      Send(call, std::move(context), [call](const grpc::Status& last) { Finish(*call, last); });
    });
  }

  std::unique_ptr<ProduceStream> OpenProduce(const std::string& address,
                                             std::shared_ptr<ProduceObserver> observer) override {
    return std::make_unique<GrpcProduceStream>(StubFor(address), registry_, std::move(observer));
  }

  std::unique_ptr<FetchStream> OpenFetch(const std::string& address,
                                         std::shared_ptr<FetchObserver> observer) override {
    return std::make_unique<GrpcFetchStream>(StubFor(address), registry_, observer);
  }

  std::unique_ptr<HeartbeatStream> OpenHeartbeats(
      const std::string& address, std::shared_ptr<HeartbeatObserver> observer) override {
    return std::make_unique<GrpcHeartbeatStream>(StubFor(address), registry_, observer);
  }

 private:
  void Send(const std::shared_ptr<UnaryCall>& call, std::shared_ptr<grpc::ClientContext> context,
            std::function<void(grpc::Status)> on_status) {
    context->set_deadline(call->deadline);
    std::optional<base::Gate::Pass> pass = registry_.Enter(context);
    if (!pass.has_value()) {
      call->done(MakeError(Reason::kClosed, "the client is being closed"));
      return;
    }
    // Of the first attempt, when this is the second.
    const std::optional<base::Gate::Pass> earlier = std::move(call->registered);
    call->registered.emplace(*std::move(pass));
    call->context = std::move(context);
    StubFor(call->address)
        .UnaryCall(call->context.get(), call->method, {}, &call->request, &call->response,
                   std::move(on_status));
  }

  static void Finish(UnaryCall& call, const grpc::Status& status) {
    // Leaves the registry last of all, see CallRegistry.
    const std::optional<base::Gate::Pass> registered = std::move(call.registered);
    absl::Status outcome = StatusOfCall(status, *call.context);
    call.context.reset();
    Reply done = std::move(call.done);
    if (outcome.ok()) {
      done(ToString(call.response));
    } else {
      done(std::move(outcome));
    }
  }

  /// What is under way on a connection that is replaced keeps it until it ends.
  grpc::GenericStub StubFor(const std::string& address) {
    const std::shared_ptr<const base::TlsMaterial> tls =
        tls_ == nullptr ? nullptr : tls_->current();
    const base::MutexLock lock(mutex_);
    Connection& connection = connections_[address];
    if (connection.channel == nullptr || connection.tls != tls) connection = Connect(address, tls);
    return grpc::GenericStub(connection.channel);
  }

  std::optional<base::ThreadExecutor> watcher_;  ///< Without TLS neither of the two.
  std::shared_ptr<base::TlsWatch> tls_;
  CallRegistry registry_;
  base::Mutex mutex_;
  std::map<std::string, Connection> connections_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<Transport>> MakeGrpcTransport(const base::TlsFiles& tls) {
  auto transport = std::make_unique<GrpcTransport>();
  if (!tls.ca.empty()) TALOSMQ_RETURN_IF_ERROR(transport->UseTls(tls));
  return transport;
}

}  // namespace talosmq::client
