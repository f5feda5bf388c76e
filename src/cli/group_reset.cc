#include "base/status.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/offset_range.h"

#include <cstdint>
#include <optional>
#include <string>

namespace talosmq::cli {
namespace {

struct GroupResetOptions {
  std::string group;
  std::string topic;
  std::string to;
  std::optional<int32_t> partition;
  bool force = false;
};

absl::StatusOr<Document> Reset(const GroupResetOptions& options, Position to, Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  GroupReset reset{
      .group = options.group, .topic = options.topic, .to = to, .force = options.force};
  if (options.partition.has_value()) reset.partition = PartitionId(*options.partition);
  TALOSMQ_ASSIGN_OR_RETURN(const auto offsets, admin->ResetGroupOffsets(reset));
  Document partitions = Document::array();
  for (const auto& [partition, offset] : offsets) {
    partitions.push_back({{"partition", partition.value()}, {"committed", offset.value()}});
  }
  return Document{{"group", options.group},
                  {"topic", options.topic},
                  {"result", "reset"},
                  {"partitions", std::move(partitions)}};
}

ExitStatus Run(const GroupResetOptions& options, Session& session) {
  const auto to = ParsePosition(options.to, session.clock().Now());
  if (!to.ok()) {
    return session.FailUsage(base::StrCat("--offset: ", base::FromAbsl(to.status().message())));
  }
  return session.Finish(Reset(options, *to, session));
}

}  // namespace

void AddGroupReset(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<GroupResetOptions>(
      parent, "reset", "Set where a group goes on with a topic", Run, selected);
  command->add_option("GROUP", options->group, "The group")->required();
  command->add_option("TOPIC", options->topic, "The topic")->required();
  command
      ->add_option("-O,--offset", options->to,
                   "Where each partition goes on: start, end, an offset N, or @TIME (the first "
                   "record stamped then or later)")
      ->type_name("PLACE")
      ->required();
  command->add_option("--partition", options->partition, "Reset this one only; default: all")
      ->check(Between(0, 9'999));
  command->add_flag("--force", options->force,
                    "Also while the group has members: each lets go of these partitions and gets "
                    "them again; default: refuse");
  command->footer(
      "A TIME is written as for `talosmq consume`.\n"
      "\n"
      "Examples:\n"
      "  talosmq group reset billing orders -O start\n"
      "  talosmq group reset billing orders -O @-1h --force\n"
      "  talosmq group reset billing orders -O 1500 --partition 3");
}

}  // namespace talosmq::cli
