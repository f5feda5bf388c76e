#include "rpc/message_handlers.h"

#include "rpc/delete_records.h"
#include "rpc/fetch_once.h"
#include "rpc/fetch_stream.h"
#include "rpc/list_offsets.h"
#include "rpc/produce_once.h"
#include "rpc/produce_stream.h"
#include "rpc/unary_call.h"

#include <memory>

namespace talosmq::rpc {

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* MessageHandlers::Produce(
    grpc::CallbackServerContext* context) {
  const auto stream = std::make_shared<ProduceStream>(*context, EnvironmentOf(*context));
  stream->Begin();
  return stream.get();
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* MessageHandlers::Fetch(
    grpc::CallbackServerContext* context) {
  const auto stream = std::make_shared<FetchStream>(*context, EnvironmentOf(*context));
  stream->Begin();
  return stream.get();
}

grpc::ServerUnaryReactor* MessageHandlers::ProduceOnce(grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* request,
                                                       grpc::ByteBuffer* response) {
  return ServeProduceOnce(*context, *request, *response, EnvironmentOf(*context));
}

grpc::ServerUnaryReactor* MessageHandlers::FetchOnce(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request,
                                                     grpc::ByteBuffer* response) {
  const auto call = std::make_shared<FetchOnceCall>(*context, *response, EnvironmentOf(*context));
  call->Begin(*request);
  return call.get();
}

grpc::ServerUnaryReactor* MessageHandlers::ListOffsets(grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* request,
                                                       grpc::ByteBuffer* response) {
  return ServeUnary<v1::ListOffsetsRequest, v1::ListOffsetsResponse>(
      context, request, response, calls_,
      [this](auto call) { rpc::ListOffsets(std::move(call), messages_); });
}

grpc::ServerUnaryReactor* MessageHandlers::DeleteRecords(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request,
                                                         grpc::ByteBuffer* response) {
  return ServeUnary<v1::DeleteRecordsRequest, v1::DeleteRecordsResponse>(
      context, request, response, calls_,
      [this](auto call) { rpc::DeleteRecords(std::move(call), messages_); });
}

grpc::ServerUnaryReactor* MessageHandlers::InitProducer(grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* request,
                                                        grpc::ByteBuffer* response) {
  return ServeUnary<v1::InitProducerRequest, v1::InitProducerResponse>(
      context, request, response, calls_, [this](auto call) {
        messages_.InitProducer([call](const auto& identity) {
          if (identity.ok()) {
            call->response.set_producer_id(identity->id.value());
            call->response.set_producer_epoch(identity->epoch);
          }
          call->Finish(identity.status());
        });
      });
}

}  // namespace talosmq::rpc
