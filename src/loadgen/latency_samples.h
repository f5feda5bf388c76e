#pragma once

#include "absl/time/time.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace talosmq::loadgen {

struct LatencySummary {
  absl::Duration p50;
  absl::Duration p99;
  absl::Duration p999;
  absl::Duration max;
};

/// Latencies of one run. Keeps every one up to kSamplesMax; beyond it every second is dropped and
/// from then on only every second (fourth, ...) kept, so that memory stays bounded; the maximum is
/// exact always. Thread-compatible.
class LatencySamples {
 public:
  static constexpr size_t kSamplesMax = size_t{1} << 21;

  void Add(absl::Duration latency);
  int64_t count() const { return count_; }
  /// The smallest sample that at least the given share of all samples does not exceed; zeros when
  /// there is none.
  LatencySummary Summarize() const;

 private:
  void Thin();

  std::vector<int64_t> nanoseconds_;
  int64_t stride_ = 1;
  int64_t count_ = 0;
  int64_t max_ns_ = 0;
};

}  // namespace talosmq::loadgen
