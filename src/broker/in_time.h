#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "base/text.h"
#include "broker/try_post.h"
#include "talosmq/error.h"

#include "absl/time/time.h"

#include <string_view>
#include <utility>

namespace talosmq::broker {

/// Where a change waits for its turn, and until when it may begin.
struct Turn {
  base::Executor& executor;
  const base::Clock& clock;
  absl::Duration deadline;  ///< By the monotonic clock.
  std::string_view what;    ///< "create topic", for messages. Outlives the change.
};

/// Runs `run`, which is given `done`, when its turn comes. Answers `done` with kOverloaded when the
/// queue is full, and with kDeadlineExceeded when the deadline has passed by then: the caller was
/// told that it is over, so nothing is changed any more. Outcome is made from an absl::Status.
template <typename Outcome, typename Run>
void RunInTime(const Turn& turn, base::Callback<Outcome> done, Run run) {
  const bool is_posted =
      TryPostWith(turn.executor, done,
                  [&clock = turn.clock, deadline = turn.deadline, what = turn.what,
                   run = std::move(run)](base::Callback<Outcome> answer) mutable {
                    if (clock.Monotonic() >= deadline) {
                      return answer(MakeError(Reason::kDeadlineExceeded,
                                              base::StrCat(what,
                                                           ": the deadline passed before it began; "
                                                           "nothing is changed")));
                    }
                    run(std::move(answer));
                  });
  if (!is_posted) {
    done(
        MakeError(Reason::kOverloaded, base::StrCat(turn.what, ": too many changes wait already")));
  }
}

}  // namespace talosmq::broker
