#pragma once

#include "base/executor.h"
#include "group/group_records.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace talosmq::group {

// What members and operators ask of a coordinator, whatever protocol carries it.

struct Subscription {
  std::vector<std::string> topics = {};
  std::vector<std::string> patterns = {};  ///< RE2, matched against whole names.
  Assignor assignor = Assignor::kSticky;
  friend bool operator==(const Subscription&, const Subscription&) = default;
};

struct HeartbeatRequest {
  std::string group;
  std::string member_id = {};  ///< Empty: join, under an id that the coordinator chooses.
  uint64_t sequence = 0;       ///< Higher in each call of one member.
  int32_t generation = 0;      ///< Of the last answer that the member has taken in; 0: join.
  std::string instance_id = {};
  std::string client_id = {};
  std::string host = {};
  std::optional<Subscription> subscription = {};  ///< Nothing: as before.
  std::vector<TopicPartition> owned = {};         ///< What the member may still work on.
  absl::Duration lease = absl::Seconds(10);
  absl::Duration wait = absl::Seconds(3);
};

struct HeartbeatReply {
  std::string member_id;
  int32_t generation = 0;
  absl::Duration lease = absl::ZeroDuration();
  std::vector<TopicPartition> assigned;  ///< Ascending.
};
/// kUnknownMember: gone or never there, join again; kInstanceInUse; kConflict: overtaken by a later
/// call; kGroupKindMismatch; kInconsistentProtocol; kGroupFull; kInvalidArgument.
using HeartbeatDone = base::Callback<absl::StatusOr<HeartbeatReply>>;
using StatusDone = base::Callback<absl::Status>;

struct LeaveRequest {
  std::string group;
  std::string member_id;
  bool keeps_partitions = false;  ///< Static members: until the lease ends.
};

struct OffsetCommit {
  TopicPartition partition;
  CommittedOffset value;  ///< `committed` is the coordinator's to set.
  /// Refused with kConflict unless this is committed now; -1: nothing is.
  std::optional<Offset> expected = {};
};

/// The member that commits, as it names itself.
struct Committer {
  std::string member_id;
  int32_t generation = 0;  ///< Negative: none, as Kafka's clients say without a group.
  std::string instance_id = {};
};

struct CommitRequest {
  std::string group;
  std::optional<Committer> committer = {};  ///< Nothing: nobody; refused while there are members.
  std::vector<OffsetCommit> offsets = {};
};
/// For each offset of the request. kNotOwner; kUnknownMember; kIllegalGeneration; kConflict;
/// kGroupNotEmpty; kRebalanceInProgress (classic).
using CommitDone = base::Callback<std::vector<absl::Status>>;

struct OffsetsRequest {
  std::string group;
  std::optional<std::vector<TopicPartition>> partitions = {};  ///< Nothing: all.
};
using Offsets = std::map<TopicPartition, CommittedOffset>;
using OffsetsDone = base::Callback<absl::StatusOr<Offsets>>;

struct ResetRequest {
  std::string group;
  std::map<TopicPartition, Offset> offsets = {};
  enum class WhileLive { kRefuse, kForce } while_live = WhileLive::kRefuse;
};

/// Committed offsets that are to be forgotten, though the group stays.
struct ForgetRequest {
  std::string group;
  std::vector<TopicPartition> partitions = {};
};
/// For each partition of the request; kGroupNotEmpty: members subscribe to its topic. As a whole:
/// kUnknownGroup, kInvalidGroup; kGroupNotEmpty: nobody knows what its members read.
using ForgetDone = base::Callback<absl::StatusOr<std::vector<absl::Status>>>;

enum class GroupState { kEmpty, kRebalancing, kStable };

struct GroupSummary {
  std::string group;
  GroupKind kind = GroupKind::kNone;
  GroupState state = GroupState::kEmpty;
  int32_t members = 0;
  /// "consumer" of a native group, what its members say of a classic one, else empty.
  std::string protocol_type = {};
};
using ListDone = base::Callback<absl::StatusOr<std::vector<GroupSummary>>>;

struct GroupDescription {
  GroupSummary summary;
  GroupRecord record;
  std::map<std::string, MemberRecord> members = {};
  Offsets offsets = {};
};
/// kUnknownGroup.
using DescribeDone = base::Callback<absl::StatusOr<GroupDescription>>;

// The classic protocol of Kafka: members agree among themselves, one of them assigns.

struct ClassicProtocol {
  std::string name;
  std::string metadata;
};

struct ClassicJoinRequest {
  std::string group;
  std::string member_id = {};
  std::string instance_id = {};
  std::string client_id = {};
  std::string host = {};
  absl::Duration session_timeout = absl::Seconds(10);
  absl::Duration rebalance_timeout = absl::Seconds(60);
  std::string protocol_type = {};
  std::vector<ClassicProtocol> protocols = {};
  /// Whether who comes without a member id is told one first (JoinGroup v4 and later).
  enum class FirstJoin { kAdmit, kTellId } first_join = FirstJoin::kTellId;
};

struct ClassicJoinReply {
  int32_t generation = -1;
  std::string protocol_type = {};
  std::string protocol = {};
  std::string leader = {};
  std::string member_id = {};
  bool skips_assignment = false;
  struct Member {
    std::string member_id;
    std::string instance_id;
    std::string metadata;
  };
  std::vector<Member> members = {};  ///< For the leader only.
};
/// kMemberIdRequired carries the id in `member_id`, so both come together.
struct ClassicJoinOutcome {
  absl::Status status;
  ClassicJoinReply reply;
};
using ClassicJoinDone = base::Callback<ClassicJoinOutcome>;
inline void FailAnswer(ClassicJoinOutcome& outcome, const absl::Status& why) {
  outcome = {.status = why, .reply = {}};
}

struct ClassicSyncRequest {
  std::string group;
  std::string member_id;
  std::string instance_id = {};
  int32_t generation = 0;
  std::optional<std::string> protocol_type = {};
  std::optional<std::string> protocol = {};
  std::map<std::string, std::string> assignments = {};  ///< By member; of the leader only.
};
struct ClassicSyncReply {
  std::string protocol_type;
  std::string protocol;
  std::string assignment;
};
using ClassicSyncDone = base::Callback<absl::StatusOr<ClassicSyncReply>>;

struct ClassicHeartbeatRequest {
  std::string group;
  std::string member_id;
  std::string instance_id = {};
  int32_t generation = 0;
};

struct ClassicLeaveRequest {
  std::string group;
  struct Member {
    std::string member_id;
    std::string instance_id;
  };
  std::vector<Member> members;
};
/// For each member of the request.
using ClassicLeaveDone = base::Callback<std::vector<absl::Status>>;

}  // namespace talosmq::group
