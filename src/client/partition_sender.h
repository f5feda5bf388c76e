#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "client/batch_queue.h"
#include "client/metadata_cache.h"
#include "client/produce_session.h"
#include "client/send_window.h"

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace talosmq::client {

struct ProducerIdentity {
  ProducerId id = kNoProducer;
  int16_t epoch = -1;
};

/// What a sender needs of its producer. Called on the executor; callbacks run there too, exactly
/// once and never within the call.
class SenderHost {
 public:
  virtual ~SenderHost() = default;
  virtual TopicPartition TargetOf(PartitionId partition) const = 0;
  /// As last heard; its address is empty while nobody is known to lead.
  virtual const PartitionLeader& LeaderOf(PartitionId partition) const = 0;
  virtual void RefreshLeaders(base::Callback<absl::Status> done) = 0;
  virtual void NewIdentity(base::Callback<absl::StatusOr<ProducerIdentity>> done) = 0;
  virtual void SendBatch(const std::string& address, ProduceItem item) = 0;
  virtual void Deliver(PartitionId partition, std::vector<SettledBatch> settled) = 0;
  /// The partition is about to wait after a failure; returns how long, see BackOff.
  virtual absl::Duration PauseAfter(PartitionId partition, int failures,
                                    const absl::Status& why) = 0;
};

/// Takes the batches of one partition from its queue through its window to the leader: finds the
/// leader, waits between attempts, watches linger and delivery timeout, and renews the identity
/// when its chain broke.
///
/// Invariant: whenever something may be done, either Pump is posted or a timer, an answer or a
/// callback that leads to Pump is awaited.
/// queue() is thread-safe, all else is confined to the executor. Shared by its producer and by the
/// callbacks that are still to come; the producer gives it up with Abandon, after which they find
/// it idle.
class PartitionSender : public std::enable_shared_from_this<PartitionSender> {
 public:
  struct Options {
    PartitionId partition;
    BatchQueue::Options queue;
    SendWindow::Options window;
    Acks acks = Acks::kAll;
    absl::Duration delivery_timeout;
  };
  struct Deps {
    base::Executor& executor;
    const base::Clock& clock;
    SenderHost& host;
    BatchQueue::Deps queue;
  };

  PartitionSender(const Options& options, const Deps& deps);

  BatchQueue& queue() { return queue_; }
  PartitionId partition() const { return options_.partition; }

  void BeginIdentity(const ProducerIdentity& identity);
  /// Does all that can be done now.
  void Pump();
  /// Also what has not waited out its linger.
  void PumpAll();
  /// Everything pending, and everything that is sealed later, is delivered with this status.
  void Fail(const absl::Status& why);
  /// Nothing is to be done any more; the host is not called again.
  void Abandon();

 private:
  void PumpWith(BatchQueue::TakeOpen open);
  void ExpireOld(std::vector<SettledBatch>& settled);
  void HandBackUnstored();
  void SendWhatFits(BatchQueue::TakeOpen open, std::vector<SettledBatch>& settled);
  void Transmit(const SendWindow::Attempt& attempt, const PartitionLeader& leader);
  void OnOutcome(uint64_t attempt, const ProduceOutcome& outcome);
  void WaitAfter(const absl::Status& why);
  void EndWait();
  void RenewIdentity();
  void DrainFailed(std::vector<SettledBatch>& settled);
  void ArmTimer();
  void Deliver(std::vector<SettledBatch> settled);

  const Options options_;
  base::Executor& executor_;
  const base::Clock& clock_;
  SenderHost* host_;  ///< Null once abandoned.
  BatchQueue queue_;
  SendWindow window_;
  absl::Status failed_;          ///< Not OK: the producer's topic is gone.
  int failures_ = 0;             ///< Attempts since the last success.
  bool is_waiting_ = false;      ///< Backs off, or asks for metadata or an identity.
  bool needs_metadata_ = false;  ///< To be asked when the back-off is over.
  absl::Duration timer_due_ = absl::InfiniteDuration();
  base::TimerId timer_ = base::TimerId::kNone;
};

}  // namespace talosmq::client
