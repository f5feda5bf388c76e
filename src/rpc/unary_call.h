#pragma once

#include "rpc/error_status.h"
#include "rpc/wire.h"

#include "absl/status/status.h"
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string_view>
#include <utility>

namespace talosmq::rpc {

/// One unary call under way: the handler fills `response` and calls Finish once, on any thread.
/// Every method is registered raw so that a message is measured before it is parsed.
/// Thread-compatible; shared by the callbacks that will finish it.
template <typename Request, typename Response>
class UnaryCall {
 public:
  UnaryCall(grpc::CallbackServerContext& context, grpc::ByteBuffer& response_bytes)
      : context_(context), reactor_(*context.DefaultReactor()), response_bytes_(response_bytes) {}

  Request request;
  Response response;

  grpc::ServerUnaryReactor& reactor() { return reactor_; }

  void Finish(const absl::Status& status) {
    if (status.ok()) response_bytes_ = Serialize(response);
    reactor_.Finish(EndOfCall(context_, status));
  }

 private:
  grpc::CallbackServerContext& context_;
  grpc::ServerUnaryReactor& reactor_;
  grpc::ByteBuffer& response_bytes_;
};

/// Parses the request and hands a shared UnaryCall to `handler`, or ends the call with what is
/// wrong with it.
template <typename Request, typename Response, typename Handler>
grpc::ServerUnaryReactor* ServeUnary(grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* request, grpc::ByteBuffer* response,
                                     Handler&& handler) {
  auto call = std::make_shared<UnaryCall<Request, Response>>(*context, *response);
  grpc::ServerUnaryReactor& reactor = call->reactor();
  grpc::ByteBuffer bytes(*request);
  const absl::Status status = ParseInto(bytes, call->request, Request::descriptor()->name());
  if (status.ok()) {
    std::forward<Handler>(handler)(std::move(call));
  } else {
    call->Finish(status);
  }
  return &reactor;
}

}  // namespace talosmq::rpc
