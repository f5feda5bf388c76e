#include "rpc/grpc_front.h"

#include "base/check.h"
#include "base/status.h"
#include "base/text.h"
#include "rpc/call_metrics.h"
#include "rpc/call_registry.h"
#include "rpc/cluster_handlers.h"
#include "rpc/consumer_handlers.h"
#include "rpc/dump_handlers.h"
#include "rpc/grpc_library.h"
#include "rpc/limits.h"
#include "rpc/listener.h"
#include "rpc/listener_budget.h"
#include "rpc/message_handlers.h"
#include "rpc/server_credentials.h"
#include "rpc/topic_handlers.h"
#include "rpc/user_handlers.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include <array>
#include <utility>

namespace talosmq::rpc {
namespace {

constexpr std::array kServices = {"talosmq.v1.MessageService",  "talosmq.v1.TopicService",
                                  "talosmq.v1.ClusterService",  "talosmq.v1.DumpService",
                                  "talosmq.v1.ConsumerService", "talosmq.v1.UserService"};

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

void SetBounds(grpc::ServerBuilder& builder) {
  grpc::ResourceQuota quota("talosmq");
  quota.Resize(kTransportBytesMax);
  quota.SetMaxThreads(kSyncThreadsMax);
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(kReceiveBytesMax);
  builder.SetMaxSendMessageSize(-1);  // What we send is bounded by what was stored.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kConcurrentStreamsMax);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMetadataBytesMax);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Milliseconds(kHandshakeTimeout));
  // A compressed message is measured before it is inflated, so a small one could become any size.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
}

void SetTransport(grpc::ServerBuilder& builder) {
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(kKeepaliveTime));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kKeepaliveTimeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             Milliseconds(kPingIntervalMin));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kFrameBytesMax);
  builder.AddChannelArgument(GRPC_ARG_TCP_READ_CHUNK_SIZE, kReadChunkBytes);
  builder.AddChannelArgument(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, kFrameBytesMax);
}

void SetThreads(grpc::ServerBuilder& builder) {
  using Option = grpc::ServerBuilder::SyncServerOption;
  builder.SetSyncServerOption(Option::NUM_CQS, 1);
  builder.SetSyncServerOption(Option::MIN_POLLERS, 1);
  builder.SetSyncServerOption(Option::MAX_POLLERS, 2);
}

class Front final : public GrpcFront {
 public:
  Front(const GrpcFrontOptions& options, const Dependencies& dependencies)
      : clock_(dependencies.clock),
        metrics_(dependencies.metrics),
        tls_(options.tls),
        records_("records", {.entries = kRecordEntriesMax, .bytes = options.record_bytes_max},
                 metrics_),
        calls_("calls", {.entries = kCallEntriesMax, .bytes = kCallBytesMax}, metrics_),
        heartbeats_("heartbeats", {.entries = kHeartbeatEntriesMax, .bytes = kHeartbeatBytesMax},
                    metrics_),
        messages_({.messages = dependencies.messages,
                   .registry = registry_,
                   .records = records_,
                   .calls = calls_,
                   .clock = clock_}),
        topics_(dependencies.topics, calls_, clock_),
        cluster_(dependencies.cluster, dependencies.topics, calls_),
        dumps_(dependencies.dumps, calls_, clock_),
        groups_(dependencies.groups),
        consumers_(groups_, registry_, heartbeats_, calls_),
        users_(dependencies.users, dependencies.topics, calls_, clock_) {}
  ~Front() override {
    TALOSMQ_CHECK(server_ == nullptr) << "stop the gRPC front first";
    if (listener_ != nullptr) listener_->Stop();
  }

  absl::Status Listen(const GrpcFrontOptions& options) {
    TALOSMQ_ASSIGN_OR_RETURN(listener_, Listener::Open(options.listen));
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    SetBounds(builder);
    SetTransport(builder);
    SetThreads(builder);
    TALOSMQ_ASSIGN_OR_RETURN(const auto credentials, MakeServerCredentials(tls_.get()));
    acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, credentials);
    builder.RegisterService(&messages_);
    builder.RegisterService(&topics_);
    builder.RegisterService(&cluster_);
    builder.RegisterService(&dumps_);
    builder.RegisterService(&consumers_);
    builder.RegisterService(&users_);
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> watches;
    watches.push_back(std::make_unique<CallMetrics>(metrics_, clock_));
    builder.experimental().SetInterceptorCreators(std::move(watches));
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) return MakeError(Reason::kInternal, "gRPC does not start its server");
    listener_->Start([this](int descriptor) {
      grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
      connection.fd = descriptor;
      acceptor_->HandleNewConnection(&connection);
    });
    SetServing(true);
    return absl::OkStatus();
  }

  int port() const override { return listener_->port(); }

  void Stop() override {
    SetServing(false);
    listener_->Stop();
    registry_.DrainAll();
    groups_.Drain();
    server_->Shutdown(absl::ToChronoTime(clock_.Now() + kDrainTimeout));
    server_.reset();
  }

 private:
  void SetServing(bool is_serving) {
    for (const char* service : kServices) {
      server_->GetHealthCheckService()->SetServingStatus(service, is_serving);
    }
    server_->GetHealthCheckService()->SetServingStatus(is_serving);
  }

  base::Clock& clock_;
  base::MetricRegistry& metrics_;
  const std::shared_ptr<base::TlsWatch> tls_;  ///< Holds the files that gRPC reads; goes after it.
  CallRegistry registry_;
  ListenerBudget records_;
  ListenerBudget calls_;
  ListenerBudget heartbeats_;
  MessageHandlers messages_;
  TopicHandlers topics_;
  ClusterHandlers cluster_;
  DumpHandlers dumps_;
  broker::GroupService& groups_;
  ConsumerHandlers consumers_;
  UserHandlers users_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;  ///< Null before Listen and after Stop.
};

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcFront>> GrpcFront::Start(GrpcFrontOptions options,
                                                            Dependencies dependencies) {
  PrepareGrpcLibrary();
  auto front = std::make_unique<Front>(options, dependencies);
  TALOSMQ_RETURN_IF_ERROR(front->Listen(options));
  return front;
}

}  // namespace talosmq::rpc
