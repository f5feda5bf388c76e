#include "rpc/cluster_handlers.h"

#include "rpc/unary_call.h"

namespace talosmq::rpc {
namespace {

void FillCluster(const broker::ServerInfo& info, const metadata::ClusterImage& image,
                 v1::DescribeClusterResponse& to) {
  to.set_cluster_id(info.cluster_id);
  to.set_metadata_store(info.metadata_store);
  to.set_data_directory(info.data_directory);
  for (const auto& [id, broker] : image.brokers) {
    v1::BrokerDescription& added = *to.add_brokers();
    added.set_broker(id.value());
    added.set_address(broker.grpc_address);
    added.set_boot_counter(broker.boot_counter);
    // A broker's version is known to itself only.
    if (id == info.broker) added.set_version(info.version);
  }
  size_t partitions = 0;
  for (const auto& [id, topic] : image.topics_by_id) partitions += topic->partitions.size();
  to.set_topics(static_cast<int32_t>(image.topics_by_id.size()));
  to.set_partitions(static_cast<int32_t>(partitions));
}

void FillProblem(const broker::HealthProblem& problem, v1::HealthProblem& to) {
  to.set_object(problem.object);
  to.set_problem(problem.problem);
}

}  // namespace

grpc::ServerUnaryReactor* ClusterHandlers::GetServerInfo(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request,
                                                         grpc::ByteBuffer* response) {
  return ServeUnary<v1::GetServerInfoRequest, v1::GetServerInfoResponse>(
      context, request, response, calls_, [this](auto call) {
        const broker::ServerInfo info = cluster_.GetServerInfo();
        call->response.set_version(info.version);
        call->response.set_cluster_id(info.cluster_id);
        call->response.set_broker(info.broker.value());
        call->response.set_protocol_version_min(info.protocol_version_min);
        call->response.set_protocol_version_max(info.protocol_version_max);
        call->response.set_uptime_ms(absl::ToInt64Milliseconds(info.uptime));
        call->FinishRead(absl::OkStatus());
      });
}

grpc::ServerUnaryReactor* ClusterHandlers::DescribeCluster(grpc::CallbackServerContext* context,
                                                           const grpc::ByteBuffer* request,
                                                           grpc::ByteBuffer* response) {
  return ServeUnary<v1::DescribeClusterRequest, v1::DescribeClusterResponse>(
      context, request, response, calls_, [this](auto call) {
        FillCluster(cluster_.GetServerInfo(), *topics_.image(), call->response);
        call->FinishRead(absl::OkStatus());
      });
}

grpc::ServerUnaryReactor* ClusterHandlers::CheckHealth(grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* request,
                                                       grpc::ByteBuffer* response) {
  return ServeUnary<v1::CheckHealthRequest, v1::CheckHealthResponse>(
      context, request, response, calls_, [this](auto call) {
        cluster_.CheckHealth([call](const broker::HealthReport& report) {
          call->response.set_is_healthy(report.problems.empty());
          for (const auto& problem : report.problems) {
            FillProblem(problem, *call->response.add_problems());
          }
          for (const auto& warning : report.warnings) {
            FillProblem(warning, *call->response.add_warnings());
          }
          for (const std::string& orphan : report.orphans) call->response.add_orphans(orphan);
          call->FinishRead(absl::OkStatus());
        });
      });
}

grpc::ServerUnaryReactor* ClusterHandlers::DeleteOrphan(grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* request,
                                                        grpc::ByteBuffer* response) {
  return ServeUnary<v1::DeleteOrphanRequest, v1::DeleteOrphanResponse>(
      context, request, response, calls_, [this](auto call) {
        const auto log = ParseTarget(call->request.topic_id(), call->request.partition());
        if (!log.ok()) return call->Finish(log.status());
        cluster_.DeleteOrphan(*log, [call](const absl::Status& status) { call->Finish(status); });
      });
}

}  // namespace talosmq::rpc
