#pragma once

#include "loadgen/record_values.h"
#include "loadgen/run_result.h"
#include "loadgen/workload.h"
#include "talosmq/client.h"

#include "absl/status/statusor.h"

#include <string>

namespace talosmq::loadgen {

/// Sends the workload's records through one Producer with default options, from one thread, and
/// waits for every acknowledgement. Latency is from Send to the delivery, of every 64th record of a
/// batch. Fails when one record is not acknowledged.
absl::StatusOr<RunResult> RunProduce(Client& client, const Workload& workload,
                                     const BenchDeps& deps);

/// The part of it that a topic of somebody else's needs: sends to partitions [0, partitions).
struct ProduceTarget {
  std::string topic;
  int32_t partitions = 1;
};
absl::StatusOr<RunResult> SendRecords(Client& client, const ProduceTarget& target,
                                      const Workload& workload, const BenchDeps& deps);

}  // namespace talosmq::loadgen
