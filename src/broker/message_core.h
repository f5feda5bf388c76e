#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "base/gate.h"
#include "broker/broker_metrics.h"
#include "broker/messages.h"
#include "broker/partition_table.h"
#include "broker/producer_ids.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace talosmq::broker {

/// MessageService over the partition table: checks on the calling thread, the rest on the shard.
/// Thread-safe. Borrows what it is made of.
class MessageCore final : public MessageService {
 public:
  struct Dependencies {
    PartitionTable& partitions;
    ProducerIds& producer_ids;
    base::Executor& admin_executor;  ///< Where producer_ids lives.
    base::Gate& admin_gate;          ///< Of everything that is not a partition's.
    const base::Clock& clock;
    BrokerMetrics& metrics;
  };

  explicit MessageCore(Dependencies dependencies) : dependencies_(dependencies) {}

  void Append(AppendRequest request, base::Callback<AppendOutcome> done) override;
  FetchTicket Fetch(FetchRequest request, base::Callback<FetchOutcome> done) override;
  std::vector<FetchTicket> FetchAll(
      std::vector<FetchRequest> requests,
      std::function<void(size_t index, FetchOutcome outcome)> done) override;
  void CancelFetches(const std::vector<NamedFetch>& fetches) override;
  void FindOffset(OffsetQuery query, base::Callback<OffsetOutcome> done) override;
  void FindHistory(HistoryQuery query, base::Callback<HistoryOutcome> done) override;
  void DescribeProducers(
      const TopicPartition& source,
      base::Callback<absl::StatusOr<std::vector<ProducerDescription>>> done) override;
  void DeleteRecords(RecordDeletion deletion, base::Callback<DeletionOutcome> done) override;
  void InitProducer(base::Callback<absl::StatusOr<ProducerIdentity>> done) override;

 private:
  template <typename Outcome>
  void Refuse(RequestKind kind, const absl::Status& status, base::Callback<Outcome> done);

  const Dependencies dependencies_;
  std::atomic<uint64_t> last_ticket_{0};
};

}  // namespace talosmq::broker
