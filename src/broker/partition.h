#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "broker/broker_metrics.h"
#include "broker/cluster.h"
#include "broker/corrupt_ranges.h"
#include "broker/fetch_waiters.h"
#include "broker/messages.h"
#include "broker/options.h"
#include "broker/pending_append.h"
#include "broker/pending_appends.h"
#include "broker/reopenable_log.h"
#include "broker/topics.h"
#include "metadata/cluster_image.h"
#include "metadata/metadata_store.h"
#include "replication/partition_leader.h"
#include "storage/log_store.h"
#include "talosmq/ids.h"

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::broker {

/// What is done to logs from time to time.
enum class Cleanup { kRetention, kCompaction };

/// One partition that this broker holds: drives its log and its PartitionLeader.
///
/// The log opens on first use; the leader epoch is claimed at the first append after that, and
/// appends that come meanwhile wait in their order.
///
/// Invariants:
/// 1. A batch is appended only under an epoch claimed by this object for the log as it is open now.
/// 2. Nothing at or above the high watermark is read, and no acks=all append is answered with OK
///    before the high watermark has passed it.
/// 3. Every callback runs exactly once, on the shard.
/// Confined to the shard. Owned by the PartitionTable and shared with requests on their way to the
/// shard; goes after Stop() or Retire() has called back.
/// Crash: nothing of its own; the high watermark of a sole replica is the recovered durable end.
class Partition final : private ReopenableLog::Owner {
 public:
  struct Dependencies {
    storage::LogStore& log_store;
    metadata::MetadataStore& metadata_store;
    base::Executor& shard;
    const base::Clock& clock;
    BrokerMetrics& metrics;
    const BrokerOptions& options;
  };

  /// What metadata says about it.
  struct Assignment {
    std::string name;  ///< "orders/3", for messages.
    metadata::PartitionImage image;
    std::string leader_address;
    storage::LogOptions log_options;
  };

  Partition(TopicPartition id, Assignment assignment, Dependencies dependencies);
  ~Partition() override;

  void Append(std::unique_ptr<PendingAppend> append);
  void Fetch(WaitingFetch fetch);
  void CancelFetch(FetchTicket ticket);
  void FindOffset(OffsetQuery query, base::Callback<OffsetOutcome> done);
  void FindHistory(const HistoryQuery& query, base::Callback<HistoryOutcome> done);
  void DescribeProducers(base::Callback<absl::StatusOr<std::vector<ProducerDescription>>> done);
  void DeleteRecords(std::optional<Offset> before, base::Callback<DeletionOutcome> done);
  void CleanUp(Cleanup work, absl::Time now, base::Callback<absl::Status> done);
  void Describe(base::Callback<PartitionDescription> done);
  /// Looks for damage that ends below `to` (the newest that is known, or what a read right below
  /// `to` meets) and answers with the offsets that a reader passes over who goes on at `to`.
  /// kOffsetOutOfRange; kInvalidArgument: there is none, or `to` lies inside of it.
  void FindDamageBelow(Offset to, base::Callback<absl::StatusOr<CorruptRange>> done);
  std::vector<HealthProblem> CheckHealth();

  /// Metadata has changed.
  void Adopt(Assignment assignment);

  /// Answers what waits with kShuttingDown, lets appended batches become durable and be
  /// acknowledged, closes the log, then runs `done`.
  void Stop(base::Task done);
  /// The topic is being deleted: answers everything with kTopicDeleting, closes the log, then runs
  /// `done`.
  void Retire(base::Task done);

 private:
  void OnLogOpened() override;
  void OnLogFailed(const absl::Status& status) override;
  void OnLogDurable() override;
  void OnLogDamaged(const absl::Status& damage) override;

  // Leadership.
  /// Opens the log and claims an epoch, as far as neither is done nor under way.
  void PrepareToLead();
  void OnEpochClaimed(const absl::StatusOr<LeaderEpoch>& claimed);

  // Appends.
  absl::Status CheckAppend(const PendingAppend& append) const;
  void Run(std::unique_ptr<PendingAppend> append);
  void Park(std::unique_ptr<PendingAppend> append);
  void Acknowledge(PendingAppend& append);
  void Refuse(PendingAppend& append, const absl::Status& status);
  absl::Status TooLate() const;
  void FailPending(const absl::Status& status);
  void RunPending();
  void Handle(const replication::LeaderOutput& output);

  // Reads.
  void TryFetch(WaitingFetch fetch);
  void Wait(WaitingFetch fetch, absl::Duration until);
  void ReadCommitted(WaitingFetch fetch);
  void AnswerFetch(WaitingFetch& fetch, storage::ReadResult result);
  void AnswerNothing(WaitingFetch& fetch);
  void RefuseFetch(WaitingFetch& fetch, const absl::Status& status);
  absl::StatusOr<CorruptRange> DamageBelow(Offset to) const;
  /// Damage that no operator has decided about. Counts it.
  std::vector<CorruptRanges::Known> OpenDamage();
  HistoryOutcome HistoryOf(LeaderEpoch asked) const;
  /// `end`: the high watermark that the answer holds for, which the search was bounded by.
  void AnswerOffset(absl::StatusOr<Offset> found, Offset end, base::Callback<OffsetOutcome> done);
  void AnswerDeletion(const absl::Status& status, base::Callback<DeletionOutcome> done);
  void WhenOpen(base::Callback<absl::Status> use);

  absl::Status CheckEpoch(LeaderEpoch known) const;
  /// Ends the term, if there is one, and answers everything that waits with `status`.
  void FailAll(const absl::Status& status);
  void FailWaiting(const absl::Status& status);
  void EndTerm(const absl::Status& status);
  void Close(base::Task done);
  void FinishClose();
  Offset log_start() const;

  const TopicPartition id_;
  Assignment assignment_;
  const Dependencies dependencies_;
  ReopenableLog log_;
  replication::PartitionLeader leader_;
  /// What clients are held to. Invariant: at least the image's and the last claimed one.
  LeaderEpoch epoch_;

  CorruptRanges corrupt_;
  int64_t open_damage_ = 0;  ///< As the metric was told.

  PendingAppends pending_;  ///< Until there is an epoch.
  absl::flat_hash_map<replication::AckTag, std::unique_ptr<PendingAppend>> parked_;
  uint64_t last_tag_ = 0;
  FetchWaiters fetches_;
  std::deque<base::Callback<absl::Status>> uses_;  ///< Until the log is open.

  bool is_claiming_ = false;
  absl::Status closed_;  ///< Not OK once stopped or retired: what every call is answered with.
  bool is_log_shut_ = false;
  base::Task close_done_;
};

}  // namespace talosmq::broker
