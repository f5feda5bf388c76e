#include "client/grpc_stream.h"

#include "base/clock.h"
#include "client/error_message.h"
#include "talosmq/error.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace talosmq::client {
namespace {

/// What gRPC itself says; the server's own errors have a reason.
Reason ReasonOfCode(grpc::StatusCode code) {
  if (code == grpc::StatusCode::UNAVAILABLE) return Reason::kUnavailable;
  if (code == grpc::StatusCode::DEADLINE_EXCEEDED) return Reason::kDeadlineExceeded;
  if (code == grpc::StatusCode::CANCELLED) return Reason::kCancelled;
  if (code == grpc::StatusCode::UNIMPLEMENTED) return Reason::kUnimplemented;
  if (code == grpc::StatusCode::INVALID_ARGUMENT) return Reason::kInvalidArgument;
  return Reason::kInternal;
}

}  // namespace

absl::Status StatusOfCall(const grpc::Status& status, const grpc::ClientContext& context) {
  if (status.ok()) return absl::OkStatus();
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto trailer = trailers.find("talosmq-error-bin");
  v1::Error error;
  if (trailer != trailers.end() &&
      error.ParseFromArray(trailer->second.data(), static_cast<int>(trailer->second.size()))) {
    return StatusOf(error);
  }
  return MakeError(ReasonOfCode(status.error_code()), status.error_message());
}

std::optional<base::Gate::Pass> CallRegistry::Enter(
    const std::shared_ptr<grpc::ClientContext>& context) {
  const base::MutexLock lock(mutex_);
  if (cancelled_) return std::nullopt;
  contexts_.erase(std::remove_if(contexts_.begin(), contexts_.end(),
                                 [](const auto& known) { return known.expired(); }),
                  contexts_.end());
  contexts_.push_back(context);
  return gate_.Enter();
}

void CallRegistry::CancelAndWait() {
  std::vector<std::weak_ptr<grpc::ClientContext>> contexts;
  {
    const base::MutexLock lock(mutex_);
    if (std::exchange(cancelled_, true)) return;
    contexts.swap(contexts_);
  }
  FinishOutgoing();
  for (const auto& known : contexts) {
    if (const auto context = known.lock()) context->TryCancel();
  }
  gate_.CloseAndWait();
}

void CallRegistry::AddOutgoing(const std::shared_ptr<GrpcStream>& stream) {
  const base::MutexLock lock(mutex_);
  outgoing_.emplace(stream.get(), stream);
}

void CallRegistry::RemoveOutgoing(const GrpcStream* stream) {
  const base::MutexLock lock(mutex_);
  if (outgoing_.erase(stream) > 0) outgoing_changed_.SignalAll();
}

void CallRegistry::FinishOutgoing() {
  std::vector<std::shared_ptr<GrpcStream>> streams;
  {
    const base::MutexLock lock(mutex_);
    for (const auto& [pointer, known] : outgoing_) {
      if (auto stream = known.lock()) streams.push_back(std::move(stream));
    }
  }
  for (const auto& stream : streams) stream->FinishWrites();
  streams.clear();
  const base::SystemClock clock;
  const absl::Duration deadline = clock.Monotonic() + kFinishPatience;
  const base::MutexLock lock(mutex_);
  while (!outgoing_.empty() && clock.Monotonic() < deadline) {
    outgoing_changed_.WaitFor(mutex_, deadline - clock.Monotonic());
  }
}

std::shared_ptr<GrpcStream> GrpcStream::Start(grpc::GenericStub& stub, const std::string& method,
                                              CallRegistry& registry, Events events) {
  std::shared_ptr<GrpcStream> stream(new GrpcStream(std::move(events), registry));
  std::optional<base::Gate::Pass> pass = registry.Enter(stream->context_);
  if (!pass.has_value()) {
    stream->writes_.Close([] {});
    stream->events_.on_closed(MakeError(Reason::kClosed, "the client is being closed"));
    stream->events_ = {};  // Lets go of the observer.
    return stream;
  }
  stream->registered_.emplace(*std::move(pass));
  stream->self_ = stream;
  stub.PrepareBidiStreamingCall(stream->context_.get(), method, {}, stream.get());
  stream->AddHold();
  // Before the call can end, and once FinishWrites has a call to speak of.
  if (stream->events_.at_shut_down == AtShutDown::kFinish) registry.AddOutgoing(stream);
  stream->StartRead(&stream->incoming_);
  stream->StartCall();
  return stream;
}

void GrpcStream::Write(grpc::ByteBuffer message) {
  const std::optional<base::Gate::Pass> pass = writes_.Enter();
  if (!pass.has_value()) return;
  Writes none = Writes::kNone;
  if (!writes_state_.compare_exchange_strong(none, Writes::kOneUnderWay)) return Cancel();
  outgoing_ = std::move(message);
  StartWrite(&outgoing_);
}

void GrpcStream::FinishWrites() {
  const std::optional<base::Gate::Pass> pass = writes_.Enter();
  if (!pass.has_value()) return;
  Writes none = Writes::kNone;
  if (!writes_state_.compare_exchange_strong(none, Writes::kFinished)) return Cancel();
  StartWritesDone();
}

void GrpcStream::OnReadDone(bool ok) {
  if (ok) {
    absl::Status status = events_.on_message(incoming_);
    if (!status.ok()) {
      own_error_ = std::move(status);
      Cancel();
    }
    incoming_.Clear();
    StartRead(&incoming_);
    return;
  }
  writes_.Close([this] { RemoveHold(); });
}

void GrpcStream::OnWriteDone(bool ok) {
  if (!ok) return;  // The read fails, too.
  outgoing_.Clear();
  writes_state_ = Writes::kNone;
  events_.on_written();
}

void GrpcStream::OnDone(const grpc::Status& status) {
  // Leaves the registry last of all, see CallRegistry.
  const std::optional<base::Gate::Pass> registered = std::move(registered_);
  const std::shared_ptr<GrpcStream> self = std::move(self_);
  registry_.RemoveOutgoing(this);
  absl::Status why = own_error_.ok() ? StatusOfCall(status, *context_) : std::move(own_error_);
  if (why.ok()) {
    why = writes_state_ == Writes::kFinished
              ? MakeError(Reason::kCancelled, "the client is being closed")
              : MakeError(Reason::kUnavailable, "the server ended the stream");
  }
  events_.on_closed(std::move(why));
  events_ = {};  // Lets go of the observer.
}

}  // namespace talosmq::client
