#pragma once

#include "talosmq/broadcast_consumer.h"
#include "talosmq/client.h"
#include "talosmq/consumer.h"
#include "talosmq/group_consumer.h"
#include "talosmq/group_push_consumer.h"
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
absl::Status CheckOptions(const BroadcastConsumerOptions& options);
absl::Status CheckOptions(const GroupOptions& options);
absl::Status CheckOptions(const GroupConsumerOptions& options);
absl::Status CheckOptions(const GroupPushConsumerOptions& options);
/// kInvalidArgument when it names nothing.
absl::Status CheckSubscription(const GroupSubscription& subscription);

}  // namespace talosmq::client
