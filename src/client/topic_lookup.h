#pragma once

#include "client/client_core.h"
#include "client/metadata_cache.h"

#include "absl/status/statusor.h"

#include <string>

namespace talosmq::client {

/// The topic that has this name now, asking again while the answer is transient, up to the client's
/// request_timeout. Thread-safe; blocks, so not on the executor.
absl::StatusOr<TopicImagePtr> FindTopic(ClientCore& core, std::string name);

}  // namespace talosmq::client
