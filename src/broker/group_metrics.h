#pragma once

#include "base/metrics.h"
#include "group/output.h"
#include "talosmq/ids.h"

#include <cstdint>
#include <map>
#include <string>

namespace talosmq::broker {

/// What is counted of groups. Borrows the registry.
class GroupMetrics {
 public:
  /// Series of lag beyond it are left out: a group of 10,000 partitions has as many.
  static constexpr size_t kLagSeriesMax = 50'000;

  explicit GroupMetrics(base::MetricRegistry& registry);

  /// Adds what has happened from `before` to `after`. Thread-safe.
  void Count(const group::CoordinatorCounts& before, const group::CoordinatorCounts& after);

  struct LagKey {
    std::string group;
    std::string topic;
    PartitionId partition;
    friend auto operator<=>(const LagKey&, const LagKey&) = default;
  };
  using Lags = std::map<LagKey, int64_t>;
  /// The lag of all groups as of now, in records, and how many members there are; what is not there
  /// any more is no longer exported. Confined to one executor.
  void SetLags(const Lags& lags, int64_t members);

 private:
  base::MetricRegistry& registry_;
  base::Counter& rebalances_;
  base::Counter& moves_;
  base::Counter& expiries_;
  base::Counter& commits_;
  base::Gauge& members_;
  std::map<LagKey, base::Gauge*> lags_;
};

}  // namespace talosmq::broker
