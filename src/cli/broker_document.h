#pragma once

#include "cli/document.h"
#include "talosmq/admin.h"

namespace talosmq::cli {

/// A row of `broker list` and of `cluster describe` for each broker.
Document DescribeBrokers(const ClusterInfo& cluster);

}  // namespace talosmq::cli
