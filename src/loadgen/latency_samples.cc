#include "loadgen/latency_samples.h"

#include <algorithm>
#include <cmath>

namespace talosmq::loadgen {
namespace {

absl::Duration Quantile(const std::vector<int64_t>& sorted_ns, double share) {
  const auto size = static_cast<double>(sorted_ns.size());
  const auto rank = static_cast<size_t>(std::ceil(share * size));
  return absl::Nanoseconds(sorted_ns[std::max<size_t>(rank, 1) - 1]);
}

}  // namespace

void LatencySamples::Add(absl::Duration latency) {
  const int64_t nanoseconds = absl::ToInt64Nanoseconds(latency);
  max_ns_ = std::max(max_ns_, nanoseconds);
  if (count_++ % stride_ != 0) return;
  if (nanoseconds_.size() == kSamplesMax) Thin();
  nanoseconds_.push_back(nanoseconds);
}

LatencySummary LatencySamples::Summarize() const {
  if (nanoseconds_.empty()) return {};
  std::vector<int64_t> sorted = nanoseconds_;
  std::sort(sorted.begin(), sorted.end());
  return {.p50 = Quantile(sorted, 0.5),
          .p99 = Quantile(sorted, 0.99),
          .p999 = Quantile(sorted, 0.999),
          .max = absl::Nanoseconds(max_ns_)};
}

void LatencySamples::Thin() {
  for (size_t i = 0; 2 * i < nanoseconds_.size(); ++i) nanoseconds_[i] = nanoseconds_[2 * i];
  nanoseconds_.resize(nanoseconds_.size() / 2);
  stride_ *= 2;
}

}  // namespace talosmq::loadgen
