#include "rpc/topic_handlers.h"

#include "base/text.h"
#include "rpc/error_status.h"
#include "rpc/limits.h"
#include "rpc/topic_messages.h"
#include "rpc/unary_call.h"

#include <utility>

namespace talosmq::rpc {
namespace {

std::map<std::string, std::string> ToMap(
    const google::protobuf::Map<std::string, std::string>& configs) {
  return {configs.begin(), configs.end()};
}

broker::TopicCreation CreationOf(const v1::CreateTopicRequest& request) {
  broker::TopicCreation creation;
  creation.name = request.name();
  if (request.has_partitions()) creation.partitions = request.partitions();
  if (request.has_replicas()) creation.replicas = request.replicas();
  creation.configs = ToMap(request.configs());
  return creation;
}

}  // namespace

grpc::ServerUnaryReactor* TopicHandlers::CreateTopic(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request,
                                                     grpc::ByteBuffer* response) {
  return ServeUnary<v1::CreateTopicRequest, v1::CreateTopicResponse>(
      context, request, response, calls_, [this](auto call) {
        topics_.Create(CreationOf(call->request), call->DeadlineBy(clock_),
                       [call](const auto& topic) {
                         if (topic.ok()) {
                           v1::TopicSummary summary;
                           FillSummary(**topic, summary);
                           call->response.set_topic_id(summary.topic_id());
                           call->response.set_partitions(summary.partitions());
                           call->response.set_replicas(summary.replicas());
                         }
                         call->Finish(topic.status());
                       });
      });
}

grpc::ServerUnaryReactor* TopicHandlers::DescribeTopic(grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* request,
                                                       grpc::ByteBuffer* response) {
  return ServeUnary<v1::DescribeTopicRequest, v1::DescribeTopicResponse>(
      context, request, response, calls_, [this](auto call) {
        const auto topic = topics_.image()->FindTopic(std::string_view(call->request.name()));
        const size_t partitions = topic == nullptr ? 0 : topic->partitions.size();
        const absl::Status room =
            call->Reserve(static_cast<int64_t>(partitions) * kDescribedPartitionBytes);
        if (!room.ok()) {
          call->FinishRead(room);
          return;
        }
        topics_.Describe(call->request.name(), [call](const auto& description) {
          if (description.ok()) FillDescription(*description, call->response);
          call->FinishRead(description.status());
        });
      });
}

grpc::ServerUnaryReactor* TopicHandlers::ListTopics(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* request,
                                                    grpc::ByteBuffer* response) {
  return ServeUnary<v1::ListTopicsRequest, v1::ListTopicsResponse>(
      context, request, response, calls_, [this](auto call) {
        if (call->request.labels_size() > kLabelFiltersMax) {
          call->FinishRead(
              MakeError(Reason::kInvalidArgument,
                        base::StrCat("ListTopics names ", call->request.labels_size(),
                                     " labels; at most ", kLabelFiltersMax, " are taken")));
          return;
        }
        FillList(*topics_.image(), call->request, call->response);
        call->FinishRead(absl::OkStatus());
      });
}

grpc::ServerUnaryReactor* TopicHandlers::AlterTopic(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* request,
                                                    grpc::ByteBuffer* response) {
  return ServeUnary<v1::AlterTopicRequest, v1::AlterTopicResponse>(
      context, request, response, calls_, [this](auto call) {
        const v1::AlterTopicRequest& asked = call->request;
        broker::TopicAlteration alteration{.name = asked.name(),
                                           .set = ToMap(asked.set()),
                                           .unset = {asked.unset().begin(), asked.unset().end()}};
        topics_.Alter(std::move(alteration), call->DeadlineBy(clock_),
                      [call](const absl::Status& status) { call->Finish(status); });
      });
}

grpc::ServerUnaryReactor* TopicHandlers::AddPartitions(grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* request,
                                                       grpc::ByteBuffer* response) {
  return ServeUnary<v1::AddPartitionsRequest, v1::AddPartitionsResponse>(
      context, request, response, calls_, [this](auto call) {
        topics_.AddPartitions(call->request.name(), call->request.total(), call->DeadlineBy(clock_),
                              [call](const absl::Status& status) { call->Finish(status); });
      });
}

grpc::ServerUnaryReactor* TopicHandlers::DeleteTopic(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request,
                                                     grpc::ByteBuffer* response) {
  return ServeUnary<v1::DeleteTopicRequest, v1::DeleteTopicResponse>(
      context, request, response, calls_, [this](auto call) {
        topics_.Delete(call->request.name(), call->DeadlineBy(clock_),
                       [call](const absl::Status& status) { call->Finish(status); });
      });
}

grpc::ServerUnaryReactor* TopicHandlers::SkipCorrupt(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request,
                                                     grpc::ByteBuffer* response) {
  return ServeUnary<v1::SkipCorruptRequest, v1::SkipCorruptResponse>(
      context, request, response, calls_, [this](auto call) {
        const v1::SkipCorruptRequest& asked = call->request;
        topics_.SkipCorrupt(asked.topic(), PartitionId(asked.partition()),
                            Offset(asked.to_offset()), call->DeadlineBy(clock_),
                            [call](const absl::StatusOr<CorruptRange>& skipped) {
                              if (skipped.ok()) {
                                FillRange(*skipped, *call->response.mutable_skipped());
                              }
                              call->Finish(skipped.status());
                            });
      });
}

grpc::ServerUnaryReactor* TopicHandlers::GetMetadata(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request,
                                                     grpc::ByteBuffer* response) {
  return ServeUnary<v1::GetMetadataRequest, v1::GetMetadataResponse>(
      context, request, response, calls_, [this](auto call) {
        const int asked = call->request.names_size() + call->request.topic_ids_size();
        if (asked > kTopicsPerMessageMax) {
          call->FinishRead(MakeError(Reason::kInvalidArgument,
                                     base::StrCat("GetMetadata names ", asked, " topics; at most ",
                                                  kTopicsPerMessageMax, " are taken")));
          return;
        }
        FillMetadata(*topics_.image(), call->request, call->response);
        call->FinishRead(absl::OkStatus());
      });
}

}  // namespace talosmq::rpc
