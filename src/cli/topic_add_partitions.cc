#include "base/status.h"
#include "cli/commands.h"

#include <cstdint>
#include <string>

namespace talosmq::cli {
namespace {

struct TopicAddPartitionsOptions {
  std::string name;
  int32_t total = 0;
};

absl::StatusOr<Document> AddPartitions(const TopicAddPartitionsOptions& options, Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_RETURN_IF_ERROR(admin->AddPartitions(options.name, options.total));
  return Document{
      {"topic", options.name}, {"partitions", options.total}, {"result", "partitions added"}};
}

ExitStatus Run(const TopicAddPartitionsOptions& options, Session& session) {
  return session.Finish(AddPartitions(options, session));
}

}  // namespace

void AddTopicAddPartitions(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<TopicAddPartitionsOptions>(
      parent, "add-partitions",
      "Raise the number of partitions; keys may then go to other partitions than before", Run,
      selected);
  command->add_option("NAME", options->name, "The topic")->required();
  command->add_option("TOTAL", options->total, "How many there shall be in all, up to 10,000")
      ->required()
      ->check(Between(1, 10'000));
  command->footer(
      "Examples:\n"
      "  talosmq topic add-partitions orders 16");
}

}  // namespace talosmq::cli
