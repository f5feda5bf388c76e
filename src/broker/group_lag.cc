#include "broker/group_lag.h"

#include "base/mutex.h"
#include "broker/countdown.h"

#include <algorithm>
#include <optional>

namespace talosmq::broker {

struct GroupLag::Measurement {
  /// What there is to read of a partition.
  struct Extent {
    Offset start;
    Offset end;
  };

  base::Gate::Pass pass;
  mutable base::Mutex mutex = {};
  std::map<std::string, group::Offsets> groups ABSL_GUARDED_BY(mutex) = {};
  int64_t members ABSL_GUARDED_BY(mutex) = 0;
  std::vector<TopicPartition> unasked = {};  ///< The next one last.
  std::map<TopicPartition, std::optional<Extent>> extents = {};
};

void GroupLag::Start() {
  if (is_stopped_) return;
  timer_ = dependencies_.admin_executor.PostAfter(kInterval, [this] { Measure(); });
}

void GroupLag::Stop() {
  is_stopped_ = true;
  dependencies_.admin_executor.Cancel(timer_);
}

void GroupLag::Measure() {
  std::optional<base::Gate::Pass> pass = dependencies_.admin_gate.Enter();
  if (is_stopped_ || !pass.has_value()) return;
  const std::shared_ptr<Measurement> measurement(new Measurement{.pass = *std::move(pass)});
  const auto coordinators = dependencies_.coordinators();
  const auto collected =
      Countdown::Start(static_cast<int64_t>(coordinators.size()) + 1, [this, measurement] {
        dependencies_.admin_executor.Post([this, measurement] {
          const base::MutexLock lock(measurement->mutex);
          for (const auto& [name, offsets] : measurement->groups) {
            for (const auto& [partition, value] : offsets) {
              if (measurement->extents.emplace(partition, std::nullopt).second) {
                measurement->unasked.push_back(partition);
              }
            }
          }
          dependencies_.admin_executor.Post([this, measurement] { AskNext(measurement); });
        });
      });
  for (const auto& [coordinator, executor] : coordinators) {
    executor->Post([coordinator = coordinator, measurement, collected] {
      const group::Coordinator* const core = coordinator->coordinator();
      if (core != nullptr) {
        std::map<std::string, group::Offsets> offsets = core->AllOffsets();
        const int64_t members = core->member_count();
        const base::MutexLock lock(measurement->mutex);
        measurement->groups.merge(offsets);
        measurement->members += members;
      }
      collected->PartDone();
    });
  }
  collected->PartDone();
}

void GroupLag::AskNext(std::shared_ptr<Measurement> measurement) {
  if (is_stopped_) return;
  if (measurement->unasked.empty()) {
    Tell(*measurement);
    return Start();
  }
  const TopicPartition partition = measurement->unasked.back();
  measurement->unasked.pop_back();
  dependencies_.messages.FindOffset(
      {.source = partition, .spec = FromEnd()},
      [this, partition, measurement](const OffsetOutcome& outcome) {
        dependencies_.admin_executor.Post([this, partition, measurement, outcome] {
          if (outcome.status.ok()) {
            measurement->extents[partition] =
                Measurement::Extent{.start = outcome.log_start, .end = outcome.offset};
          }
          AskNext(measurement);
        });
      });
}

void GroupLag::Tell(const Measurement& measurement) {
  const std::shared_ptr<const group::TopicCatalogue> topics = dependencies_.topics();
  GroupMetrics::Lags lags;
  std::map<std::string, std::map<TopicPartition, int64_t>> by_group;
  int64_t members = 0;
  {
    const base::MutexLock lock(measurement.mutex);
    members = measurement.members;
    for (const auto& [name, offsets] : measurement.groups) {
      for (const auto& [partition, value] : offsets) {
        const auto extent = measurement.extents.at(partition);
        const auto topic = topics->name_of.find(partition.topic_id);
        if (!extent || topic == topics->name_of.end()) continue;
        // What is no longer there is nobody's work.
        const int64_t lag =
            std::max<int64_t>(extent->end - std::max(value.offset, extent->start), 0);
        lags.emplace(
            GroupMetrics::LagKey{
                .group = name, .topic = topic->second, .partition = partition.partition},
            lag);
        by_group[name].emplace(partition, lag);
      }
    }
  }
  dependencies_.metrics.SetLags(lags, members);
  for (const auto& [coordinator, executor] : dependencies_.coordinators()) {
    executor->Post([coordinator = coordinator, by_group] { coordinator->OnLags(by_group); });
  }
}

}  // namespace talosmq::broker
