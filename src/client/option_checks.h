#pragma once

#include "talosmq/client.h"
#include "talosmq/consumer.h"
#include "talosmq/partition_reader.h"
#include "talosmq/producer.h"
#include "talosmq/push_consumer.h"

#include "absl/status/status.h"

namespace talosmq::client {

/// kInvalidArgument naming key, range and value of the first option that is out of its bounds.
absl::Status CheckOptions(const ClientOptions& options);
absl::Status CheckOptions(const ProducerOptions& options);
absl::Status CheckOptions(const ConsumerOptions& options);
absl::Status CheckOptions(const PushConsumerOptions& options);
absl::Status CheckOptions(const FetchOnceOptions& options);

}  // namespace talosmq::client
