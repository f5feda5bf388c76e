#include "base/status.h"
#include "cli/commands.h"

namespace talosmq::cli {
namespace {

struct ClusterHealthOptions {};

absl::StatusOr<ClusterHealth> Check(Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  return admin->CheckHealth();
}

Document Describe(const std::vector<HealthProblem>& problems) {
  Document list = Document::array();
  for (const HealthProblem& problem : problems) {
    list.push_back({{"object", problem.object}, {"problem", problem.problem}});
  }
  return list;
}

Document Describe(const ClusterHealth& health) {
  return {{"is_healthy", health.is_healthy},
          {"problems", Describe(health.problems)},
          {"warnings", Describe(health.warnings)},
          {"orphans", health.orphans}};
}

ExitStatus Run(const ClusterHealthOptions&, Session& session) {
  const absl::StatusOr<ClusterHealth> health = Check(session);
  if (!health.ok()) return session.Fail(health.status());
  const ExitStatus printed = session.Finish(Describe(*health));
  return health->is_healthy ? printed : ExitStatus::kFailed;
}

}  // namespace

void AddClusterHealth(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<ClusterHealthOptions>(
      parent, "health", "Show what is wrong; status 1 when something is", Run, selected);
  command->footer(
      "Examples:\n"
      "  talosmq cluster health\n"
      "  talosmq cluster health -o json || page-somebody");
}

}  // namespace talosmq::cli
