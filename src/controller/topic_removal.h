#pragma once

#include "base/executor.h"
#include "controller/store_steps.h"
#include "talosmq/ids.h"

namespace talosmq::controller {

/// Takes `broker` out of the deletion record of `topic`, then FinishRemoval. OK when there is no
/// such record any more.
void ReportBrokerDone(const StoreSteps& steps, TopicId topic, BrokerId broker,
                      base::Callback<absl::Status> done);

/// Removes the keys of a deleted topic when no broker holds its data any more: partition states,
/// assignments, then name, topic and deletion record in one transaction. May be repeated after a
/// crash at any step.
void FinishRemoval(const StoreSteps& steps, TopicId topic, base::Callback<absl::Status> done);

/// Finishes every deletion whose record names no broker.
void FinishAllRemovals(const StoreSteps& steps, base::Callback<absl::Status> done);

/// Deletes assignments whose topic never became visible.
void SweepAssignments(const StoreSteps& steps, base::Callback<absl::Status> done);

}  // namespace talosmq::controller
