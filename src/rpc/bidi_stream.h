#pragma once

#include "base/mutex.h"
#include "rpc/call_registry.h"

#include "absl/status/status.h"
#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>

namespace talosmq::rpc {

struct OutgoingMessage {
  grpc::ByteBuffer bytes;
  bool more_follows = false;  ///< Another one is ready: gRPC may hold this one back for it.
};

/// The server's half of a bidirectional stream of raw messages: reads one message at a time, writes
/// one at a time, ends once. What is read and written is the business of the class derived from it.
///
/// Invariants:
/// 1. Operations of gRPC are begun by one thread at a time (the one inside Advance), never under a
///    lock, and none after Finish; so the reactor is never touched once gRPC is done with it.
/// 2. It ends when the stream broke, or when reading is over (half-close, EndWith) and nothing is
///    owed any more.
/// Thread-safe. Shared: by gRPC until OnDone, and by every callback that is still to come, which
/// may arrive long after.
class BidiStream : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                   public Drainable,
                   public std::enable_shared_from_this<BidiStream> {
 public:
  /// Starts reading. Once, before gRPC gets the reactor.
  void Begin();
  /// Reads no more; ends with `status` when nothing is owed. The first status given counts.
  void EndWith(const absl::Status& status);
  void Drain() final;

  void OnReadDone(bool ok) final;
  void OnWriteDone(bool ok) final;
  void OnCancel() final;
  void OnDone() final;

 protected:
  BidiStream(grpc::CallbackServerContext& context, CallRegistry& registry)
      : context_(context), registry_(registry) {}

  /// One message, on a thread of gRPC; the next one comes after it has returned. A status that is
  /// not OK ends the stream with it.
  virtual absl::Status OnMessage(grpc::ByteBuffer message) = 0;
  /// The stream broke or is to end: gives up what waits. May be called more than once.
  virtual void OnEnding() = 0;
  /// Begins what can be begun. This and the following are called by one thread at a time.
  virtual void Work() = 0;
  virtual bool HasRoomToRead() = 0;
  virtual std::optional<OutgoingMessage> TakeMessage() = 0;
  /// True when nothing is owed to the client.
  virtual bool IsQuiet() = 0;

  /// Does whatever can be done now. Called after every change; not from the hooks above.
  void Advance();

 private:
  void AdvanceOnce();
  void ReadIfWanted();
  void WriteIfReady();
  void FinishIfOver();

  grpc::CallbackServerContext& context_;
  CallRegistry& registry_;
  std::shared_ptr<BidiStream> self_;  ///< Until OnDone.
  grpc::ByteBuffer incoming_;         ///< Belongs to gRPC while reading_, then to OnReadDone.
  grpc::ByteBuffer outgoing_;         ///< Belongs to gRPC while writing_.

  base::Mutex mutex_;
  bool advancing_ ABSL_GUARDED_BY(mutex_) = false;
  bool advance_again_ ABSL_GUARDED_BY(mutex_) = false;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool handling_ ABSL_GUARDED_BY(mutex_) = false;  ///< Inside OnMessage.
  bool reading_over_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talosmq::rpc
