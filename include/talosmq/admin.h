#pragma once

#include "talosmq/client.h"
#include "talosmq/consumer.h"
#include "talosmq/error.h"
#include "talosmq/group.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace talosmq {

struct NewTopic {
  std::string name;
  std::optional<int32_t> partitions;  ///< Default 8.
  std::optional<int32_t> replicas;    ///< Default: the server's.
  std::map<std::string, std::string> configs;
};

struct TopicSummary {
  std::string name;
  TopicId id;
  bool is_deleting = false;
  int32_t partitions = 0;
  int32_t replicas = 0;
  bool is_internal = false;
  std::map<std::string, std::string> labels;  ///< Settings "label.KEY", by KEY.
};

/// Holds for a topic with the setting "label.KEY".
struct LabelFilter {
  std::string key;
  std::optional<std::string> value;  ///< Nothing: any value will do.
};

/// Which topics ListTopics() gives.
struct TopicFilter {
  std::vector<LabelFilter> labels;  ///< All of them must hold. At most 64.
};

struct TopicConfig {
  std::string key;
  std::string value;
  bool is_default = false;
};

struct PartitionInfo {
  PartitionId partition;
  absl::Status status;  ///< Not OK: could not answer, the offsets are void.
  BrokerId leader;
  LeaderEpoch leader_epoch;
  std::vector<BrokerId> replicas;
  std::vector<BrokerId> in_sync;
  Offset log_start;
  Offset high_watermark;
  Offset log_end;
  int64_t size_bytes = 0;    ///< Of the batches that can be read: the live bytes.
  int64_t live_records = 0;  ///< Offsets from the log start to the high watermark.
  /// Offsets given since the topic was made, whether their records are still there or not.
  int64_t lifetime_records = 0;
  /// Of every batch appended since the topic was made: what is there, and what retention and
  /// trimming have deleted.
  int64_t lifetime_bytes = 0;
  std::vector<CorruptRange> skipped;  ///< What SkipCorrupt() has decided, ascending.
};

/// Sums over the partitions that could answer.
struct TopicTotals {
  int64_t live_records = 0;
  int64_t live_bytes = 0;
  int64_t lifetime_records = 0;
  int64_t lifetime_bytes = 0;
};

struct TopicInfo {
  std::string name;
  TopicId id;
  bool is_deleting = false;
  absl::Time created;
  std::vector<TopicConfig> configs;
  std::vector<PartitionInfo> partitions;
  TopicTotals totals;
};

struct BrokerInfo {
  BrokerId id;
  std::string address;
  std::string version;
  int64_t boot_counter = 0;
};

struct ClusterInfo {
  std::string cluster_id;
  std::string metadata_store;
  std::string data_directory;
  std::vector<BrokerInfo> brokers;
  int32_t topics = 0;
  int32_t partitions = 0;
};

struct HealthProblem {
  std::string object;
  std::string problem;
};

struct ClusterHealth {
  bool is_healthy = false;
  std::vector<HealthProblem> problems;
  std::vector<HealthProblem> warnings;  ///< Worth knowing, and no reason to be unhealthy.
  std::vector<std::string> orphans;
};

struct UserInfo {
  std::string name;
  absl::Time created;
};

enum class DumpFormat { kJson, kRaw };
enum class DumpState { kRunning, kPaused, kFailed };

struct DumpDefinition {
  std::string name;
  std::string topic;
  std::string target;  ///< "file:///DIR".
  DumpFormat format = DumpFormat::kJson;
  std::map<std::string, std::string> configs;
};

struct DumpPartition {
  PartitionId partition;
  Offset next_offset;
  Offset high_watermark;
  int64_t lag_records = 0;
};

struct DumpInfo {
  DumpDefinition definition;
  TopicId topic_id;
  DumpState state = DumpState::kRunning;
  std::string error;
  std::vector<DumpPartition> partitions;
  int64_t files_published = 0;
  int64_t records_published = 0;
  int64_t bytes_published = 0;
  int64_t offsets_skipped = 0;  ///< That could not be read, under on_corrupt=skip.
};

enum class GroupKind { kNone, kNative, kClassic };
enum class GroupState { kEmpty, kRebalancing, kStable };

struct GroupSummary {
  std::string group;
  GroupKind kind = GroupKind::kNone;
  GroupState state = GroupState::kEmpty;
  int32_t members = 0;
};

struct GroupMemberInfo {
  std::string member_id;
  std::string instance_id;  ///< Empty: no static member.
  std::string client_id;
  std::string host;
  std::vector<NamedPartition> owned;  ///< Of a native group; a classic one knows it itself.
  GroupSubscription subscription;
};

/// How far a group has come with a partition that a member owns or that something is committed of.
struct GroupProgress {
  /// Of a topic that was deleted the id stands for the name.
  NamedPartition partition;
  std::optional<CommittedOffset> committed;
  std::optional<Offset> end;  ///< The high watermark; nothing: the partition did not answer.
  std::string member_id;      ///< Its owner; empty: none.

  /// Records that wait; nothing when it is not known what is committed, or where the end is.
  std::optional<int64_t> lag() const {
    if (!committed || !end) return std::nullopt;
    return *end > committed->offset ? *end - committed->offset : 0;
  }
};

struct GroupInfo {
  GroupSummary summary;
  int32_t generation = 0;
  std::string protocol;  ///< The assignor of a native group.
  std::vector<GroupMemberInfo> members;
  std::vector<GroupProgress> partitions;  ///< By topic and number.
};

struct GroupReset {
  std::string group;
  std::string topic;
  std::optional<PartitionId> partition = std::nullopt;  ///< Nothing: all.
  Position to = AtStart{};
  /// Also while members are live: each lets go of these partitions and gets them again.
  bool force = false;
};

/// Administration of topics, groups, dump jobs and the cluster. Every call blocks up to the
/// client's request_timeout and fails with the server's own reason and words. Thread-safe. Lives
/// inside its Client.
class Admin {
 public:
  static std::unique_ptr<Admin> Create(Client& client);
  virtual ~Admin() = default;

  virtual absl::StatusOr<TopicId> CreateTopic(const NewTopic& topic) = 0;
  /// In the order of their names. A topic that is being deleted is among them, also when its name
  /// has been given to another one.
  virtual absl::StatusOr<std::vector<TopicSummary>> ListTopics() = 0;
  virtual absl::StatusOr<std::vector<TopicSummary>> ListTopics(const TopicFilter& filter) = 0;
  virtual absl::StatusOr<TopicInfo> DescribeTopic(const std::string& name) = 0;
  /// Sets and removes single settings and leaves the others, whoever changes those meanwhile.
  virtual absl::Status AlterTopic(const std::string& name,
                                  const std::map<std::string, std::string>& set,
                                  const std::vector<std::string>& unset) = 0;
  virtual absl::Status AddPartitions(const std::string& name, int32_t total) = 0;
  /// Deletes what lies below `before`, which is at most the high watermark, for good, and tells
  /// where the partition starts from now on: at `before`, or above it when it did so already.
  virtual absl::StatusOr<Offset> DeleteRecords(const std::string& topic, PartitionId partition,
                                               Offset before) = 0;
  /// The topic is gone for good once this returns OK, and its name may be given to a new topic;
  /// files go behind that. Deleting a topic that is being deleted is OK.
  virtual absl::Status DeleteTopic(const std::string& name) = 0;

  /// An operator's decision, recorded for good: whoever reads from the damage below `to` goes on at
  /// `to`. Returns the offsets that are passed over from now on. kInvalidArgument: nothing damaged
  /// is known below `to`, or `to` lies inside of the damage; kOffsetOutOfRange: outside of the log.
  virtual absl::StatusOr<CorruptRange> SkipCorrupt(const std::string& topic, PartitionId partition,
                                                   Offset to) = 0;

  /// By name.
  virtual absl::StatusOr<std::vector<GroupSummary>> ListGroups() = 0;
  /// kUnknownGroup.
  virtual absl::StatusOr<GroupInfo> DescribeGroup(const std::string& group) = 0;
  /// Commits a position for the group and returns where each partition goes on now. kGroupNotEmpty:
  /// it has members, and there is no force; kOffsetOutOfRange: outside of a log, nothing is
  /// changed; kUnknownPartition.
  virtual absl::StatusOr<std::map<PartitionId, Offset>> ResetGroupOffsets(
      const GroupReset& reset) = 0;
  /// What the group has committed of each partition of a topic; what was never committed is left
  /// out.
  virtual absl::StatusOr<std::map<PartitionId, CommittedOffset>> FetchGroupOffsets(
      const std::string& group, const std::string& topic) = 0;
  /// Its offsets are gone for good. kGroupNotEmpty; kUnknownGroup.
  virtual absl::Status DeleteGroup(const std::string& group) = 0;

  virtual absl::StatusOr<ClusterInfo> DescribeCluster() = 0;
  virtual absl::StatusOr<ClusterHealth> CheckHealth() = 0;
  /// Deletes a log that CheckHealth() names as orphan, for good. kInvalidArgument when a topic owns
  /// it, kUnknownPartition when it is not there (any more).
  virtual absl::Status DeleteOrphan(const TopicPartition& log) = 0;

  /// Makes a user for the Kafka ports that ask for a login. The password is not sent: the server
  /// gets what it can check one with, salted and hashed (SCRAM-SHA-256 and -512), which takes some
  /// 50 ms here. kInvalidArgument: the user exists, the name has not 1 to 128 letters, digits, '.',
  /// '_', '-' and '@', or the password not 8 to 128 printable ASCII characters.
  virtual absl::Status CreateUser(const std::string& name, const std::string& password) = 0;
  /// By name.
  virtual absl::StatusOr<std::vector<UserInfo>> ListUsers() = 0;
  /// Connections on which it has logged in end with their next request. kInvalidArgument: there is
  /// no such user.
  virtual absl::Status DeleteUser(const std::string& name) = 0;

  virtual absl::Status CreateDump(const DumpDefinition& dump) = 0;
  virtual absl::StatusOr<std::vector<DumpInfo>> ListDumps() = 0;
  virtual absl::StatusOr<DumpInfo> DescribeDump(const std::string& name) = 0;
  virtual absl::Status PauseDump(const std::string& name) = 0;
  virtual absl::Status ResumeDump(const std::string& name) = 0;
  virtual absl::Status DeleteDump(const std::string& name) = 0;
};

}  // namespace talosmq
