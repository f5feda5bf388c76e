#include "rpc/produce_once.h"

#include "base/mutex.h"
#include "rpc/error_status.h"
#include "rpc/limits.h"
#include "rpc/produce_codec.h"
#include "rpc/wire.h"

#include <memory>
#include <utility>

namespace talosmq::rpc {
namespace {

/// Collects the answers of one call in the order of its batches. Thread-safe; shared by the
/// callbacks, the last of which finishes the call.
class ProduceOnceCall {
 public:
  ProduceOnceCall(grpc::CallbackServerContext& context, grpc::ByteBuffer& bytes, int batches)
      : context_(context), reactor_(*context.DefaultReactor()), bytes_(bytes), missing_(batches) {
    for (int i = 0; i < batches; ++i) response_.add_acks();
  }

  /// Keeps the part of the listener's budget that the batches take until all are answered.
  void Hold(ListenerBudget::Share share) { share_ = std::move(share); }

  grpc::ServerUnaryReactor& reactor() { return reactor_; }

  void SetRequestId(uint64_t id) {
    const base::MutexLock lock(mutex_);
    response_.set_request_id(id);
  }

  void OnAnswer(int index, std::string_view topic_id, int32_t partition,
                const broker::AppendOutcome& outcome) {
    {
      const base::MutexLock lock(mutex_);
      FillAck(topic_id, partition, outcome, *response_.mutable_acks(index));
      if (--missing_ > 0) return;
      bytes_ = Serialize(response_);
    }
    reactor_.Finish(grpc::Status::OK);
  }

  void FinishWithoutAnswers() {
    {
      const base::MutexLock lock(mutex_);
      response_.clear_acks();
      bytes_ = Serialize(response_);
    }
    reactor_.Finish(grpc::Status::OK);
  }

  void Fail(const absl::Status& status) { reactor_.Finish(EndOfCall(context_, status)); }

 private:
  grpc::CallbackServerContext& context_;
  grpc::ServerUnaryReactor& reactor_;
  grpc::ByteBuffer& bytes_;
  ListenerBudget::Share share_;
  base::Mutex mutex_;
  v1::ProduceResponse response_ ABSL_GUARDED_BY(mutex_);
  int missing_ ABSL_GUARDED_BY(mutex_);
};

Load LoadOf(const ProduceMessage& message) {
  Load load{.entries = static_cast<int64_t>(message.batches.size()), .bytes = 0};
  for (const ProduceBatch& batch : message.batches) {
    load.bytes += static_cast<int64_t>(batch.records.size()) + kEntryBytes;
  }
  return load;
}

/// By Monotonic(): the earlier of the call's deadline and the request's own timeout.
absl::Duration DeadlineOf(const grpc::CallbackServerContext& context, absl::Duration timeout,
                          base::Clock& clock) {
  const absl::Duration left = absl::FromChrono(context.deadline()) - clock.Now();
  return clock.Monotonic() + std::min(left, timeout);
}

}  // namespace

grpc::ServerUnaryReactor* ServeProduceOnce(grpc::CallbackServerContext& context,
                                           const grpc::ByteBuffer& request,
                                           grpc::ByteBuffer& response,
                                           const CallEnvironment& environment) {
  grpc::ByteBuffer bytes(request);
  absl::StatusOr<ProduceMessage> message = ParseProduceRequest(bytes);
  const auto batches = message.ok() ? static_cast<int>(message->batches.size()) : 0;
  const auto call = std::make_shared<ProduceOnceCall>(context, response, batches);
  grpc::ServerUnaryReactor* const reactor = &call->reactor();
  if (!message.ok()) {
    call->Fail(message.status());
    return reactor;
  }
  const absl::StatusOr<broker::Acks> acks = AcksOf(*message);
  if (!acks.ok()) {
    call->Fail(acks.status());
    return reactor;
  }
  auto share = environment.connection.Take(LoadOf(*message));
  if (!share.ok()) {
    call->Fail(share.status());
    return reactor;
  }
  call->Hold(*std::move(share));
  call->SetRequestId(message->request_id);
  const bool is_answered = *acks != broker::Acks::kNone && batches > 0;
  const absl::Duration deadline = DeadlineOf(context, message->timeout, environment.clock);
  for (int i = 0; i < batches; ++i) {
    ProduceBatch& batch = message->batches[static_cast<size_t>(i)];
    const absl::StatusOr<TopicPartition> target = ParseTarget(batch.topic_id, batch.partition);
    auto answer = [call, i, is_answered, topic_id = batch.topic_id,
                   partition = batch.partition](const broker::AppendOutcome& outcome) {
      if (is_answered) call->OnAnswer(i, topic_id, partition, outcome);
    };
    if (!target.ok()) {
      broker::AppendOutcome refusal;
      refusal.status = target.status();
      answer(refusal);
      continue;
    }
    environment.messages.Append({.target = *target,
                                 .known_epoch = KnownEpoch(batch.known_leader_epoch_plus_one),
                                 .acks = *acks,
                                 .deadline = deadline,
                                 .batch = std::move(batch.records)},
                                std::move(answer));
  }
  if (!is_answered) call->FinishWithoutAnswers();
  return reactor;
}

}  // namespace talosmq::rpc
