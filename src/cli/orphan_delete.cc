#include "base/status.h"
#include "base/text.h"
#include "cli/commands.h"

#include <string_view>

namespace talosmq::cli {
namespace {

struct OrphanDeleteOptions {
  TopicPartition log;
};

absl::StatusOr<TopicPartition> ParseOrphanId(std::string_view text) {
  if (const auto log = TopicPartition::Parse(text)) return *log;
  return MakeError(Reason::kInvalidArgument,
                   base::StrCat("expected an id of 'talosmq orphan list', TOPIC_ID/PARTITION, "
                                "found '",
                                text, "'"));
}

absl::StatusOr<Document> Delete(const TopicPartition& log, Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_RETURN_IF_ERROR(admin->DeleteOrphan(log));
  return Document{{"id", log.ToString()}, {"result", "deleted"}};
}

ExitStatus Run(const OrphanDeleteOptions& options, Session& session) {
  return session.Finish(Delete(options.log, session));
}

}  // namespace

void AddOrphanDelete(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<OrphanDeleteOptions>(
      parent, "delete", "Delete a log on disk that belongs to no topic, for good", Run, selected);
  AddParsed(*command, "ID", options->log, ParseOrphanId,
            "The log, as 'talosmq orphan list' names it: TOPIC_ID/PARTITION")
      ->required();
  command->footer(
      "A log that belongs to a topic is refused: it goes with its topic. What may be left of a "
      "lost\n"
      "metadata store is better copied away first.\n"
      "\n"
      "Examples:\n"
      "  talosmq orphan delete 01234567-89ab-cdef-0123-456789abcdef/0");
}

}  // namespace talosmq::cli
