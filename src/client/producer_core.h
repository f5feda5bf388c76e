#pragma once

#include "base/mutex.h"
#include "client/buffer_budget.h"
#include "client/client_core.h"
#include "client/flush_tracker.h"
#include "client/partition_sender.h"
#include "talosmq/producer.h"

#include "absl/status/statusor.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace talosmq::client {

/// The asynchronous producer: Send never waits, deliveries and the ends of Flush and Close come as
/// callbacks on the client's executor.
///
/// Invariants:
/// 1. Every record that TrySend accepted gets exactly one Delivery, whatever happens, as long as
/// the
///    executor runs; each partition's deliveries come in the order in which its batches settled.
/// 2. What is accepted and not delivered, or still held by the network, is within buffer_bytes.
/// TrySend is thread-safe and runs on the caller's thread; it wakes the executor at most once per
/// batch. The rest is confined to the executor unless it says otherwise. Shared by the facade and
/// the callbacks under way; lives inside its ClientCore.
class ProducerCore final : public SenderHost, public std::enable_shared_from_this<ProducerCore> {
 public:
  using Created = base::Callback<absl::StatusOr<std::shared_ptr<ProducerCore>>>;

  /// Checks the options, looks the topic up and fetches an identity, again and again until the
  /// client's request_timeout. Thread-safe; `done` runs on the executor, or within the call when
  /// the options are wrong.
  static void Create(ClientCore& core, std::string topic, ProducerOptions options, Created done);
  ~ProducerCore() override;

  /// Partition by key, or the one that keyless records stick to. kOverloaded, nothing accepted:
  /// the buffer is full. Thread-safe.
  absl::Status TrySend(const Record& record, uint64_t tag);
  absl::Status TrySend(PartitionId partition, const Record& record, uint64_t tag);
  /// Blocks until there may be room for the record, or the producer is closed, or `wait` has
  /// passed. Thread-safe; not on the executor.
  void WaitForRoom(const Record& record, absl::Duration wait);
  /// What is accepted and not yet gone. Thread-safe.
  int64_t buffer_used_bytes() const { return budget_->taken(); }

  /// `done` runs when everything accepted before has its Delivery, with the first delivery error
  /// since the last Flush. Thread-safe.
  void Flush(base::Callback<absl::Status> done);
  /// Refuses from now on, then Flush. Thread-safe.
  void Close(base::Callback<absl::Status> done);

  TopicPartition TargetOf(PartitionId partition) const override;
  const PartitionLeader& LeaderOf(PartitionId partition) const override;
  void RefreshLeaders(base::Callback<absl::Status> done) override;
  void NewIdentity(base::Callback<absl::StatusOr<ProducerIdentity>> done) override;
  void SendBatch(const std::string& address, ProduceItem item) override;
  void Deliver(PartitionId partition, std::vector<SettledBatch> settled) override;
  absl::Duration PauseAfter(PartitionId partition, int failures, const absl::Status& why) override;

 private:
  /// The senders by partition. Immutable; partitions that are added make a new, longer one.
  using Senders = std::vector<std::shared_ptr<PartitionSender>>;

  ProducerCore(ClientCore& core, ProducerOptions options, TopicImagePtr topic);

  absl::Status Append(PartitionSender& sender, const Record& record, uint64_t tag,
                      BatchQueue::Opening opening, BatchQueue::Verdict* verdict);
  absl::Status SendKeyless(const Senders& senders, const Record& record, uint64_t tag);
  absl::Status TooLarge(size_t bytes) const;
  void Wake(PartitionSender& sender);
  void OnBufferFull();
  void PumpAll();
  void TellBatchEnded(PartitionId partition, const SettledBatch& end) const;
  void ApplyImage(TopicImagePtr topic);
  std::shared_ptr<PartitionSender> MakeSender(PartitionId partition);
  void FailTopic(const absl::Status& why);
  void ScheduleRefresh();

  ClientCore& core_;
  const ProducerOptions options_;
  const size_t record_bytes_max_;
  const std::shared_ptr<BufferBudget> budget_;
  FlushTracker flushes_;

  // Read by every Send.
  std::atomic<const Senders*> senders_{nullptr};
  std::atomic<uint32_t> sticky_{0};
  std::atomic<bool> pump_all_posted_{false};

  // Confined to the executor.
  TopicImagePtr topic_;
  ProducerIdentity identity_;  ///< For partitions that have not sent yet.
  /// All tables there ever were: a Send may still look at an older one.
  std::vector<std::unique_ptr<const Senders>> tables_;
  std::vector<Delivery> deliveries_;  ///< Reused from batch to batch.
  absl::Status first_error_;          ///< Since the last Flush.
  absl::Status failed_;               ///< Not OK: the topic is gone.
  bool closed_ = false;
};

}  // namespace talosmq::client
