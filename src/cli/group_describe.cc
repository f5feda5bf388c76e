#include "base/status.h"
#include "cli/commands.h"
#include "cli/group_document.h"

#include <string>

namespace talosmq::cli {
namespace {

struct GroupDescribeOptions {
  std::string group;
};

absl::StatusOr<Document> Describe(const std::string& name, Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_ASSIGN_OR_RETURN(const GroupInfo group, admin->DescribeGroup(name));
  return DescribeGroup(group);
}

ExitStatus Run(const GroupDescribeOptions& options, Session& session) {
  return session.Finish(Describe(options.group, session));
}

}  // namespace

void AddGroupDescribe(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<GroupDescribeOptions>(
      parent, "describe", "Show a group with its members, offsets and lag", Run, selected);
  command->add_option("GROUP", options->group, "The group")->required();
  command->footer(
      "committed is the next record that the group reads, end the partition's end, lag what lies\n"
      "between.\n"
      "\n"
      "Examples:\n"
      "  talosmq group describe billing\n"
      "  talosmq group describe billing -o json | jq '.partitions[].lag'");
}

}  // namespace talosmq::cli
