#pragma once

#include "base/mutex.h"
#include "broker/messages.h"
#include "rpc/call_environment.h"
#include "rpc/fetch_codec.h"
#include "talosmq/v1/message.pb.h"

#include <grpcpp/grpcpp.h>

#include <memory>
#include <vector>

namespace talosmq::rpc {

/// One FetchOnce. First asks the partitions one after another without waiting, until bytes_max is
/// reached; those behind that point are answered without records. When none had any, it waits on
/// all of them at once, and the first that has an answer ends the wait of the others.
///
/// Invariants:
/// 1. It holds at most bytes_max and one fetch more of records, waiting ones apart, which are
/// served
///    from memory.
/// 2. Records for which the listener has no room are dropped and their partition is answered with
///    kOverloaded.
/// Thread-safe. Shared: by gRPC until OnDone and by its callbacks.
class FetchOnceCall final : public grpc::ServerUnaryReactor,
                            public Drainable,
                            public std::enable_shared_from_this<FetchOnceCall> {
 public:
  FetchOnceCall(grpc::CallbackServerContext& context, grpc::ByteBuffer& response,
                CallEnvironment environment)
      : context_(context), response_(response), environment_(std::move(environment)) {}

  /// Once, before gRPC gets the reactor.
  void Begin(const grpc::ByteBuffer& request);
  void Drain() override { EndWait(); }
  void OnCancel() override { EndWait(); }
  void OnDone() override;

 private:
  /// One partition of the call.
  struct Entry {
    FetchReply reply;
    absl::StatusOr<TopicPartition> source;
    LeaderEpoch known_epoch = kNoEpoch;
    Offset offset;
    broker::FetchTicket ticket{};  ///< While it waits.
    bool is_open = false;          ///< The broker has not answered yet.
  };
  enum class Stage { kAsking, kWaiting, kDone };

  absl::Status Parse(const grpc::ByteBuffer& bytes);
  /// Takes steps until the next one needs an answer. One thread at a time.
  void Continue();
  void Step();
  void AskNext();
  void AskForEnd(size_t index, const broker::OffsetQuery& query);
  void BeginWait();
  /// What waits, once it has its name.
  std::vector<broker::NamedFetch> OpenLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnAnswer(size_t index, broker::FetchOutcome outcome);
  void EndWait();
  void Reply();

  grpc::CallbackServerContext& context_;
  grpc::ByteBuffer& response_;
  const CallEnvironment environment_;
  std::shared_ptr<FetchOnceCall> self_;  ///< Until OnDone.
  int64_t bytes_max_ = 0;
  absl::Duration wait_;
  ListenerBudget::Share share_;  ///< For the call itself; the records have theirs.

  base::Mutex mutex_;
  bool stepping_ ABSL_GUARDED_BY(mutex_) = false;
  bool step_again_ ABSL_GUARDED_BY(mutex_) = false;
  Stage stage_ ABSL_GUARDED_BY(mutex_) = Stage::kAsking;
  std::vector<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  size_t asked_ ABSL_GUARDED_BY(mutex_) = 0;  ///< Entries asked, or refused, so far.
  size_t open_ ABSL_GUARDED_BY(mutex_) = 0;   ///< Entries that are open.
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool has_answer_ ABSL_GUARDED_BY(mutex_) = false;  ///< Records or an error: no need to wait.
  bool wait_over_ ABSL_GUARDED_BY(mutex_) = false;   ///< An answer came, or nobody wants one.
};

}  // namespace talosmq::rpc
