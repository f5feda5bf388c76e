#pragma once

#include "loadgen/latency_samples.h"

#include "absl/time/time.h"

#include <cstdint>
#include <vector>

namespace talosmq::loadgen {

/// What one run of a bench has measured.
struct RunResult {
  int64_t records = 0;
  int64_t bytes = 0;  ///< Of values.
  absl::Duration took;
  LatencySummary latency;

  double records_per_second() const;
  double megabytes_per_second() const;
};

/// Several runs of the same bench.
struct RunSummary {
  RunResult median;  ///< The run in the middle by records_per_second; the slower of two.
  double records_per_second_min = 0;
  double records_per_second_max = 0;
};

/// At least one run.
RunSummary Summarize(std::vector<RunResult> runs);

}  // namespace talosmq::loadgen
