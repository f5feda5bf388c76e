#include "kafka/served_apis.h"

#include "base/text.h"
#include "kafka/error_code.h"
#include "kafka/handlers.h"
#include "kafka/protocol/apis.h"

#include <algorithm>
#include <utility>

namespace talosmq::kafka {
namespace {

template <typename Request, typename Response>
void Run(const Services& services, Caller caller, Decoder& decoder) {
  const int16_t version = caller.header.version;
  auto exchange = std::make_shared<Exchange<Request, Response>>(std::move(caller));
  const absl::Status decoded = Decode(decoder, version, exchange->request);
  exchange->NoteDecoded(decoder);
  if (!decoded.ok()) {
    return exchange->EndConnection(base::StrCat(ApiOf(Request::kKey).name, " version ", version,
                                                ": ", base::FromAbsl(decoded.message())));
  }
  Handle(services, std::move(exchange));
}

struct ServedApi {
  ApiKey key;
  int16_t version_min;
  int16_t version_max;
  void (*run)(const Services& services, Caller caller, Decoder& decoder);
};

constexpr ServedApi kServed[] = {
    {ApiKey::kProduce, 0, 9, Run<ProduceRequest, ProduceResponse>},
    {ApiKey::kFetch, 4, 12, Run<FetchRequest, FetchResponse>},
    {ApiKey::kListOffsets, 0, 6, Run<ListOffsetsRequest, ListOffsetsResponse>},
    {ApiKey::kMetadata, 0, 12, Run<MetadataRequest, MetadataResponse>},
    {ApiKey::kOffsetCommit, 0, 8, Run<OffsetCommitRequest, OffsetCommitResponse>},
    {ApiKey::kOffsetFetch, 0, 8, Run<OffsetFetchRequest, OffsetFetchResponse>},
    {ApiKey::kFindCoordinator, 0, 4, Run<FindCoordinatorRequest, FindCoordinatorResponse>},
    {ApiKey::kJoinGroup, 0, 9, Run<JoinGroupRequest, JoinGroupResponse>},
    {ApiKey::kHeartbeat, 0, 4, Run<HeartbeatRequest, HeartbeatResponse>},
    {ApiKey::kLeaveGroup, 0, 5, Run<LeaveGroupRequest, LeaveGroupResponse>},
    {ApiKey::kSyncGroup, 0, 5, Run<SyncGroupRequest, SyncGroupResponse>},
    {ApiKey::kDescribeGroups, 0, 5, Run<DescribeGroupsRequest, DescribeGroupsResponse>},
    {ApiKey::kListGroups, 0, 4, Run<ListGroupsRequest, ListGroupsResponse>},
    {ApiKey::kSaslHandshake, 0, 1, Run<SaslHandshakeRequest, SaslHandshakeResponse>},
    {ApiKey::kApiVersions, 0, 4, Run<ApiVersionsRequest, ApiVersionsResponse>},
    {ApiKey::kCreateTopics, 0, 7, Run<CreateTopicsRequest, CreateTopicsResponse>},
    {ApiKey::kDeleteTopics, 0, 6, Run<DeleteTopicsRequest, DeleteTopicsResponse>},
    {ApiKey::kDeleteRecords, 0, 2, Run<DeleteRecordsRequest, DeleteRecordsResponse>},
    {ApiKey::kInitProducerId, 0, 4, Run<InitProducerIdRequest, InitProducerIdResponse>},
    {ApiKey::kOffsetForLeaderEpoch, 0, 4,
     Run<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse>},
    {ApiKey::kAlterConfigs, 0, 2, Run<AlterConfigsRequest, AlterConfigsResponse>},
    {ApiKey::kDescribeLogDirs, 0, 4, Run<DescribeLogDirsRequest, DescribeLogDirsResponse>},
    {ApiKey::kOffsetDelete, 0, 0, Run<OffsetDeleteRequest, OffsetDeleteResponse>},
    {ApiKey::kDescribeProducers, 0, 0, Run<DescribeProducersRequest, DescribeProducersResponse>},
    {ApiKey::kDescribeConfigs, 0, 4, Run<DescribeConfigsRequest, DescribeConfigsResponse>},
    {ApiKey::kSaslAuthenticate, 0, 2, Run<SaslAuthenticateRequest, SaslAuthenticateResponse>},
    {ApiKey::kCreatePartitions, 0, 3, Run<CreatePartitionsRequest, CreatePartitionsResponse>},
    {ApiKey::kDeleteGroups, 0, 2, Run<DeleteGroupsRequest, DeleteGroupsResponse>},
    {ApiKey::kIncrementalAlterConfigs, 0, 1,
     Run<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse>},
    {ApiKey::kDescribeCluster, 0, 1, Run<DescribeClusterRequest, DescribeClusterResponse>},
};

/// Whoever asks for a version of ApiVersions that we do not know reads this and asks again.
void AnswerUnknownApiVersions(Caller caller) {
  ApiVersionsResponse response;
  response.error_code = Wire(ErrorCode::kUnsupportedVersion);
  response.api_keys = ServedRanges();
  Encoder encoder;
  EncodeResponseHeader(encoder, ApiOf(ApiKey::kApiVersions), 0, caller.header.correlation_id);
  Encode(encoder, 0, response);
  auto frame = std::move(encoder).Take();
  if (frame.ok()) return caller.answer(*std::move(frame));
  caller.answer(EndOfConnection{std::string(base::FromAbsl(frame.status().message()))});
}

}  // namespace

std::vector<ApiVersionsResponse::ApiRange> ServedRanges() {
  std::vector<ApiVersionsResponse::ApiRange> ranges;
  for (const ServedApi& api : kServed) {
    ranges.push_back({.api_key = static_cast<int16_t>(api.key),
                      .min_version = api.version_min,
                      .max_version = api.version_max});
  }
  return ranges;
}

bool MayAnswerMuch(int16_t api_key) {
  constexpr ApiKey kLarge[] = {ApiKey::kFetch, ApiKey::kDescribeGroups, ApiKey::kDescribeConfigs,
                               ApiKey::kDescribeLogDirs, ApiKey::kDescribeProducers};
  return std::ranges::any_of(
      kLarge, [api_key](ApiKey key) { return static_cast<int16_t>(key) == api_key; });
}

void Serve(const Services& services, Caller caller, Decoder decoder) {
  const RequestHeader& header = caller.header;
  const auto* const served = std::ranges::find_if(kServed, [&](const ServedApi& api) {
    return static_cast<int16_t>(api.key) == header.api_key;
  });
  const bool is_served = served != std::end(kServed) && served->version_min <= header.version &&
                         header.version <= served->version_max;
  if (is_served) {
    caller.metrics->CountRequest(ApiOf(served->key).name, header.version);
    return served->run(services, std::move(caller), decoder);
  }
  if (header.api_key == static_cast<int16_t>(ApiKey::kApiVersions)) {
    return AnswerUnknownApiVersions(std::move(caller));
  }
  const std::string why =
      base::StrCat("API ", header.api_key, " is not served in version ", header.version);
  caller.answer(EndOfConnection{why});
}

}  // namespace talosmq::kafka
