#pragma once

#include "base/executor.h"
#include "client/client_core.h"
#include "talosmq/consumer.h"

#include "absl/status/statusor.h"

#include <vector>

namespace talosmq::client {

struct OffsetQuestion {
  PartitionId partition;
  Position position;
};

/// Where the positions are now, in the order of the questions; an Offset is its own answer. Asks
/// again while the answer is transient, up to the client's request_timeout; the error of the first
/// partition that fails names it. Thread-safe; `done` runs on the executor.
void FindOffsets(ClientCore& core, TopicId topic, std::vector<OffsetQuestion> questions,
                 base::Callback<absl::StatusOr<std::vector<Offset>>> done);

}  // namespace talosmq::client
