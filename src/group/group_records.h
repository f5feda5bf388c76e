#pragma once

#include "base/bytes.h"
#include "talosmq/ids.h"

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace talosmq::group {

// What the records of __consumer_offsets say. docs/formats/group-records.md has the bytes.

inline constexpr std::string_view kOffsetsTopic = "__consumer_offsets";
inline constexpr int32_t kOffsetsPartitions = 50;

/// The partition of __consumer_offsets that has all records of a group; its leader coordinates the
/// group. CRC-32C of the name modulo kOffsetsPartitions; never changes.
PartitionId PartitionOfGroup(std::string_view group);

enum class GroupKind : uint8_t {
  kNone = 0,  ///< Has committed offsets only.
  kNative = 1,
  kClassic = 2,
};

enum class Assignor : uint8_t { kSticky = 0, kRange = 1, kRoundRobin = 2, kLagAware = 3 };

/// A committed offset is the next one to read.
struct CommittedOffset {
  Offset offset;
  LeaderEpoch epoch = kNoEpoch;  ///< Of the last record that was read.
  std::string metadata = {};     ///< The application's words, at most kMetadataBytesMax.
  absl::Time committed = absl::UnixEpoch();
  /// Of the transaction that it belongs to; none yet.
  ProducerId producer = kNoProducer;
  int16_t producer_epoch = -1;

  friend bool operator==(const CommittedOffset&, const CommittedOffset&) = default;
};
inline constexpr size_t kMetadataBytesMax = 4096;

/// Of a classic group with members: whether all of them have the assignment of its generation.
enum class ClassicPhase : uint8_t { kRebalancing = 0, kStable = 1 };

struct GroupRecord {
  GroupKind kind = GroupKind::kNone;
  int32_t generation = 0;
  Assignor assignor = Assignor::kSticky;  ///< Of a native group.
  // Of a classic group.
  std::string protocol_type = {};
  std::string protocol = {};
  std::string leader = {};
  ClassicPhase phase = ClassicPhase::kRebalancing;
  /// When the last member went; offsets of a group without members expire from then on.
  absl::Time emptied = absl::UnixEpoch();

  friend bool operator==(const GroupRecord&, const GroupRecord&) = default;
};

/// A vacant member is a static one that has gone: its place waits for it as long as its lease.
enum class Presence : uint8_t { kLive = 0, kVacant = 1 };

/// A reset takes a partition back: its owner cannot commit it any more, and is to let go of it.
enum class Claim : uint8_t { kHeld = 0, kReclaimed = 1 };

struct OwnedPartition {
  TopicPartition partition;
  int32_t since = 0;  ///< The generation in which the member got it.
  Claim claim = Claim::kHeld;
  friend bool operator==(const OwnedPartition&, const OwnedPartition&) = default;
};

struct MemberRecord {
  std::string instance_id = {};
  std::string client_id = {};
  std::string host = {};
  absl::Duration lease = absl::ZeroDuration();
  int64_t joined = 0;  ///< Rises with each member of the group.
  Presence presence = Presence::kLive;
  // Of a native group.
  std::vector<std::string> topics = {};
  std::vector<std::string> patterns = {};
  /// Ascending. Of a vacant member what it had, which it owns no more.
  std::vector<OwnedPartition> owned = {};
  // Of a classic group.
  absl::Duration rebalance_timeout = absl::ZeroDuration();
  std::map<std::string, std::string> protocols = {};  ///< Metadata by name of the protocol.
  std::vector<std::string> preference = {};           ///< The names, best first.
  std::string assignment = {};

  friend bool operator==(const MemberRecord&, const MemberRecord&) = default;
};

struct OffsetKey {
  std::string group;
  TopicPartition partition;
  friend auto operator<=>(const OffsetKey&, const OffsetKey&) = default;
};
struct GroupKey {
  std::string group;
  friend auto operator<=>(const GroupKey&, const GroupKey&) = default;
};
struct MemberKey {
  std::string group;
  std::string member;
  friend auto operator<=>(const MemberKey&, const MemberKey&) = default;
};
using Key = std::variant<OffsetKey, GroupKey, MemberKey>;

/// One change: what holds for a key from now on. Nothing: the key is gone (a tombstone).
struct OffsetChange {
  OffsetKey key;
  std::optional<CommittedOffset> value;
};
struct GroupChange {
  GroupKey key;
  std::optional<GroupRecord> value;
};
struct MemberChange {
  MemberKey key;
  std::optional<MemberRecord> value;
};
using Change = std::variant<OffsetChange, GroupChange, MemberChange>;

struct EncodedChange {
  std::string key;
  std::optional<std::string> value;
};
inline constexpr uint8_t kGroupRecordVersion = 1;  ///< First byte of every key and value.

/// Times and durations are kept to the nanosecond. `owned` has to be ascending, as everywhere.
EncodedChange Encode(const Change& change);
/// kCorruptData: not of this format; kUnsupportedVersion: of a later one. Names the key. What is
/// read is encoded as the same bytes again.
absl::StatusOr<Change> Decode(std::string_view key, const std::optional<std::string_view>& value);

}  // namespace talosmq::group
