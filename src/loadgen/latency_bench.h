#pragma once

#include "loadgen/run_result.h"
#include "loadgen/workload.h"
#include "talosmq/client.h"

#include "absl/status/statusor.h"

namespace talosmq::loadgen {

struct LatencyResult {
  /// From the moment a record was due to be sent until Poll returned it, at the workload's rate
  /// (10,000 a second when it names none).
  RunResult end_to_end;
  /// One record sent, its acknowledgement waited for, then the next.
  RunResult durable_put;
};

/// Both measured with values of at least 8 bytes. What comes first, one record in ten but at most
/// 1,000, warms up and is not counted.
absl::StatusOr<LatencyResult> RunLatency(Client& client, const Workload& workload,
                                         const BenchDeps& deps);

}  // namespace talosmq::loadgen
