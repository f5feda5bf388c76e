#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "base/gate.h"
#include "broker/cluster.h"
#include "broker/options.h"
#include "broker/partition_table.h"
#include "metadata/image_publisher.h"
#include "metadata/metadata_store.h"
#include "storage/log_store.h"

#include "absl/time/time.h"

namespace talosmq::broker {

/// ClusterService: who this is, what ails it, and the end of orphans. Thread-safe. Borrows what it
/// is made of.
class ClusterCore final : public ClusterService {
 public:
  struct Dependencies {
    PartitionTable& partitions;
    storage::LogStore& log_store;
    metadata::MetadataStore& metadata_store;
    metadata::ImagePublisher& images;
    base::Executor& admin_executor;  ///< Lists folders, which blocks on the disk.
    base::Gate& admin_gate;
    const base::Clock& clock;
    const BrokerOptions& options;
  };

  explicit ClusterCore(Dependencies dependencies)
      : dependencies_(dependencies), started_(dependencies.clock.Monotonic()) {}

  ServerInfo GetServerInfo() const override;
  void CheckHealth(base::Callback<HealthReport> done) override;
  void DeleteOrphan(const TopicPartition& log, base::Callback<absl::Status> done) override;

 private:
  /// What can be told without asking the partitions.
  HealthReport CheckDisk() const;
  void DeleteOrphanNow(const TopicPartition& log, base::Gate::Pass pass,
                       base::Callback<absl::Status> done);

  const Dependencies dependencies_;
  const absl::Duration started_;  ///< By the monotonic clock.
};

}  // namespace talosmq::broker
