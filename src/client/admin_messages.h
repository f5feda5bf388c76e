#pragma once

#include "talosmq/admin.h"
#include "talosmq/v1/cluster.pb.h"
#include "talosmq/v1/dump.pb.h"
#include "talosmq/v1/topic.pb.h"

#include "absl/status/statusor.h"

#include <string>

namespace talosmq::client {

// Between the messages of the wire and the values of the public API. kInternal for an id that has
// not 16 bytes.

absl::StatusOr<TopicId> ReadTopicId(const std::string& bytes);
absl::StatusOr<TopicSummary> ReadTopicSummary(const v1::TopicSummary& topic);
absl::StatusOr<TopicInfo> ReadTopicInfo(const v1::DescribeTopicResponse& topic);
ClusterInfo ReadClusterInfo(const v1::DescribeClusterResponse& cluster);
ClusterHealth ReadClusterHealth(const v1::CheckHealthResponse& health);
absl::StatusOr<DumpInfo> ReadDumpInfo(const v1::DumpDescription& dump);
void WriteDumpDefinition(const DumpDefinition& dump, v1::DumpDefinition& message);

}  // namespace talosmq::client
