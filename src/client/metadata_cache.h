#pragma once

#include "base/executor.h"
#include "talosmq/ids.h"

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace talosmq::client {

class ClientCore;

/// Who leads one partition, as last heard.
struct PartitionLeader {
  BrokerId broker;
  LeaderEpoch epoch = kNoEpoch;
  std::string address;  ///< HOST:PORT; empty while nobody is known to lead.
};

/// What is known of one topic. Immutable; shared, because producers and consumers keep using the
/// one they have while a newer one is fetched.
struct TopicImage {
  std::string name;
  TopicId id;
  std::vector<PartitionLeader> partitions;  ///< Index = partition.
};
using TopicImagePtr = std::shared_ptr<const TopicImage>;

/// Asks the servers about topics: ids, partitions and leaders.
///
/// Invariant: of each topic at most one question is under way; who asks meanwhile gets its answer.
/// Callbacks run exactly once, on the executor.
/// Confined to the client's executor. Lives inside its ClientCore.
class MetadataCache {
 public:
  using Done = base::Callback<absl::StatusOr<TopicImagePtr>>;

  explicit MetadataCache(ClientCore& core) : core_(core) {}

  /// kUnknownTopic when no topic has the name; kTopicDeleting while it goes.
  void FindByName(std::string name, Done done);
  /// What the servers say now. kUnknownTopicId once the topic is deleted or being deleted.
  void Refresh(TopicId id, Done done);

 private:
  void OnRefreshed(TopicId id, const absl::StatusOr<TopicImagePtr>& image);

  ClientCore& core_;
  absl::flat_hash_map<TopicId, std::vector<Done>> refreshing_;
};

}  // namespace talosmq::client
