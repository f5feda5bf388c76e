#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "broker/cluster.h"
#include "broker/groups.h"
#include "broker/messages.h"
#include "broker/options.h"
#include "broker/topics.h"
#include "broker/users.h"
#include "group/offset_view.h"
#include "metadata/image_publisher.h"
#include "metadata/metadata_store.h"
#include "storage/log_store.h"

#include "absl/status/statusor.h"

#include <memory>
#include <vector>

namespace talosmq::controller {
class TopicController;
}

namespace talosmq::broker {

/// One broker: the five services that the fronts call, over the partitions that it leads and the
/// logs of one data directory.
///
/// Invariants:
/// 1. A partition lives on one shard and is reached by tasks only.
/// 2. A log is deleted only because a deletion record or an operator names it; the operator's
///    command takes none that a topic owns (G10).
/// Thread-safe. Owns partitions and services; borrows everything in Dependencies, which outlives it
/// (the executors run until Stop() has called back).
/// Crash: nothing of its own is on disk; logs and metadata are, and deletions under way resume.
class Broker {
 public:
  struct Dependencies {
    storage::LogStore& log_store;
    metadata::MetadataStore& metadata_store;
    metadata::ImagePublisher& images;  ///< Ready: current() is not null.
    controller::TopicController& topic_controller;
    group::OffsetViews& views;            ///< Of the internal topics; may be lost at any time.
    base::Executor& views_executor;       ///< Where `views` is read and written.
    std::vector<base::Executor*> shards;  ///< At least one; each partition lives on one of them.
    base::Executor& admin_executor;       ///< Topic changes, deletions, producer ids, health.
    base::Clock& clock;
    base::MetricRegistry& metrics;
  };

  /// Begins to serve and to carry out deletions that were under way. Fails with kInvalidArgument
  /// for options out of range.
  static absl::StatusOr<std::unique_ptr<Broker>> Start(BrokerOptions options,
                                                       Dependencies dependencies);
  virtual ~Broker() = default;

  virtual MessageService& messages() = 0;
  virtual TopicService& topics() = 0;
  virtual ClusterService& cluster() = 0;
  virtual GroupService& groups() = 0;
  virtual UserService& users() = 0;

  /// Refuses new work with kShuttingDown, answers all that waits with it, lets appends that have
  /// begun become durable, closes the logs, then runs `done` on an executor of the dependencies.
  /// Once; before the destructor.
  virtual void Stop(base::Task done) = 0;
};

}  // namespace talosmq::broker
