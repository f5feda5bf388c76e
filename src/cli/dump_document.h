#pragma once

#include "cli/document.h"
#include "talosmq/admin.h"

#include <cstdint>
#include <string_view>

namespace talosmq::cli {

/// "json" or "raw".
absl::StatusOr<DumpFormat> ParseDumpFormat(std::string_view name);

/// A job without its partitions: a row of `dump list`, the head of `dump describe`.
Document SummarizeDump(const DumpInfo& dump);

}  // namespace talosmq::cli
