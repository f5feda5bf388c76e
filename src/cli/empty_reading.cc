#include "cli/empty_reading.h"

#include "base/text.h"
#include "cli/time_text.h"

#include <algorithm>
#include <cstdint>

namespace talosmq::cli {
namespace {

/// Beyond so many a list of partitions tells nobody anything.
constexpr size_t kPartitionsToldMax = 4;

std::string DescribeExtents(const std::vector<LogExtent>& logs) {
  std::string text;
  for (size_t i = 0; i < std::min(logs.size(), kPartitionsToldMax); ++i) {
    const LogExtent& log = logs[i];
    text += base::StrCat(text.empty() ? "" : ", ", "partition ", log.partition.value(), ": ");
    text += log.start == log.end ? "none"
                                 : base::StrCat(log.start.value(), " to ", log.end.value() - 1);
  }
  return text + (logs.size() > kPartitionsToldMax ? ", ..." : "");
}

bool AllOf(const std::vector<LogExtent>& logs, bool (*holds)(const LogExtent&)) {
  return std::all_of(logs.begin(), logs.end(), holds);
}

}  // namespace

std::string WhyNothingWasRead(std::string_view where, std::string_view text,
                              const OffsetRange& range, const std::vector<LogExtent>& logs) {
  if (AllOf(logs, [](const LogExtent& log) { return log.start == log.end; })) {
    const bool held_some = !AllOf(logs, [](const LogExtent& log) { return log.end == Offset(0); });
    return base::StrCat(where, held_some ? " holds no records any more" : " holds no records");
  }
  if (std::holds_alternative<AtEnd>(range.from)) {
    return base::StrCat("the range ", text, " begins after the last record of ", where);
  }
  const auto* const from = std::get_if<absl::Time>(&range.from);
  if (from != nullptr && AllOf(logs, [](const LogExtent& log) {
        return log.from_time.value_or(log.end) >= log.end;
      })) {
    return base::StrCat("no record of ", where, " is stamped at or after ", TimeText(*from));
  }
  const auto* const to = range.to.has_value() ? std::get_if<absl::Time>(&*range.to) : nullptr;
  if (to != nullptr && AllOf(logs, [](const LogExtent& log) {
        return log.to_time.value_or(log.end) <= log.start;
      })) {
    return base::StrCat("no record of ", where, " is stamped before ", TimeText(*to));
  }
  int64_t held = 0;
  for (const LogExtent& log : logs) held += log.end - log.start;
  return base::StrCat("none of the ", held, " records of ", where, " lies in the range ", text,
                      " (offsets of ", DescribeExtents(logs), ")");
}

}  // namespace talosmq::cli
