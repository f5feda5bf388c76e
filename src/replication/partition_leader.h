#pragma once

#include "replication/parked_acks.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <vector>

namespace talosmq::replication {

/// What an acknowledgement waits for.
enum class AckScope {
  kLeader,  ///< Durable on the leader.
  kInSync,  ///< Committed: durable on every replica of the in-sync set.
};

/// The beginning of one leadership.
struct LeaderTerm {
  LeaderEpoch epoch;
  std::set<BrokerId> in_sync;  ///< Holds the leader itself.
  Offset log_end;
  Offset durable_end;  ///< Of the leader's own log.
};

/// What the driver has to do after an input.
struct LeaderOutput {
  std::optional<Offset> high_watermark;  ///< The new one, when it moved.
  std::vector<ReleasedAck> released;     ///< In the order of their end offsets.
};

/// Leader of one partition as a pure state machine: inputs in, outputs out, no clock, no I/O.
/// It decides what is committed and which acknowledgements may be given.
///
/// Invariants:
/// 1. high_watermark() never goes down, also from one term to the next (G2).
/// 2. high_watermark() is at most the durable end of every member of the in-sync set; a member
///    that has not told its end since the term began holds it where it is.
/// 3. An acknowledgement is released once, under the epoch under which it was parked: with OK when
///    its scope has passed its end, with the error of End() otherwise.
/// Thread-compatible. Crash: all of it is found again from the log and the partition's state.
class PartitionLeader {
 public:
  explicit PartitionLeader(BrokerId self) : self_(self) {}

  /// The log was opened and no epoch has begun on it. What is durable on the only member of the
  /// in-sync set is committed; with several members only the next leader knows.
  LeaderOutput Recovered(const std::set<BrokerId>& in_sync, Offset durable_end);

  /// Begins to lead under an epoch above all before. Acknowledgements of the term before, if it
  /// was not ended, are released with kNotLeader.
  LeaderOutput Begin(const LeaderTerm& term);
  /// The epoch is over: releases all that is parked with `reason` (kNotLeader, kStorageFenced,
  /// ...).
  LeaderOutput End(const absl::Status& reason);

  /// The leader's log has grown to `log_end`.
  void AppendedTo(Offset log_end);
  /// The leader's own durable end; never goes down within a term.
  LeaderOutput LocalDurable(Offset end);
  /// A follower's durable end; ignored when told under another epoch than this term's.
  LeaderOutput FollowerDurable(BrokerId follower, LeaderEpoch epoch, Offset end);
  /// The in-sync set, united with every change that is not resolved yet. Holds the leader itself.
  LeaderOutput SetInSync(std::set<BrokerId> in_sync);

  /// Waits with `tag` for `end` under `scope`; released in the output if it has passed already.
  LeaderOutput Park(AckTag tag, Offset end, AckScope scope);

  bool is_leading() const { return is_leading_; }
  /// Of the present or the last term; kNoEpoch before the first.
  LeaderEpoch epoch() const { return epoch_; }
  Offset high_watermark() const { return high_watermark_; }
  Offset log_end() const { return log_end_; }
  size_t parked() const { return wait_leader_.size() + wait_in_sync_.size(); }

 private:
  Offset local_durable_end() const { return durable_ends_.at(self_); }
  /// Minimum over the in-sync set; nothing while a member's end is not known.
  std::optional<Offset> CommittedEnd() const;
  LeaderOutput Advance();

  const BrokerId self_;
  bool is_leading_ = false;
  LeaderEpoch epoch_ = kNoEpoch;
  std::set<BrokerId> in_sync_;
  /// As told under this epoch. Invariant while leading: has an entry for self_.
  std::map<BrokerId, Offset> durable_ends_;
  Offset log_end_;
  Offset high_watermark_;
  ParkedAcks wait_leader_;
  ParkedAcks wait_in_sync_;
};

}  // namespace talosmq::replication
