#pragma once

#include "base/scram.h"
#include "metadata/metadata_store.h"
#include "talosmq/error.h"
#include "talosmq/ids.h"

#include "absl/time/time.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::metadata {

enum class TopicState { kActive, kDeleting };

/// Who leads a partition and who holds it, with the revision to compare when changing it.
struct PartitionImage {
  std::vector<BrokerId> replicas;  ///< The first is preferred as leader.
  BrokerId leader;
  LeaderEpoch epoch{0};  ///< 0: nobody has led it yet (no state key).
  std::vector<BrokerId> in_sync;
  std::vector<CorruptRange> skipped;    ///< As PartitionStateRecord has them.
  Revision revision = Revision::kNone;  ///< Of its own state key; kNone: it has none.
};

struct TopicImage {
  TopicId id;
  std::string name;
  TopicState state = TopicState::kActive;
  absl::Time created;
  bool is_internal = false;
  /// Only what was set; metadata/topic_config.h has the defaults.
  std::map<std::string, std::string> configs;
  std::vector<PartitionImage> partitions;
  Revision revision = Revision::kNone;  ///< Of the topic's key.

  /// The settings "label.KEY", by KEY.
  std::map<std::string, std::string> labels() const;
};

struct BrokerImage {
  BrokerId id;
  std::string grpc_address;  ///< HOST:PORT as clients reach it.
  int64_t boot_counter = 0;
};

/// A deleted topic whose data still lies somewhere. A broker removes only what such a record of its
/// own number names (G10).
struct DeletionImage {
  TopicId id;
  std::string name;
  int32_t partitions = 0;
  std::vector<BrokerId> brokers;  ///< Those that still hold data.
};

/// Who may log in where a login is asked for.
struct UserImage {
  std::string name;
  absl::Time created;
  base::ScramCredential scram_sha_256;
  base::ScramCredential scram_sha_512;
  Revision revision = Revision::kNone;  ///< Another one: the user was made anew.
};

/// The cluster as of one revision. Immutable; shared by readers and thrown away when the last lets
/// go. Unchanged topics are shared between successive images.
class ClusterImage {
 public:
  std::string cluster_id;
  Revision revision = Revision::kNone;
  std::map<BrokerId, BrokerImage> brokers;
  /// In name order; a topic that is being deleted is there until its name is given to another.
  std::map<std::string, std::shared_ptr<const TopicImage>, std::less<>> topics_by_name;
  /// Also topics that are being deleted and have lost their name.
  std::map<TopicId, std::shared_ptr<const TopicImage>> topics_by_id;
  std::map<TopicId, DeletionImage> deletions;
  std::map<std::string, std::shared_ptr<const UserImage>, std::less<>> users;
  std::string login_secret;  ///< As LoginSecretRecord has it; empty before there is a user.

  /// Null when there is none.
  std::shared_ptr<const TopicImage> FindTopic(std::string_view name) const;
  std::shared_ptr<const TopicImage> FindTopic(const TopicId& id) const;
};

}  // namespace talosmq::metadata
