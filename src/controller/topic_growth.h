#pragma once

#include "controller/store_steps.h"

#include <cstdint>
#include <string>

namespace talosmq::controller {

/// Raises the number of partitions of a topic to `total`: stores the assignments of the new ones
/// first, beyond the count that is visible, then the count. Begins anew when somebody else changes
/// the topic meanwhile. Answers with the revision that shows it.
void GrowTopic(const StoreSteps& steps, std::string name, int32_t total,
               base::Callback<absl::StatusOr<metadata::Revision>> done);

}  // namespace talosmq::controller
