#pragma once

#include "client/client_core.h"
#include "talosmq/admin.h"

#include "absl/status/statusor.h"

#include <map>
#include <string>
#include <vector>

namespace talosmq::client {

// The calls of Admin about groups, see there. Each blocks.

absl::StatusOr<std::vector<GroupSummary>> ListGroups(ClientCore& core);
absl::StatusOr<GroupInfo> DescribeGroup(ClientCore& core, const std::string& group);
absl::StatusOr<std::map<PartitionId, Offset>> ResetGroupOffsets(ClientCore& core,
                                                                const GroupReset& reset);
absl::StatusOr<std::map<PartitionId, CommittedOffset>> FetchGroupOffsets(ClientCore& core,
                                                                         const std::string& group,
                                                                         const std::string& topic);

}  // namespace talosmq::client
