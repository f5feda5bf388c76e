#pragma once

#include "base/executor.h"
#include "group/group_records.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace talosmq::group {

/// The two clocks at one moment. Leases and waits go by the monotonic one, what is written and
/// what expires after days by the wall clock.
struct Now {
  absl::Duration monotonic;
  absl::Time wall;
};

/// What has happened since the coordinator was made.
struct CoordinatorCounts {
  int64_t rebalances = 0;  ///< Partitions of a group were dealt anew.
  int64_t moves = 0;       ///< A partition got an owner.
  int64_t expiries = 0;    ///< A member's lease ended.
  int64_t commits = 0;     ///< Of one partition each.
};

/// Gives an answer out: with OK the one that was meant, else the error, which says why what the
/// answer tells of could not be made durable.
using PendingReply = base::Callback<const absl::Status&>;

/// What follows from an event, in this order: `changes` are appended to the log, and `replies` run
/// once they, and all before them, are committed; with nothing under way at once. Many changes take
/// several batches, so a crash may leave the first ones alone: in their order no partition has two
/// owners meanwhile.
struct Output {
  std::vector<Change> changes = {};
  std::vector<PendingReply> replies = {};
};

template <typename T>
void FailAnswer(absl::StatusOr<T>& answer, const absl::Status& why) {
  answer = why;
}
inline void FailAnswer(absl::Status& answer, const absl::Status& why) { answer = why; }
inline void FailAnswer(std::vector<absl::Status>& answers, const absl::Status& why) {
  std::ranges::fill(answers, why);
}

/// Adds the reply that calls `done` with `answer`.
template <typename Answer>
void AddReply(Output& output, base::Callback<Answer> done, Answer answer) {
  output.replies.push_back(
      [done = std::move(done), answer = std::move(answer)](const absl::Status& committed) mutable {
        if (!committed.ok()) FailAnswer(answer, committed);
        done(std::move(answer));
      });
}

}  // namespace talosmq::group
