#pragma once

#include "client/client_core.h"
#include "client/fetch_core.h"
#include "client/group_core.h"
#include "client/group_queue.h"
#include "talosmq/consumer.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <vector>

namespace talosmq::client {

/// The part of a group consumer that lives on the client's executor: puts what its member is told,
/// and what its partitions bring, into one queue.
///
/// Invariant: a topic is fetched by one FetchCore, with its share of prefetch_bytes, while one of
/// its partitions is read.
/// Confined to the client's executor, but for SetBusySince. Shared by the facade and what is
/// posted; lives inside its ClientCore.
class GroupReader final : public GroupCoreListener,
                          public std::enable_shared_from_this<GroupReader> {
 public:
  /// `options` hold for each topic, but for prefetch_bytes, which the topics share.
  GroupReader(ClientCore& core, ConsumerOptions options, std::shared_ptr<GroupQueue> queue)
      : core_(core), options_(std::move(options)), queue_(std::move(queue)) {}

  /// Of a partition of a topic that is known by now.
  void Seek(TopicId topic, const PartitionWish& wish);
  void Halt(const TopicPartition& partition, uint64_t generation);
  void Remove(const TopicPartition& partition);
  void ReturnCredit(const TopicPartition& partition, int64_t bytes);
  void Close();
  /// Thread-safe. Infinite: the application is not busy.
  void SetBusySince(absl::Duration since) { busy_since_ns_ = absl::ToInt64Nanoseconds(since); }

  void OnStarted(std::vector<GroupStart> started) override;
  void OnRevoked(const std::vector<TopicPartition>& partitions) override;
  void OnLost(const std::vector<TopicPartition>& partitions, const absl::Status& why) override;
  void OnFailed(const absl::Status& why) override;
  absl::Duration busy_since() const override { return BusySince(busy_since_ns_); }

 private:
  struct Topic {
    TopicImagePtr image;
    std::set<PartitionId> partitions;
    std::shared_ptr<FetchCore> fetcher;
  };

  ClientCore& core_;
  const ConsumerOptions options_;
  const std::shared_ptr<GroupQueue> queue_;
  std::map<TopicId, Topic> topics_;
  std::atomic<int64_t> busy_since_ns_{kNotBusy};
};

}  // namespace talosmq::client
