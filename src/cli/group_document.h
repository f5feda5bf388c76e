#pragma once

#include "cli/document.h"
#include "talosmq/admin.h"

namespace talosmq::cli {

/// {"group", "kind", "state", "members"}.
Document SummarizeGroup(const GroupSummary& group);

/// All of it, with a table of members and one of partitions.
Document DescribeGroup(const GroupInfo& group);

}  // namespace talosmq::cli
