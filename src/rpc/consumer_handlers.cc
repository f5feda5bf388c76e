#include "rpc/consumer_handlers.h"

#include "rpc/group_messages.h"
#include "rpc/heartbeat_stream.h"
#include "rpc/unary_call.h"

#include <memory>
#include <utility>
#include <vector>

namespace talosmq::rpc {
namespace {

/// Answers each partition of a commit or a reset, which `partitions` names in their order.
template <typename Call>
group::CommitDone AnswerEach(Call call, std::vector<TopicPartition> partitions) {
  return [call = std::move(call),
          partitions = std::move(partitions)](const std::vector<absl::Status>& outcomes) {
    for (size_t i = 0; i < partitions.size(); ++i) {
      FillCommitted(partitions[i], outcomes[i], *call->response.add_partitions());
    }
    call->Finish(absl::OkStatus());
  };
}

}  // namespace

grpc::ServerUnaryReactor* ConsumerHandlers::Heartbeat(grpc::CallbackServerContext* context,
                                                      const grpc::ByteBuffer* request,
                                                      grpc::ByteBuffer* response) {
  return ServeUnary<v1::HeartbeatRequest, v1::HeartbeatResponse>(
      context, request, response, heartbeats_, [this, context](auto call) {
        auto heartbeat = HeartbeatOf(call->request, context->peer());
        if (!heartbeat.ok()) {
          call->Finish(heartbeat.status());
          return;
        }
        groups_.Heartbeat(*std::move(heartbeat), [call](const auto& reply) {
          if (reply.ok()) FillHeartbeat(*reply, call->response);
          call->Finish(reply.status());
        });
      });
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ConsumerHandlers::Heartbeats(
    grpc::CallbackServerContext* context) {
  const auto stream = std::make_shared<HeartbeatStream>(
      *context,
      HeartbeatStream::Environment{.registry = registry_,
                                   .connection = heartbeats_.ConnectionOf(context->peer()),
                                   .groups = groups_});
  stream->Begin();
  return stream.get();
}

grpc::ServerUnaryReactor* ConsumerHandlers::LeaveGroup(grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* request,
                                                       grpc::ByteBuffer* response) {
  return ServeUnary<v1::LeaveGroupRequest, v1::LeaveGroupResponse>(
      context, request, response, calls_, [this](auto call) {
        groups_.Leave({.group = call->request.group(),
                       .member_id = call->request.member_id(),
                       .keeps_partitions = call->request.keeps_partitions()},
                      [call](const absl::Status& left) { call->Finish(left); });
      });
}

grpc::ServerUnaryReactor* ConsumerHandlers::CommitOffsets(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* request,
                                                          grpc::ByteBuffer* response) {
  return ServeUnary<v1::CommitOffsetsRequest, v1::CommitOffsetsResponse>(
      context, request, response, calls_, [this](auto call) {
        auto commit = CommitOf(call->request);
        if (!commit.ok()) {
          call->Finish(commit.status());
          return;
        }
        std::vector<TopicPartition> partitions;
        for (const auto& offset : commit->offsets) partitions.push_back(offset.partition);
        groups_.Commit(*std::move(commit), AnswerEach(call, std::move(partitions)));
      });
}

grpc::ServerUnaryReactor* ConsumerHandlers::FetchOffsets(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request,
                                                         grpc::ByteBuffer* response) {
  return ServeUnary<v1::FetchOffsetsRequest, v1::FetchOffsetsResponse>(
      context, request, response, calls_, [this](auto call) {
        auto offsets = OffsetsOf(call->request);
        if (!offsets.ok()) {
          call->FinishRead(offsets.status());
          return;
        }
        groups_.FetchOffsets(*std::move(offsets), [call](const auto& found) {
          if (found.ok()) {
            for (const auto& [partition, value] : *found) {
              FillOffset(partition, value, *call->response.add_offsets());
            }
          }
          call->FinishRead(found.status());
        });
      });
}

grpc::ServerUnaryReactor* ConsumerHandlers::ResetOffsets(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request,
                                                         grpc::ByteBuffer* response) {
  return ServeUnary<v1::ResetOffsetsRequest, v1::ResetOffsetsResponse>(
      context, request, response, calls_, [this](auto call) {
        auto reset = ResetOf(call->request);
        if (!reset.ok()) {
          call->Finish(reset.status());
          return;
        }
        std::vector<TopicPartition> partitions;
        for (const auto& [partition, offset] : reset->offsets) partitions.push_back(partition);
        groups_.Reset(*std::move(reset), AnswerEach(call, std::move(partitions)));
      });
}

grpc::ServerUnaryReactor* ConsumerHandlers::ListGroups(grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* request,
                                                       grpc::ByteBuffer* response) {
  return ServeUnary<v1::ListGroupsRequest, v1::ListGroupsResponse>(
      context, request, response, calls_, [this](auto call) {
        groups_.List([call](const auto& groups) {
          if (groups.ok()) {
            for (const group::GroupSummary& summary : *groups) {
              FillGroup(summary, *call->response.add_groups());
            }
          }
          call->FinishRead(groups.status());
        });
      });
}

grpc::ServerUnaryReactor* ConsumerHandlers::DescribeGroup(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* request,
                                                          grpc::ByteBuffer* response) {
  return ServeUnary<v1::DescribeGroupRequest, v1::DescribeGroupResponse>(
      context, request, response, calls_, [this](auto call) {
        groups_.Describe(call->request.group(), [call](const auto& description) {
          if (description.ok()) FillDescription(*description, call->response);
          call->FinishRead(description.status());
        });
      });
}

grpc::ServerUnaryReactor* ConsumerHandlers::DeleteGroup(grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* request,
                                                        grpc::ByteBuffer* response) {
  return ServeUnary<v1::DeleteGroupRequest, v1::DeleteGroupResponse>(
      context, request, response, calls_, [this](auto call) {
        groups_.Delete(call->request.group(),
                       [call](const absl::Status& deleted) { call->Finish(deleted); });
      });
}

}  // namespace talosmq::rpc
