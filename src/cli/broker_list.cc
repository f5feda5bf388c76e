#include "base/status.h"
#include "cli/broker_document.h"
#include "cli/commands.h"

namespace talosmq::cli {
namespace {

struct BrokerListOptions {};

absl::StatusOr<Document> List(Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_ASSIGN_OR_RETURN(const ClusterInfo cluster, admin->DescribeCluster());
  return DescribeBrokers(cluster);
}

ExitStatus Run(const BrokerListOptions&, Session& session) { return session.Finish(List(session)); }

}  // namespace

void AddBrokerList(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<BrokerListOptions>(
      parent, "list", "List the brokers with their addresses and versions", Run, selected);
  command->footer(
      "Examples:\n"
      "  talosmq broker list");
}

}  // namespace talosmq::cli
