#pragma once

#include "base/executor.h"

#include <memory>
#include <utility>

namespace talosmq::broker {

/// Posts `run`, which is given `done` when its turn comes; false, with `done` as it was, when the
/// queue of `executor` is full.
template <typename Outcome, typename Run>
[[nodiscard]] bool TryPostWith(base::Executor& executor, base::Callback<Outcome>& done, Run run) {
  auto owned = std::make_unique<base::Callback<Outcome>>(std::move(done));
  base::Callback<Outcome>& lent = *owned;
  base::Task task = [run = std::move(run), owned = std::move(owned)]() mutable {
    run(std::move(*owned));
  };
  if (executor.TryPost(task)) return true;
  done = std::move(lent);
  return false;
}

}  // namespace talosmq::broker
