#include "broker/broker.h"

#include "base/check.h"
#include "base/gate.h"
#include "base/status.h"
#include "broker/broker_metrics.h"
#include "broker/cleanup_sweep.h"
#include "broker/cluster_core.h"
#include "broker/countdown.h"
#include "broker/group_core.h"
#include "broker/log_deletion.h"
#include "broker/message_core.h"
#include "broker/partition_table.h"
#include "broker/producer_ids.h"
#include "broker/sweep_clock.h"
#include "broker/topic_core.h"
#include "broker/user_core.h"
#include "controller/producer_id_blocks.h"
#include "controller/topic_controller.h"

#include <utility>

namespace talosmq::broker {
namespace {

/// The parts of a broker, made from its dependencies in the order in which they need each other.
class BrokerParts final : public Broker {
 public:
  BrokerParts(BrokerOptions options, Dependencies dependencies)
      : options_(std::move(options)),
        dependencies_(std::move(dependencies)),
        metrics_(dependencies_.metrics),
        partitions_({.log_store = dependencies_.log_store,
                     .metadata_store = dependencies_.metadata_store,
                     .images = dependencies_.images,
                     .shards = dependencies_.shards,
                     .clock = dependencies_.clock,
                     .metrics = metrics_,
                     .options = options_}),
        deletion_({.partitions = partitions_,
                   .log_store = dependencies_.log_store,
                   .controller = dependencies_.topic_controller,
                   .admin_executor = dependencies_.admin_executor,
                   .self = options_.id}),
        sweep_clock_(dependencies_.clock),
        retention_({.partitions = partitions_,
                    .log_store = dependencies_.log_store,
                    .images = dependencies_.images,
                    .admin_executor = dependencies_.admin_executor,
                    .admin_gate = *admin_gate_,
                    .clock = sweep_clock_,
                    .self = options_.id,
                    .work = Cleanup::kRetention,
                    .interval = options_.cleanup_interval}),
        compaction_({.partitions = partitions_,
                     .log_store = dependencies_.log_store,
                     .images = dependencies_.images,
                     .admin_executor = dependencies_.admin_executor,
                     .admin_gate = *admin_gate_,
                     .clock = sweep_clock_,
                     .self = options_.id,
                     .work = Cleanup::kCompaction,
                     .interval = options_.cleanup_interval}),
        id_blocks_(dependencies_.metadata_store, dependencies_.admin_executor),
        producer_ids_(id_blocks_),
        messages_({.partitions = partitions_,
                   .producer_ids = producer_ids_,
                   .admin_executor = dependencies_.admin_executor,
                   .admin_gate = *admin_gate_,
                   .clock = dependencies_.clock,
                   .metrics = metrics_}),
        topics_({.partitions = partitions_,
                 .controller = dependencies_.topic_controller,
                 .images = dependencies_.images,
                 .metadata_store = dependencies_.metadata_store,
                 .admin_executor = dependencies_.admin_executor,
                 .admin_gate = *admin_gate_,
                 .clock = dependencies_.clock,
                 .options = options_}),
        cluster_({.partitions = partitions_,
                  .log_store = dependencies_.log_store,
                  .metadata_store = dependencies_.metadata_store,
                  .images = dependencies_.images,
                  .admin_executor = dependencies_.admin_executor,
                  .admin_gate = *admin_gate_,
                  .clock = dependencies_.clock,
                  .options = options_}),
        groups_({.messages = messages_,
                 .metadata_store = dependencies_.metadata_store,
                 .images = dependencies_.images,
                 .controller = dependencies_.topic_controller,
                 .views = dependencies_.views,
                 .views_executor = dependencies_.views_executor,
                 .shards = dependencies_.shards,
                 .admin_executor = dependencies_.admin_executor,
                 .admin_gate = *admin_gate_,
                 .clock = dependencies_.clock,
                 .metrics = dependencies_.metrics,
                 .sweep_clock = sweep_clock_,
                 .options = options_.groups,
                 .self = options_.id}),
        users_({.metadata_store = dependencies_.metadata_store,
                .images = dependencies_.images,
                .admin_executor = dependencies_.admin_executor,
                .admin_gate = *admin_gate_,
                .clock = dependencies_.clock,
                .users_max = options_.users_max}) {}

  ~BrokerParts() override { TALOSMQ_CHECK(is_stopped_) << "a broker is stopped before it goes"; }

  void Follow() {
    // The publisher outlives the broker and keeps its listeners: the gate goes with the listener.
    dependencies_.images.AddListener(
        [this, gate = admin_gate_](const std::shared_ptr<const metadata::ClusterImage>& before,
                                   const std::shared_ptr<const metadata::ClusterImage>& after) {
          std::optional<base::Gate::Pass> pass = gate->Enter();
          if (!pass.has_value()) return;
          partitions_.Adopt(*before, *after);
          groups_.Adopt(*before, *after);
          dependencies_.admin_executor.Post(
              [this, pass = *std::move(pass), after] { deletion_.Adopt(after); });
        });
    dependencies_.admin_executor.Post([this, pass = *admin_gate_->Enter()] {
      retention_.Start();
      compaction_.Start();
      groups_.Start();
    });
  }

  MessageService& messages() override { return messages_; }
  TopicService& topics() override { return topics_; }
  ClusterService& cluster() override { return cluster_; }
  GroupService& groups() override { return groups_; }
  UserService& users() override { return users_; }

  void Stop(base::Task done) override {
    partitions_.RefuseRequests();
    const auto all = Countdown::Start(2, [this, done = std::move(done)]() mutable {
      dependencies_.admin_executor.Post([this, done = std::move(done)]() mutable {
        is_stopped_ = true;
        done();
      });
    });
    admin_gate_->Close([all] { all->PartDone(); });
    // A log that is being deleted is not one that partitions may still close: one after the other.
    dependencies_.admin_executor.Post([this, all] {
      retention_.Stop();
      compaction_.Stop();
      groups_.Stop([this, all] {
        dependencies_.admin_executor.Post([this, all] {
          deletion_.Stop([this, all] { partitions_.Stop([all] { all->PartDone(); }); });
        });
      });
    });
  }

 private:
  const BrokerOptions options_;
  const Dependencies dependencies_;
  /// Of everything that is not a request to a partition. Shared with the image listener.
  const std::shared_ptr<base::Gate> admin_gate_ = std::make_shared<base::Gate>();
  BrokerMetrics metrics_;
  PartitionTable partitions_;
  LogDeletion deletion_;
  SweepClock sweep_clock_;
  CleanupSweep retention_;
  CleanupSweep compaction_;
  controller::ProducerIdBlocks id_blocks_;
  ProducerIds producer_ids_;
  MessageCore messages_;
  TopicCore topics_;
  ClusterCore cluster_;
  GroupCore groups_;
  UserCore users_;
  std::atomic<bool> is_stopped_{false};
};

}  // namespace

absl::StatusOr<std::unique_ptr<Broker>> Broker::Start(BrokerOptions options,
                                                      Dependencies dependencies) {
  TALOSMQ_RETURN_IF_ERROR(CheckOptions(options));
  auto broker = std::make_unique<BrokerParts>(std::move(options), std::move(dependencies));
  broker->Follow();
  return broker;
}

}  // namespace talosmq::broker
