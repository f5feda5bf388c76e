#pragma once

#include "kafka/exchange.h"
#include "kafka/protocol/alter_configs.h"
#include "kafka/protocol/api_versions.h"
#include "kafka/protocol/create_partitions.h"
#include "kafka/protocol/create_topics.h"
#include "kafka/protocol/delete_groups.h"
#include "kafka/protocol/delete_records.h"
#include "kafka/protocol/delete_topics.h"
#include "kafka/protocol/describe_cluster.h"
#include "kafka/protocol/describe_configs.h"
#include "kafka/protocol/describe_groups.h"
#include "kafka/protocol/describe_log_dirs.h"
#include "kafka/protocol/describe_producers.h"
#include "kafka/protocol/fetch.h"
#include "kafka/protocol/find_coordinator.h"
#include "kafka/protocol/heartbeat.h"
#include "kafka/protocol/incremental_alter_configs.h"
#include "kafka/protocol/init_producer_id.h"
#include "kafka/protocol/join_group.h"
#include "kafka/protocol/leave_group.h"
#include "kafka/protocol/list_groups.h"
#include "kafka/protocol/list_offsets.h"
#include "kafka/protocol/metadata.h"
#include "kafka/protocol/offset_commit.h"
#include "kafka/protocol/offset_delete.h"
#include "kafka/protocol/offset_fetch.h"
#include "kafka/protocol/offset_for_leader_epoch.h"
#include "kafka/protocol/produce.h"
#include "kafka/protocol/sasl_authenticate.h"
#include "kafka/protocol/sasl_handshake.h"
#include "kafka/protocol/sync_group.h"
#include "kafka/services.h"

#include <memory>

namespace talosmq::kafka {

// One handler for each API, in a file of its name. It starts what has to be done and returns;
// requests of one connection reach their handlers in order.

template <typename Request, typename Response>
using ExchangePtr = std::shared_ptr<Exchange<Request, Response>>;

void Handle(const Services&, ExchangePtr<AlterConfigsRequest, AlterConfigsResponse>);
void Handle(const Services&, ExchangePtr<ApiVersionsRequest, ApiVersionsResponse>);
void Handle(const Services&, ExchangePtr<CreatePartitionsRequest, CreatePartitionsResponse>);
void Handle(const Services&, ExchangePtr<CreateTopicsRequest, CreateTopicsResponse>);
void Handle(const Services&, ExchangePtr<DeleteGroupsRequest, DeleteGroupsResponse>);
void Handle(const Services&, ExchangePtr<DeleteRecordsRequest, DeleteRecordsResponse>);
void Handle(const Services&, ExchangePtr<DeleteTopicsRequest, DeleteTopicsResponse>);
void Handle(const Services&, ExchangePtr<DescribeClusterRequest, DescribeClusterResponse>);
void Handle(const Services&, ExchangePtr<DescribeConfigsRequest, DescribeConfigsResponse>);
void Handle(const Services&, ExchangePtr<DescribeGroupsRequest, DescribeGroupsResponse>);
void Handle(const Services&, ExchangePtr<DescribeLogDirsRequest, DescribeLogDirsResponse>);
void Handle(const Services&, ExchangePtr<DescribeProducersRequest, DescribeProducersResponse>);
void Handle(const Services&, ExchangePtr<FetchRequest, FetchResponse>);
void Handle(const Services&, ExchangePtr<FindCoordinatorRequest, FindCoordinatorResponse>);
void Handle(const Services&, ExchangePtr<HeartbeatRequest, HeartbeatResponse>);
void Handle(const Services&,
            ExchangePtr<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse>);
void Handle(const Services&, ExchangePtr<InitProducerIdRequest, InitProducerIdResponse>);
void Handle(const Services&, ExchangePtr<JoinGroupRequest, JoinGroupResponse>);
void Handle(const Services&, ExchangePtr<LeaveGroupRequest, LeaveGroupResponse>);
void Handle(const Services&, ExchangePtr<ListGroupsRequest, ListGroupsResponse>);
void Handle(const Services&, ExchangePtr<ListOffsetsRequest, ListOffsetsResponse>);
void Handle(const Services&, ExchangePtr<MetadataRequest, MetadataResponse>);
void Handle(const Services&, ExchangePtr<OffsetCommitRequest, OffsetCommitResponse>);
void Handle(const Services&, ExchangePtr<OffsetDeleteRequest, OffsetDeleteResponse>);
void Handle(const Services&, ExchangePtr<OffsetFetchRequest, OffsetFetchResponse>);
void Handle(const Services&,
            ExchangePtr<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse>);
void Handle(const Services&, ExchangePtr<ProduceRequest, ProduceResponse>);
void Handle(const Services&, ExchangePtr<SaslAuthenticateRequest, SaslAuthenticateResponse>);
void Handle(const Services&, ExchangePtr<SaslHandshakeRequest, SaslHandshakeResponse>);
void Handle(const Services&, ExchangePtr<SyncGroupRequest, SyncGroupResponse>);

}  // namespace talosmq::kafka
