#include "broker/group_metrics.h"

namespace talosmq::broker {
namespace {

const std::string kLagName = "talosmq_group_lag_records";

base::MetricLabels LabelsOf(const GroupMetrics::LagKey& key) {
  return {{"group", key.group},
          {"topic", key.topic},
          {"partition", std::to_string(key.partition.value())}};
}

}  // namespace

GroupMetrics::GroupMetrics(base::MetricRegistry& registry)
    : registry_(registry),
      rebalances_(registry.AddCounter("talosmq_group_rebalances_total",
                                      "Times that a group's partitions were dealt anew.", {})),
      moves_(registry.AddCounter("talosmq_group_moved_partitions_total",
                                 "Times that a partition got an owner.", {})),
      expiries_(registry.AddCounter("talosmq_group_expired_members_total",
                                    "Members whose lease ended without a heartbeat.", {})),
      commits_(registry.AddCounter("talosmq_group_commits_total",
                                   "Committed offsets, of one partition each.", {})),
      members_(registry.AddGauge("talosmq_group_members", "Members of all groups.", {})) {}

void GroupMetrics::Count(const group::CoordinatorCounts& before,
                         const group::CoordinatorCounts& after) {
  const auto add = [&](base::Counter& counter, int64_t group::CoordinatorCounts::*field) {
    if (after.*field > before.*field) counter.Add(after.*field - before.*field);
  };
  add(rebalances_, &group::CoordinatorCounts::rebalances);
  add(moves_, &group::CoordinatorCounts::moves);
  add(expiries_, &group::CoordinatorCounts::expiries);
  add(commits_, &group::CoordinatorCounts::commits);
}

void GroupMetrics::SetLags(const Lags& lags, int64_t members) {
  members_.Set(static_cast<double>(members));
  std::erase_if(lags_, [&](const auto& known) {
    if (lags.contains(known.first)) return false;
    registry_.RemoveGauge(kLagName, LabelsOf(known.first));
    return true;
  });
  for (const auto& [key, lag] : lags) {
    if (!lags_.contains(key)) {
      if (lags_.size() >= kLagSeriesMax) continue;
      lags_[key] = &registry_.AddGauge(
          kLagName, "Records between a group's committed offset and the end of the partition.",
          LabelsOf(key));
    }
    lags_[key]->Set(static_cast<double>(lag));
  }
}

}  // namespace talosmq::broker
