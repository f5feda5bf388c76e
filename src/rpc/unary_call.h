#pragma once

#include "base/clock.h"
#include "rpc/error_status.h"
#include "rpc/limits.h"
#include "rpc/listener_budget.h"
#include "rpc/wire.h"

#include "absl/status/status.h"
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string_view>
#include <utility>

namespace talosmq::rpc {

/// One unary call under way: the handler fills `response` and ends it once, on any thread.
/// Every method is registered raw so that a message is measured before it is parsed.
/// Thread-compatible. Shared: by gRPC until OnDone, when the client has the answer, and by the
/// callbacks that will finish it.
template <typename Request, typename Response>
class UnaryCall final : public grpc::ServerUnaryReactor,
                        public std::enable_shared_from_this<UnaryCall<Request, Response>> {
 public:
  UnaryCall(grpc::CallbackServerContext& context, grpc::ByteBuffer& response_bytes)
      : context_(context), response_bytes_(response_bytes) {}

  Request request;
  Response response;

  /// Parses the request and finds room for it. Once, before gRPC gets the reactor.
  absl::Status Begin(grpc::ByteBuffer bytes, ListenerBudget& budget) {
    self_ = this->shared_from_this();
    const absl::Status status = ParseInto(bytes, request, Request::descriptor()->name());
    if (!status.ok()) return status;
    load_ = {.entries = 1, .bytes = static_cast<int64_t>(request.SpaceUsedLong())};
    auto share = budget.ConnectionOf(context_.peer()).Take(load_);
    if (!share.ok()) return share.status();
    share_ = *std::move(share);
    return absl::OkStatus();
  }

  /// When the client has given up waiting, by the monotonic clock.
  absl::Duration DeadlineBy(const base::Clock& clock) const {
    return clock.Monotonic() + (absl::FromChrono(context_.deadline()) - clock.Now());
  }

  /// Finds room for the `bytes` that the answer will be made of; kOverloaded when there is none.
  absl::Status Reserve(int64_t bytes) { return share_.Resize(LoadWith(bytes)); }

  /// Ends a call that may have changed something: its answer is sent also when there is no room.
  void Finish(const absl::Status& status) {
    if (status.ok()) {
      share_.Settle(LoadWith(ResponseBytes()));
      TakeResponse();
    }
    End(status);
  }

  /// Ends a call that has changed nothing: with kOverloaded when there is no room for its answer.
  void FinishRead(absl::Status status) {
    if (status.ok()) status = share_.Resize(LoadWith(ResponseBytes()));
    if (status.ok()) TakeResponse();
    End(status);
  }

  void OnDone() override { self_.reset(); }

 private:
  /// Of the request and so many bytes more.
  Load LoadWith(int64_t bytes) const {
    return {.entries = load_.entries, .bytes = load_.bytes + bytes};
  }
  int64_t ResponseBytes() const { return static_cast<int64_t>(response.ByteSizeLong()); }
  /// Leaves of the response only its bytes, which are what is counted.
  void TakeResponse() {
    response_bytes_ = Serialize(response);
    Response().Swap(&response);
  }
  void End(const absl::Status& status) {
    grpc::ServerUnaryReactor::Finish(EndOfCall(context_, status));
  }

  grpc::CallbackServerContext& context_;
  grpc::ByteBuffer& response_bytes_;
  std::shared_ptr<UnaryCall> self_;  ///< Until OnDone.
  Load load_;
  ListenerBudget::Share share_;
};

/// Hands a shared UnaryCall to `handler`, or ends the call with what is wrong with its request.
template <typename Request, typename Response, typename Handler>
grpc::ServerUnaryReactor* ServeUnary(grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* request, grpc::ByteBuffer* response,
                                     ListenerBudget& budget, Handler&& handler) {
  auto call = std::make_shared<UnaryCall<Request, Response>>(*context, *response);
  grpc::ServerUnaryReactor* const reactor = call.get();
  const absl::Status status = call->Begin(*request, budget);
  if (status.ok()) {
    std::forward<Handler>(handler)(std::move(call));
  } else {
    call->Finish(status);
  }
  return reactor;
}

}  // namespace talosmq::rpc
