#pragma once

#include "talosmq/consumer.h"
#include "talosmq/ids.h"

#include "absl/time/time.h"

#include <compare>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace talosmq {

// What group consumers and the administration of groups have in common.

/// One partition of the topic that has the name now.
struct NamedPartition {
  std::string topic;
  PartitionId partition;

  friend auto operator<=>(const NamedPartition&, const NamedPartition&) = default;
};

/// How partitions are dealt to the members of a group. All members ask for the same.
enum class Assignor {
  kSticky,      ///< Even within one, and as few partitions move as possible.
  kRange,       ///< Of each topic a run of neighbours to each member.
  kRoundRobin,  ///< One after the other.
  kLagAware,    ///< As kSticky, but even in the records that wait.
};

struct GroupSubscription {
  std::vector<std::string> topics = {};  ///< One that does not exist yet is read once it does.
  /// RE2 expressions that a whole topic name must match; names that begin with "__" never do.
  std::vector<std::string> patterns = {};

  friend bool operator==(const GroupSubscription&, const GroupSubscription&) = default;
};

/// As OffsetToCommit::expected: nothing is committed.
inline constexpr Offset kNothingCommitted{-1};

/// How far a group has come with one partition.
struct OffsetToCommit {
  NamedPartition partition;
  Offset offset;              ///< Of the next record to read.
  std::string metadata = {};  ///< Of the application, at most 4 KiB.
  /// Set: refused with kConflict unless this is committed now.
  std::optional<Offset> expected = std::nullopt;
};

struct CommittedOffset {
  Offset offset;                 ///< Of the next record to read.
  LeaderEpoch epoch = kNoEpoch;  ///< Of the record before it; kNoEpoch: not known.
  std::string metadata = {};
  absl::Time committed_at = {};
};

/// How far a member has come with a partition that it owns.
struct GroupPosition {
  NamedPartition partition;
  Offset position;        ///< Of the next record that Poll returns.
  Offset high_watermark;  ///< As last heard; 0 before the first answer.
};

/// Where a member begins with a partition that it is given: the first of these that says something.
struct StartOptions {
  /// The reset switch: begin here, whatever is committed. Holds for each partition the first time
  /// that this member gets it, also from another member, so it is for members that begin together;
  /// Admin::ResetGroupOffsets moves a whole group once.
  std::optional<Position> reset = std::nullopt;
  /// Positions that the application knows; used the first time only.
  std::map<NamedPartition, Offset> given = {};
  // Then what the group has committed. Then, when this member had the partition before and nothing
  // was committed, where it began that time.
  /// Start, end, an offset or a time. The end and a time are committed as offsets before anything
  /// is read, unless something is: who takes over from a member that died before its first commit
  /// begins there, too.
  Position otherwise = AtStart{};
};

/// Who this member of a group is, and what it wants.
struct GroupOptions {
  std::string group;  ///< 1 to 249 bytes.
  GroupSubscription subscription = {};
  Assignor assignor = Assignor::kSticky;
  /// Set: a static member, which gets its partitions back when it returns within its lease.
  /// Unique in the group, at most 100 bytes.
  std::string instance_id = {};
  std::string client_id = {};  ///< For people, at most 100 bytes.
  /// How long the group waits for a member of which it hears nothing. 1 s to 10 min.
  absl::Duration lease = absl::Seconds(10);
  /// How long the application may be busy with what it was given, between two Polls, in a callback,
  /// or in one call of a GroupProcessor. A member that is busy longer (seen up to a quarter later)
  /// leaves the group and loses its partitions, so that others read on; it joins anew when the
  /// application comes back. 1 s or more; infinite: it may for ever.
  absl::Duration poll_interval_max = absl::Minutes(5);
  /// How long the clean end may wait for the servers, see Close and Stop. 100 ms to 10 min.
  absl::Duration close_timeout = absl::Seconds(10);
  StartOptions start = {};
};

}  // namespace talosmq
