#include "cli/dump_document.h"

#include "base/check.h"
#include "base/status.h"
#include "base/text.h"

namespace talosmq::cli {
namespace {

std::string_view FormatName(DumpFormat format) {
  switch (format) {
    case DumpFormat::kJson:
      return "json";
    case DumpFormat::kRaw:
      return "raw";
  }
  TALOSMQ_CHECK(false) << "no such format";
  return "";
}

std::string_view StateName(DumpState state) {
  switch (state) {
    case DumpState::kRunning:
      return "running";
    case DumpState::kPaused:
      return "paused";
    case DumpState::kFailed:
      return "failed";
  }
  TALOSMQ_CHECK(false) << "no such state";
  return "";
}

}  // namespace

absl::StatusOr<DumpFormat> ParseDumpFormat(std::string_view name) {
  if (name == "json") return DumpFormat::kJson;
  if (name == "raw") return DumpFormat::kRaw;
  return MakeError(Reason::kInvalidArgument,
                   base::StrCat("'", name, "' is no format of a dump; there are json and raw"));
}

Document SummarizeDump(const DumpInfo& dump) {
  int64_t lag_records = 0;
  for (const DumpPartition& partition : dump.partitions) lag_records += partition.lag_records;
  return {{"dump", dump.definition.name},
          {"topic", dump.definition.topic},
          {"target", dump.definition.target},
          {"format", FormatName(dump.definition.format)},
          {"state", StateName(dump.state)},
          {"lag_records", lag_records},
          {"files_published", dump.files_published},
          {"records_published", dump.records_published},
          {"bytes_published", dump.bytes_published},
          {"offsets_skipped", dump.offsets_skipped},
          {"error", dump.error.empty() ? Document() : Document(dump.error)}};
}

}  // namespace talosmq::cli
