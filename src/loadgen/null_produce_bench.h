#pragma once

#include "loadgen/run_result.h"
#include "loadgen/workload.h"

#include "absl/status/statusor.h"

namespace talosmq::loadgen {

/// RunProduce against a transport that takes everything at once and keeps nothing: what the SDK
/// alone costs. Needs no server.
absl::StatusOr<RunResult> RunNullProduce(const Workload& workload, const BenchDeps& deps);

}  // namespace talosmq::loadgen
