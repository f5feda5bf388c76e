#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "base/gate.h"
#include "base/mutex.h"
#include "broker/broker_metrics.h"
#include "broker/cluster.h"
#include "broker/options.h"
#include "broker/partition.h"
#include "broker/pending_append.h"
#include "broker/topic_settings.h"
#include "metadata/image_publisher.h"
#include "metadata/metadata_store.h"
#include "storage/log_store.h"
#include "talosmq/ids.h"

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace talosmq::broker {

/// The partitions of this broker, each made at its first use and placed on one of the shards.
///
/// Invariants:
/// 1. A partition is found only as the newest image shows it: known topic id, not being deleted,
///    led by this broker.
/// 2. Once a topic was retired, its partitions are never made again: the image that says
///    "deleting" is looked at under the same lock under which they are made.
/// Thread-safe. Owns the partitions (see Route for who shares them). Destroyed only after Stop()
/// has called back.
class PartitionTable {
 public:
  struct Dependencies {
    storage::LogStore& log_store;
    metadata::MetadataStore& metadata_store;
    metadata::ImagePublisher& images;
    std::vector<base::Executor*> shards;
    const base::Clock& clock;
    BrokerMetrics& metrics;
    const BrokerOptions& options;
  };

  /// The way to a partition, for one request. While it lives, Stop() waits.
  struct Route {
    /// Shared so that a request on its way to the shard finds the partition alive, if only to be
    /// told that its topic is being deleted.
    std::shared_ptr<Partition> partition;
    std::shared_ptr<const TopicSettings> settings;
    base::Executor& shard;
    AppendBudget& append_budget;
    base::Gate::Pass pass;
  };

  explicit PartitionTable(Dependencies dependencies);

  /// kUnknownTopicId, kTopicDeleting, kUnknownPartition, kNotLeader with the leader's address, or
  /// kShuttingDown.
  absl::StatusOr<Route> Find(const TopicPartition& id);
  void CancelFetches(const std::vector<NamedFetch>& fetches);

  /// Whether anything has used the partition since the start.
  bool IsUsed(const TopicPartition& id);
  /// As Partition::CleanUp; opens the log when need be. Answers on the shard or, with an error of
  /// Find(), at once.
  void CleanUp(const TopicPartition& id, Cleanup work, absl::Time now,
               base::Callback<absl::Status> done);

  /// Tells the partitions in use what has changed from `before` to `after`.
  void Adopt(const metadata::ClusterImage& before, const metadata::ClusterImage& after);

  /// Closes the partitions of a topic that the newest image shows as being deleted, or not at all;
  /// runs `done` on a shard when their logs are closed.
  void RetireTopic(const TopicId& id, base::Task done);

  /// What ails partitions, in no particular order; answers on a shard.
  void CollectProblems(base::Callback<std::vector<HealthProblem>> done);

  /// From now on every request is refused with kShuttingDown.
  void RefuseRequests();
  /// After that: stops every partition, then runs `done` once the last Route is gone.
  void Stop(base::Task done);

 private:
  /// One executor and what lives on it. Requests of different shards share no lock.
  struct Shard {
    Shard(base::Executor& shard_executor, int64_t append_bytes_max)
        : executor(shard_executor), append_budget(append_bytes_max) {}
    base::Executor& executor;
    AppendBudget append_budget;
    base::Gate gate;
    base::Mutex mutex;
    bool is_stopped ABSL_GUARDED_BY(mutex) = false;
    absl::flat_hash_map<TopicPartition, std::shared_ptr<Partition>> partitions
        ABSL_GUARDED_BY(mutex);
    absl::flat_hash_map<TopicId, std::shared_ptr<const TopicSettings>> settings
        ABSL_GUARDED_BY(mutex);
  };

  Shard& ShardOf(const TopicPartition& id);
  static std::shared_ptr<const TopicSettings> SettingsLocked(
      Shard& shard, const std::shared_ptr<const metadata::TopicImage>& topic)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  void AdoptTopic(const metadata::ClusterImage& image, const metadata::TopicImage& before,
                  const std::shared_ptr<const metadata::TopicImage>& after);
  /// Never makes a partition.
  void PostIfUsed(const TopicPartition& id, base::Callback<Partition&> action);
  static std::vector<std::shared_ptr<Partition>> UsedOn(Shard& shard);
  static void StopShard(Shard& shard, base::Task done);

  const Dependencies dependencies_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace talosmq::broker
