#include "base/status.h"
#include "cli/commands.h"
#include "cli/dump_document.h"

#include <string>

namespace talosmq::cli {
namespace {

struct DumpDescribeOptions {
  std::string name;
};

absl::StatusOr<Document> Describe(const std::string& name, Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_ASSIGN_OR_RETURN(const DumpInfo dump, admin->DescribeDump(name));
  Document document = SummarizeDump(dump);
  document["topic_id"] = dump.topic_id.ToString();
  document["configs"] = Document(dump.definition.configs);
  Document partitions = Document::array();
  for (const DumpPartition& partition : dump.partitions) {
    partitions.push_back({{"partition", partition.partition.value()},
                          {"next_offset", partition.next_offset.value()},
                          {"high_watermark", partition.high_watermark.value()},
                          {"lag_records", partition.lag_records}});
  }
  document["partitions"] = std::move(partitions);
  return document;
}

ExitStatus Run(const DumpDescribeOptions& options, Session& session) {
  return session.Finish(Describe(options.name, session));
}

}  // namespace

void AddDumpDescribe(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<DumpDescribeOptions>(
      parent, "describe", "Show a dump job and how far it is behind", Run, selected);
  command->add_option("NAME", options->name, "The job")->required();
  command->footer(
      "Examples:\n"
      "  talosmq dump describe orders-files\n"
      "  talosmq dump describe orders-files -o json | jq .lag_records");
}

}  // namespace talosmq::cli
