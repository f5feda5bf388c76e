#include "base/status.h"
#include "cli/commands.h"

#include <cstdint>
#include <string>

namespace talosmq::cli {
namespace {

struct PartitionSkipCorruptOptions {
  std::string topic;
  int32_t partition = 0;
  int64_t to = 0;
};

absl::StatusOr<Document> Skip(const PartitionSkipCorruptOptions& options, Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_ASSIGN_OR_RETURN(
      const CorruptRange skipped,
      admin->SkipCorrupt(options.topic, PartitionId(options.partition), Offset(options.to)));
  return Document{{"topic", options.topic},
                  {"partition", options.partition},
                  {"first_offset", skipped.first.value()},
                  {"next_offset", skipped.next.value()},
                  {"result", "readers pass over these offsets"}};
}

ExitStatus Run(const PartitionSkipCorruptOptions& options, Session& session) {
  return session.Finish(Skip(options, session));
}

}  // namespace

void AddPartitionSkipCorrupt(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<PartitionSkipCorruptOptions>(
      parent, "skip-corrupt", "Let readers pass over damaged offsets, for good", Run, selected);
  command->add_option("TOPIC", options->topic, "The topic")->required();
  command->add_option("PARTITION", options->partition, "The partition")
      ->required()
      ->check(AtLeast(0));
  command
      ->add_option("--to", options->to,
                   "Where readers go on: the next readable offset behind the damage, which the "
                   "refusal and `cluster health` name, or a later one")
      ->required()
      ->check(AtLeast(0));
  command->footer(
      "From then on whoever reads at an offset from the damage up to --to, a consumer or a dump\n"
      "job, gets the records from --to on. The damaged bytes stay on the disk, and the decision\n"
      "in the metadata: it holds after restarts, and `cluster health` and `topic describe` show\n"
      "it. It is about the last damage below --to only; earlier damage takes its own decision.\n"
      "\n"
      "Examples:\n"
      "  talosmq partition skip-corrupt orders 3 --to 1207");
}

}  // namespace talosmq::cli
