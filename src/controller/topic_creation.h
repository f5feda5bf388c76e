#pragma once

#include "controller/store_steps.h"
#include "controller/topic_controller.h"

namespace talosmq::controller {

/// Stores assignments under `id`, which nobody knows yet, then makes the topic visible in one
/// transaction. `topic` has passed its checks but for the number of brokers; partitions and
/// replicas are set.
void CreateTopic(const StoreSteps& steps, TopicId id, absl::Time now, NewTopic topic,
                 base::Callback<absl::StatusOr<CreatedTopic>> done);

/// The registered brokers, in id order.
void ListBrokers(const StoreSteps& steps,
                 base::Callback<absl::StatusOr<std::vector<BrokerId>>> done);

/// Puts of the chunks that hold `added`, the replicas of the partitions from `first` on.
/// `begun`: the stored chunk that `first` falls into; empty when `first` begins one.
std::vector<metadata::Operation> PutAssignments(const TopicId& id, int32_t first,
                                                const std::vector<std::vector<BrokerId>>& added,
                                                metadata::AssignmentChunk begun);

}  // namespace talosmq::controller
