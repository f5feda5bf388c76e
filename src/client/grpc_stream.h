#pragma once

#include "base/gate.h"
#include "base/mutex.h"

#include "absl/status/status.h"
#include "absl/time/time.h"
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace talosmq::client {

/// What a gRPC call ended with: the server's own error from the trailer, or what gRPC says.
absl::Status StatusOfCall(const grpc::Status& status, const grpc::ClientContext& context);

class GrpcStream;

/// The calls and streams that are under way on one transport. Thread-safe. Outlives them: the
/// destructor of the transport ends them and waits.
///
/// A call leaves only after it has let go of its context, which shares the channel: gRPC joins its
/// threads when the last channel goes, so that must never happen on one of them.
class CallRegistry {
 public:
  /// A call is under way until this is gone. Nothing once CancelAndWait has begun.
  std::optional<base::Gate::Pass> Enter(const std::shared_ptr<grpc::ClientContext>& context);
  /// Lets streams that carry records out finish, so that what was handed to the network arrives
  /// also when nobody waits for an answer; cancels the rest, and those after kFinishPatience. The
  /// second time nothing is left to do.
  void CancelAndWait();

  /// From its start to its end a stream is finished rather than cancelled.
  void AddOutgoing(const std::shared_ptr<GrpcStream>& stream);
  void RemoveOutgoing(const GrpcStream* stream);

 private:
  static constexpr absl::Duration kFinishPatience = absl::Seconds(2);

  void FinishOutgoing();

  base::Gate gate_;
  base::Mutex mutex_;
  base::CondVar outgoing_changed_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::weak_ptr<grpc::ClientContext>> contexts_ ABSL_GUARDED_BY(mutex_);
  std::map<const GrpcStream*, std::weak_ptr<GrpcStream>> outgoing_ ABSL_GUARDED_BY(mutex_);
};

/// One bidirectional stream of raw messages.
///
/// Invariants:
/// 1. One read is always out; one write at most, begun by Write, the next one only after
/// on_written.
/// 2. A write is begun only inside the gate. The gate closes when reading has failed; then the hold
///    goes, and OnDone comes once nothing is out any more.
/// Thread-safe, but for Write (see invariant 1). Shared by its handle and, until OnDone, by gRPC.
class GrpcStream final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  /// What a transport does with it that shuts down.
  enum class AtShutDown { kCancel, kFinish };

  /// Called on gRPC's threads, one at a time for reads and for writes.
  struct Events {
    std::function<void()> on_written;
    /// A status that is not OK cancels the stream, which then ends with it.
    std::function<absl::Status(grpc::ByteBuffer& message)> on_message;
    std::function<void(absl::Status why)> on_closed;  ///< Last call, exactly once.
    AtShutDown at_shut_down = AtShutDown::kCancel;
  };

  /// Calls on_closed within this call when the registry takes no more calls.
  static std::shared_ptr<GrpcStream> Start(grpc::GenericStub& stub, const std::string& method,
                                           CallRegistry& registry, Events events);

  void Write(grpc::ByteBuffer message);
  /// No more is written: the server answers what it owes and ends the stream. Cancels when a write
  /// is out.
  void FinishWrites();
  void Cancel() { context_->TryCancel(); }

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

 private:
  GrpcStream(Events events, CallRegistry& registry)
      : events_(std::move(events)), registry_(registry) {}

  const std::shared_ptr<grpc::ClientContext> context_ = std::make_shared<grpc::ClientContext>();
  Events events_;
  CallRegistry& registry_;
  std::optional<base::Gate::Pass> registered_;
  std::shared_ptr<GrpcStream> self_;  ///< Until OnDone.
  base::Gate writes_;
  /// gRPC wants no write behind the end of the writes, and one at a time.
  enum class Writes { kNone, kOneUnderWay, kFinished };
  std::atomic<Writes> writes_state_{Writes::kNone};
  grpc::ByteBuffer incoming_;  ///< gRPC's while a read is out.
  grpc::ByteBuffer outgoing_;  ///< gRPC's while a write is out.
  absl::Status own_error_;     ///< Written by a read, read by OnDone.
};

}  // namespace talosmq::client
