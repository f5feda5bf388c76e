#pragma once

#include "base/scram.h"
#include "metadata/cluster_image.h"
#include "talosmq/error.h"
#include "talosmq/ids.h"

#include "absl/time/time.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace talosmq::metadata {

// What the keys of metadata/keys.h hold. docs/formats/metadata.md has the bytes.

/// The cluster's identity, written once.
struct ClusterRecord {
  std::string cluster_id;
  absl::Time created;
};

/// One broker, as of its last start.
struct BrokerRecord {
  std::string grpc_address = {};  ///< HOST:PORT as clients reach it.
  int64_t boot_counter = 0;  ///< Starts of this data directory; a lower one is an older copy of it.
  std::string directory_id = {};  ///< Of the data directory that made this registration.
};

/// Who owns a topic name.
struct TopicNameRecord {
  TopicId id;
};

/// A topic but for its partitions' places. It exists for others once its name refers to it.
struct TopicRecord {
  std::string name = {};
  TopicState state = TopicState::kActive;
  absl::Time created = absl::UnixEpoch();
  bool is_internal = false;
  int32_t partitions = 0;  ///< Entries of assignment chunks from here on do not count yet.
  int32_t replicas = 0;
  std::map<std::string, std::string> configs = {};  ///< Only what was set.
};

/// Replicas of kChunkPartitions partitions that follow one another; the last chunk may hold fewer.
/// Invariant: chunks only grow. Whoever raises TopicRecord::partitions has seen that many entries.
struct AssignmentChunk {
  /// For each partition its replicas; the first is preferred as leader.
  std::vector<std::vector<BrokerId>> replicas;
};

/// A partition that has been led. Without this record: the first replica leads, epoch 0, all
/// replicas are in sync.
struct PartitionStateRecord {
  BrokerId leader = {};
  LeaderEpoch epoch = {};
  std::vector<BrokerId> in_sync = {};
  /// Readers pass over them by an operator's decision; ascending, none touches another.
  std::vector<CorruptRange> skipped = {};
};

/// A deleted topic whose data still lies on `brokers`. Each takes itself out once its data is gone
/// (G10: nothing else is a reason to delete).
struct DeletionRecord {
  std::string name = {};
  int32_t partitions = 0;
  std::vector<BrokerId> brokers = {};
};

/// Who may log in where a login is asked for. Of the password only what checks one is kept.
struct UserRecord {
  absl::Time created = absl::UnixEpoch();
  base::ScramCredential scram_sha_256 = {};
  base::ScramCredential scram_sha_512 = {};
};

/// What the salts of users that there are not are made of, the same on every broker, so that nobody
/// learns who there is. Made with the first user.
struct LoginSecretRecord {
  std::string secret;
};

/// The first producer id that no block has yet.
struct ProducerIdsRecord {
  int64_t next_id = 0;
};

}  // namespace talosmq::metadata
