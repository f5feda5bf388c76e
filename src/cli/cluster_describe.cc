#include "base/status.h"
#include "cli/broker_document.h"
#include "cli/commands.h"

namespace talosmq::cli {
namespace {

struct ClusterDescribeOptions {};

absl::StatusOr<Document> Describe(Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_ASSIGN_OR_RETURN(const ClusterInfo cluster, admin->DescribeCluster());
  return Document{
      {"cluster_id", cluster.cluster_id},         {"metadata_store", cluster.metadata_store},
      {"data_directory", cluster.data_directory}, {"topics", cluster.topics},
      {"partitions", cluster.partitions},         {"brokers", DescribeBrokers(cluster)}};
}

ExitStatus Run(const ClusterDescribeOptions&, Session& session) {
  return session.Finish(Describe(session));
}

}  // namespace

void AddClusterDescribe(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<ClusterDescribeOptions>(
      parent, "describe", "Show the cluster and its brokers", Run, selected);
  command->footer(
      "Examples:\n"
      "  talosmq cluster describe\n"
      "  talosmq --server 10.0.0.7:9191 cluster describe -o yaml");
}

}  // namespace talosmq::cli
