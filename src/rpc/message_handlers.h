#pragma once

#include "base/clock.h"
#include "broker/messages.h"
#include "rpc/call_environment.h"
#include "talosmq/v1/message.grpc.pb.h"

#include <grpcpp/grpcpp.h>

namespace talosmq::rpc {

/// Every method of a service, taken raw; see UnaryCall for the reason.
using RawMessageService = v1::MessageService::WithRawCallbackMethod_Produce<
    v1::MessageService::WithRawCallbackMethod_Fetch<
        v1::MessageService::WithRawCallbackMethod_ProduceOnce<
            v1::MessageService::WithRawCallbackMethod_FetchOnce<
                v1::MessageService::WithRawCallbackMethod_ListOffsets<
                    v1::MessageService::WithRawCallbackMethod_DeleteRecords<
                        v1::MessageService::WithRawCallbackMethod_InitProducer<
                            v1::MessageService::Service>>>>>>>;

/// talosmq.v1.MessageService over the broker's. Thread-safe; outlives the gRPC server.
class MessageHandlers final : public RawMessageService {
 public:
  struct Dependencies {
    broker::MessageService& messages;
    CallRegistry& registry;
    ListenerBudget& records;
    ListenerBudget& calls;
    base::Clock& clock;
  };

  explicit MessageHandlers(Dependencies dependencies)
      : messages_(dependencies.messages),
        registry_(dependencies.registry),
        records_(dependencies.records),
        calls_(dependencies.calls),
        clock_(dependencies.clock) {}

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Produce(
      grpc::CallbackServerContext* context) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Fetch(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* ProduceOnce(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* FetchOnce(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListOffsets(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* DeleteRecords(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* InitProducer(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override;

 private:
  CallEnvironment EnvironmentOf(const grpc::CallbackServerContext& context) {
    return {.registry = registry_,
            .connection = records_.ConnectionOf(context.peer()),
            .messages = messages_,
            .clock = clock_};
  }

  broker::MessageService& messages_;
  CallRegistry& registry_;
  ListenerBudget& records_;
  ListenerBudget& calls_;
  base::Clock& clock_;
};

}  // namespace talosmq::rpc
