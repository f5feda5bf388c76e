#include "loadgen/run_result.h"

#include "base/check.h"

#include <algorithm>

namespace talosmq::loadgen {
namespace {

constexpr double kBytesPerMegabyte = 1e6;

double PerSecond(double amount, absl::Duration took) {
  return took > absl::ZeroDuration() ? amount / absl::ToDoubleSeconds(took) : 0;
}

}  // namespace

double RunResult::records_per_second() const {
  return PerSecond(static_cast<double>(records), took);
}

double RunResult::megabytes_per_second() const {
  return PerSecond(static_cast<double>(bytes) / kBytesPerMegabyte, took);
}

RunSummary Summarize(std::vector<RunResult> runs) {
  TALOSMQ_CHECK(!runs.empty());
  std::sort(runs.begin(), runs.end(), [](const RunResult& a, const RunResult& b) {
    return a.records_per_second() < b.records_per_second();
  });
  return {.median = runs[(runs.size() - 1) / 2],
          .records_per_second_min = runs.front().records_per_second(),
          .records_per_second_max = runs.back().records_per_second()};
}

}  // namespace talosmq::loadgen
