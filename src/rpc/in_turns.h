#pragma once

#include "base/executor.h"

#include <functional>

namespace talosmq::rpc {

/// Calls `ask` with 0 to count - 1 in this order, with at most `at_once_max` of them unanswered,
/// then `all_done`. Each `done` is called exactly once, on any thread, also inside of `ask`;
/// several may come at the same time. `count` and `at_once_max` are at least 1.
void AskInTurns(int count, int at_once_max, std::function<void(int index, base::Task done)> ask,
                base::Task all_done);

}  // namespace talosmq::rpc
