#include "cli/read_plan.h"

#include "base/status.h"
#include "base/text.h"

#include <algorithm>

namespace talosmq::cli {
namespace {

/// Where a place lies; may be outside of the log when it is an offset.
struct OffsetOf {
  const LogExtent& log;
  std::optional<Offset> found;  ///< Where its time is, when it is one.

  Offset operator()(AtStart) const { return log.start; }
  Offset operator()(AtEnd) const { return log.end; }
  Offset operator()(Offset offset) const { return offset; }
  Offset operator()(BeforeEnd before) const {
    return log.end - log.start > before.records ? log.end + -before.records : log.start;
  }
  Offset operator()(absl::Time) const { return found.value_or(log.end); }
};

}  // namespace

absl::StatusOr<ReadPlan> PlanRead(const OffsetRange& range, const std::vector<LogExtent>& logs,
                                  AtLogEnd at_end) {
  ReadPlan plan;
  for (const LogExtent& log : logs) {
    const Offset asked = std::visit(OffsetOf{log, log.from_time}, range.from);
    if (asked > log.end) {
      plan.notes.push_back(base::StrCat("partition ", log.partition.value(), " ends at ",
                                        log.end.value(), ", before the asked offset ",
                                        asked.value(), ", and is left out"));
      continue;
    }
    if (asked < log.start) {
      plan.notes.push_back(base::StrCat("partition ", log.partition.value(), " begins at ",
                                        log.start.value(), "; what was before it, from the asked ",
                                        asked.value(), " on, is gone"));
    }
    const Offset begin = std::max(asked, log.start);
    std::optional<Offset> stop;
    if (range.to.has_value()) stop = std::visit(OffsetOf{log, log.to_time}, *range.to);
    if (at_end == AtLogEnd::kStop) stop = std::min(stop.value_or(log.end), log.end);
    plan.partitions.push_back({.partition = log.partition, .begin = begin, .stop = stop});
  }
  if (plan.partitions.empty()) {
    std::string why;
    for (const std::string& note : plan.notes) why += (why.empty() ? "" : "; ") + note;
    return MakeError(Reason::kOffsetOutOfRange, base::StrCat("nothing to read: ", why));
  }
  return plan;
}

}  // namespace talosmq::cli
