#pragma once

#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/time/time.h"

#include <cstdint>
#include <deque>
#include <map>
#include <string>

namespace talosmq::support {

// The guarantees of docs/guarantees.md about groups, as objects that a test tells what has happened
// in one group and asks whether it may have. A violation is a kInternal status. Thread-compatible.

/// G5: an acknowledged commit is never lost or lowered by the system; the owner's own commit, or
/// whoever resets or deletes, may lower it.
class OffsetsChecker {
 public:
  static constexpr int64_t kNothing = -1;

  /// The coordinator was asked to have this offset committed (kNothing: to forget it), and in this
  /// order. From now on it may be found. Returns its number.
  uint64_t Asked(const TopicPartition& partition, int64_t offset);
  /// From now on it, or what was asked for later, has to be found.
  void Acknowledged(const TopicPartition& partition, uint64_t number);
  /// It is never to be found.
  void Refused(const TopicPartition& partition, uint64_t number);
  /// Whether this may be what is committed.
  absl::Status Check(const TopicPartition& partition, int64_t found) const;

 private:
  struct Ask {
    uint64_t number;
    int64_t offset;
  };
  struct Asks {
    uint64_t last = 0;
    /// The last one that was acknowledged (at first: that there is nothing), and all later ones.
    std::deque<Ask> open = {{.number = 0, .offset = kNothing}};
  };
  std::map<TopicPartition, Asks> asks_;
};

/// G6: no two members work on a partition at once, and who does not own it cannot commit it.
class OneOwnerChecker {
 public:
  /// The member was told that it has the partition, with this generation, and may work on it while
  /// its lease lasts.
  absl::Status Took(const TopicPartition& partition, const std::string& member, int32_t generation,
                    absl::Duration now);
  /// It works on the partition.
  absl::Status Works(const TopicPartition& partition, const std::string& member,
                     absl::Duration now) const;
  void LetGo(const TopicPartition& partition, const std::string& member);
  void Leased(const std::string& member, absl::Duration until);
  /// It works on nothing any more.
  void Gone(const std::string& member);

  /// A reset that was acknowledged has taken the partition back; evaluated at this moment.
  void Reclaimed(const TopicPartition& partition, absl::Duration evaluated);
  /// A commit was accepted that the coordinator judged at this moment.
  absl::Status Committed(const TopicPartition& partition, const std::string& member,
                         int32_t generation, absl::Duration evaluated) const;

 private:
  struct Taking {
    std::string member;
    int32_t generation = 0;
    absl::Duration at;
  };
  struct Partition {
    std::map<std::string, int32_t> workers;  ///< Who may be at work on it, since which generation.
    Taking last;
    absl::Duration reclaimed = -absl::InfiniteDuration();
  };
  std::map<TopicPartition, Partition> partitions_;
  std::map<std::string, absl::Duration> leases_;
};

}  // namespace talosmq::support
