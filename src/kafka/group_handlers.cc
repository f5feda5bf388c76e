#include "base/text.h"
#include "kafka/error_code.h"
#include "kafka/handlers.h"

#include <utility>

// What members of a classic group ask for, and who coordinates it.
namespace talosmq::kafka {
namespace {

constexpr int8_t kGroupKey = 0;
constexpr int8_t kTransactionKey = 1;
constexpr int16_t kFirstVersionWithToldId = 4;  // Of JoinGroup.
constexpr int16_t kFirstVersionWithSkip = 9;    // Of JoinGroup.
constexpr int16_t kFirstVersionWithManyLeaves = 3;
constexpr int16_t kFirstVersionWithManyKeys = 4;  // Of FindCoordinator.

std::string Text(std::optional<std::string_view> text) { return std::string(text.value_or("")); }
std::optional<std::string> NullableText(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

}  // namespace

void Handle(const Services& services,
            ExchangePtr<FindCoordinatorRequest, FindCoordinatorResponse> exchange) {
  const FindCoordinatorRequest& request = exchange->request;
  FindCoordinatorResponse& response = exchange->response;
  const bool is_group = request.key_type == kGroupKey;
  ErrorCode code = ErrorCode::kNone;
  std::optional<std::string> message;
  if (request.key_type == kTransactionKey) {
    // Retried by nobody, unlike "not available": it is for good.
    code = ErrorCode::kTransactionalIdAuthorizationFailed;
    message = "transactions are not supported";
  } else if (!is_group) {
    code = ErrorCode::kInvalidRequest;
    message = base::StrCat("expected a group, key type 0, found ", int{request.key_type});
  }
  const int32_t node = is_group ? services.cluster.GetServerInfo().broker.value() : -1;
  const Endpoint endpoint = is_group ? exchange->caller().endpoint : Endpoint();
  if (exchange->version() < kFirstVersionWithManyKeys) {
    response.error_code = Wire(code);
    response.error_message = message;
    response.node_id = node;
    response.host = endpoint.host;
    response.port = endpoint.port;
    return;
  }
  for (const std::string_view key : request.coordinator_keys) {
    response.coordinators.push_back({.key = std::string(key),
                                     .node_id = node,
                                     .host = endpoint.host,
                                     .port = endpoint.port,
                                     .error_code = Wire(code),
                                     .error_message = message});
  }
}

void Handle(const Services& services, ExchangePtr<JoinGroupRequest, JoinGroupResponse> exchange) {
  const JoinGroupRequest& request = exchange->request;
  const int16_t version = exchange->version();
  group::ClassicJoinRequest join{
      .group = std::string(request.group_id),
      .member_id = std::string(request.member_id),
      .instance_id = Text(request.group_instance_id),
      .client_id = Text(exchange->caller().header.client_id),
      .host = exchange->caller().host,
      .session_timeout = absl::Milliseconds(request.session_timeout_ms),
      .rebalance_timeout = absl::Milliseconds(version == 0 ? request.session_timeout_ms
                                                           : request.rebalance_timeout_ms),
      .protocol_type = std::string(request.protocol_type),
      .first_join = version >= kFirstVersionWithToldId
                        ? group::ClassicJoinRequest::FirstJoin::kTellId
                        : group::ClassicJoinRequest::FirstJoin::kAdmit};
  for (const auto& protocol : request.protocols) {
    join.protocols.push_back(
        {.name = std::string(protocol.name), .metadata = std::string(protocol.metadata)});
  }
  exchange->response.error_code = Wire(ErrorCode::kUnknownServerError);
  services.groups.Join(std::move(join), [exchange = std::move(exchange)](
                                            const group::ClassicJoinOutcome& outcome) mutable {
    JoinGroupResponse& response = exchange->response;
    const group::ClassicJoinReply& reply = outcome.reply;
    response.error_code = WireGroupErrorOf(outcome.status);
    response.member_id = outcome.status.ok() || !reply.member_id.empty()
                             ? reply.member_id
                             : std::string(exchange->request.member_id);
    if (outcome.status.ok()) {
      response.generation_id = reply.generation;
      response.protocol_type = reply.protocol_type;
      response.protocol_name = reply.protocol;
      response.leader = reply.leader;
      // A member that does not know the flag must not take itself for the leader.
      const bool knows_skip = exchange->version() >= kFirstVersionWithSkip;
      if (reply.skips_assignment && !knows_skip) response.leader.clear();
      response.skip_assignment = reply.skips_assignment && knows_skip;
      for (const auto& member : reply.members) {
        response.members.push_back({.member_id = member.member_id,
                                    .group_instance_id = NullableText(member.instance_id),
                                    .metadata = member.metadata});
      }
    }
    exchange.reset();
  });
}

void Handle(const Services& services, ExchangePtr<SyncGroupRequest, SyncGroupResponse> exchange) {
  const SyncGroupRequest& request = exchange->request;
  group::ClassicSyncRequest sync{.group = std::string(request.group_id),
                                 .member_id = std::string(request.member_id),
                                 .instance_id = Text(request.group_instance_id),
                                 .generation = request.generation_id};
  if (request.protocol_type) sync.protocol_type = std::string(*request.protocol_type);
  if (request.protocol_name) sync.protocol = std::string(*request.protocol_name);
  for (const auto& assignment : request.assignments) {
    sync.assignments.emplace(assignment.member_id, assignment.assignment);
  }
  exchange->response.error_code = Wire(ErrorCode::kUnknownServerError);
  services.groups.Sync(std::move(sync),
                       [exchange = std::move(exchange)](
                           const absl::StatusOr<group::ClassicSyncReply>& reply) mutable {
                         exchange->response.error_code = WireGroupErrorOf(reply.status());
                         if (reply.ok()) {
                           exchange->response.protocol_type = reply->protocol_type;
                           exchange->response.protocol_name = reply->protocol;
                           exchange->response.assignment = reply->assignment;
                         }
                         exchange.reset();
                       });
}

void Handle(const Services& services, ExchangePtr<HeartbeatRequest, HeartbeatResponse> exchange) {
  const HeartbeatRequest& request = exchange->request;
  exchange->response.error_code = Wire(ErrorCode::kUnknownServerError);
  services.groups.ClassicHeartbeat(
      {.group = std::string(request.group_id),
       .member_id = std::string(request.member_id),
       .instance_id = Text(request.group_instance_id),
       .generation = request.generation_id},
      [exchange = std::move(exchange)](const absl::Status& status) mutable {
        exchange->response.error_code = WireGroupErrorOf(status);
        exchange.reset();
      });
}

void Handle(const Services& services, ExchangePtr<LeaveGroupRequest, LeaveGroupResponse> exchange) {
  const LeaveGroupRequest& request = exchange->request;
  group::ClassicLeaveRequest leave{.group = std::string(request.group_id), .members = {}};
  if (exchange->version() < kFirstVersionWithManyLeaves) {
    leave.members.push_back({.member_id = std::string(request.member_id), .instance_id = {}});
  }
  for (const auto& member : request.members) {
    leave.members.push_back({.member_id = std::string(member.member_id),
                             .instance_id = Text(member.group_instance_id)});
  }
  exchange->response.error_code = Wire(ErrorCode::kUnknownServerError);
  services.groups.ClassicLeave(
      std::move(leave),
      [exchange = std::move(exchange)](const std::vector<absl::Status>& statuses) mutable {
        LeaveGroupResponse& response = exchange->response;
        response.error_code = Wire(ErrorCode::kNone);
        if (exchange->version() < kFirstVersionWithManyLeaves) {
          response.error_code = WireGroupErrorOf(statuses.front());
        } else {
          const auto& members = exchange->request.members;
          for (size_t i = 0; i < members.size(); ++i) {
            response.members.push_back(
                {.member_id = std::string(members[i].member_id),
                 .group_instance_id = NullableText(Text(members[i].group_instance_id)),
                 .error_code = WireGroupErrorOf(statuses[i])});
          }
        }
        exchange.reset();
      });
}

}  // namespace talosmq::kafka
