#pragma once

#include "broker/groups.h"
#include "talosmq/v1/consumer.pb.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <string>
#include <vector>

namespace talosmq::rpc {

// Between the messages of ConsumerService and the broker's requests. What a client got wrong is
// kInvalidArgument, or what ParseTarget says.

/// "ipv4:10.0.0.1:4711" as gRPC names a peer: "10.0.0.1".
std::string HostOf(std::string_view peer);

absl::StatusOr<group::HeartbeatRequest> HeartbeatOf(const v1::HeartbeatRequest& request,
                                                    std::string_view peer);
absl::StatusOr<group::CommitRequest> CommitOf(const v1::CommitOffsetsRequest& request);
absl::StatusOr<group::OffsetsRequest> OffsetsOf(const v1::FetchOffsetsRequest& request);
absl::StatusOr<group::ResetRequest> ResetOf(const v1::ResetOffsetsRequest& request);

void FillHeartbeat(const group::HeartbeatReply& reply, v1::HeartbeatResponse& to);
void FillOffset(const TopicPartition& partition, const group::CommittedOffset& value,
                v1::CommittedOffset& to);
void FillCommitted(const TopicPartition& partition, const absl::Status& status,
                   v1::CommittedPartition& to);
void FillGroup(const group::GroupSummary& summary, v1::ListedGroup& to);
void FillDescription(const group::GroupDescription& description, v1::DescribeGroupResponse& to);

}  // namespace talosmq::rpc
