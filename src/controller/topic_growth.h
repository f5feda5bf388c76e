#pragma once

#include "controller/store_steps.h"

#include <cstdint>
#include <string>

namespace talosmq::controller {

/// Raises the number of partitions of a topic to `total`, by one transaction with the assignments
/// of the new ones (what does not fit in it goes ahead, beyond the count that is visible). Begins
/// anew when somebody else changes the topic meanwhile. Answers with the revision that shows it.
void GrowTopic(const StoreSteps& steps, std::string name, int32_t total,
               base::Callback<absl::StatusOr<metadata::Revision>> done);

}  // namespace talosmq::controller
