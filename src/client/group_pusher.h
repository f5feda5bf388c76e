#pragma once

#include "base/executor.h"
#include "client/client_core.h"
#include "client/group_core.h"
#include "client/group_lane.h"
#include "client/push_core.h"
#include "client/push_lane.h"
#include "talosmq/consumer.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace talosmq::client {

/// The part of a group push consumer that lives on the client's executor: one PushCore for each
/// topic, and what lanes have processed, which it commits by time.
///
/// Confined to the client's executor. Shared by the facade and what is posted; lives inside its
/// ClientCore.
class GroupPusher final : public GroupCoreListener,
                          public std::enable_shared_from_this<GroupPusher> {
 public:
  /// What is done elsewhere, since it may block: each posts.
  struct Handlers {
    std::function<void(GroupStart start)> start;
    std::function<void(const TopicPartition& partition)> end;
    std::function<void(const TopicPartition& partition)> lose;
    std::function<void(const absl::Status& why)> fail;
  };
  struct Options {
    ConsumerOptions consumer = {};  ///< For each topic, but for prefetch_bytes, which they share.
    int64_t lane_bytes = 0;
    absl::Duration commit_interval = absl::InfiniteDuration();  ///< Infinite: never by time.
  };

  GroupPusher(ClientCore& core, Options options, Handlers handlers)
      : core_(core), options_(std::move(options)), handlers_(std::move(handlers)) {}

  void Start(std::shared_ptr<GroupCore> group);
  void Add(const GroupStart& start, std::shared_ptr<PushLane> lane,
           std::shared_ptr<LaneProgress> progress);
  /// The lane has gone.
  void Remove(const TopicPartition& partition);
  void OnLow(const TopicPartition& partition);
  void OnEnded(const TopicPartition& partition);
  void Close();

  void OnStarted(std::vector<GroupStart> started) override;
  void OnRevoked(const std::vector<TopicPartition>& partitions) override;
  void OnLost(const std::vector<TopicPartition>& partitions, const absl::Status& why) override;
  void OnFailed(const absl::Status& why) override;
  absl::Duration busy_since() const override;

 private:
  struct Topic {
    std::shared_ptr<PushCore> pusher;
    std::set<PartitionId> partitions;
  };

  PushCore* Find(const TopicPartition& partition);
  void CommitLater();
  void CommitAll();

  ClientCore& core_;
  const Options options_;
  const Handlers handlers_;
  std::shared_ptr<GroupCore> group_;
  std::map<TopicId, Topic> topics_;
  std::map<TopicPartition, std::shared_ptr<LaneProgress>> lanes_;
  bool is_closed_ = false;
};

}  // namespace talosmq::client
