#pragma once

#include "base/executor.h"
#include "base/gate.h"
#include "broker/group_coordinator.h"
#include "broker/group_metrics.h"
#include "broker/messages.h"
#include "group/topic_catalogue.h"
#include "talosmq/ids.h"

#include "absl/time/time.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::broker {

/// Measures how far groups are behind: every kInterval the committed offsets of all coordinators
/// that are active against the ends of their partitions, one after another. Tells the metrics and
/// the coordinators.
/// Confined to the admin executor. Borrows what it is made of; goes after Stop(), once the gate is
/// closed and empty.
class GroupLag {
 public:
  static constexpr absl::Duration kInterval = absl::Seconds(10);

  struct Dependencies {
    MessageService& messages;
    GroupMetrics& metrics;
    base::Executor& admin_executor;
    base::Gate& admin_gate;  ///< Held by a measurement under way.
    /// Those there are, each with the executor it is confined to.
    std::function<std::vector<std::pair<std::shared_ptr<GroupCoordinator>, base::Executor*>>()>
        coordinators;
    std::function<std::shared_ptr<const group::TopicCatalogue>()> topics;
  };

  explicit GroupLag(Dependencies dependencies) : dependencies_(std::move(dependencies)) {}

  /// Begins with the first measurement in one interval from now.
  void Start();
  void Stop();

 private:
  struct Measurement;

  void Measure();
  void AskNext(std::shared_ptr<Measurement> measurement);
  void Tell(const Measurement& measurement);

  const Dependencies dependencies_;
  base::TimerId timer_ = base::TimerId::kNone;
  bool is_stopped_ = false;
};

}  // namespace talosmq::broker
