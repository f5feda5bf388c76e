#include "base/status.h"
#include "cli/commands.h"

#include <cstdint>
#include <limits>
#include <string>

namespace talosmq::cli {
namespace {

struct TopicTrimOptions {
  std::string name;
  int32_t partition = 0;
  int64_t before = 0;
};

absl::StatusOr<Document> Trim(const TopicTrimOptions& options, Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_ASSIGN_OR_RETURN(
      const Offset log_start,
      admin->DeleteRecords(options.name, PartitionId(options.partition), Offset(options.before)));
  return Document{{"topic", options.name},
                  {"partition", options.partition},
                  {"log_start_offset", log_start.value()},
                  {"result", "trimmed"}};
}

ExitStatus Run(const TopicTrimOptions& options, Session& session) {
  return session.Finish(Trim(options, session));
}

}  // namespace

void AddTopicTrim(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<TopicTrimOptions>(
      parent, "trim", "Delete the oldest records of a partition, for good", Run, selected);
  command->add_option("NAME", options->name, "The topic")->required();
  command->add_option("--partition", options->partition, "The partition")
      ->required()
      ->check(Between(0, 9'999));
  command
      ->add_option("--before", options->before,
                   "The first record that stays; at most the end of the partition")
      ->required()
      ->check(Between(0, std::numeric_limits<int64_t>::max()));
  command->footer(
      "Examples:\n"
      "  talosmq topic trim orders --partition 0 --before 15000");
}

}  // namespace talosmq::cli
