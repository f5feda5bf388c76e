#include "loadgen/null_produce_bench.h"

#include "base/status.h"
#include "client/connect.h"
#include "client/null_transport.h"
#include "loadgen/produce_bench.h"

#include <memory>

namespace talosmq::loadgen {

absl::StatusOr<RunResult> RunNullProduce(const Workload& workload, const BenchDeps& deps) {
  TALOSMQ_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client,
                           client::ConnectWithTransport(
                               std::make_unique<client::NullTransport>(workload.partitions), {}));
  return SendRecords(*client,
                     {.topic = workload.topic.value_or("null"), .partitions = workload.partitions},
                     workload, deps);
}

}  // namespace talosmq::loadgen
