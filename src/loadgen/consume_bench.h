#pragma once

#include "loadgen/run_result.h"
#include "loadgen/workload.h"
#include "talosmq/client.h"

#include "absl/status/statusor.h"

namespace talosmq::loadgen {

/// Reads the workload's records through Consumer::Poll. A topic of the bench's own is filled
/// before, with no more than the server keeps in its cache, and read over and over; a topic that
/// was given is read once, from its start, and must hold that many. Latency is what one Poll took.
absl::StatusOr<RunResult> RunConsume(Client& client, const Workload& workload,
                                     const BenchDeps& deps);

}  // namespace talosmq::loadgen
