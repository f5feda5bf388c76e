#include "rpc/produce_stream.h"

#include "base/status.h"
#include "rpc/limits.h"
#include "rpc/wire.h"

#include <utility>

namespace talosmq::rpc {

absl::Status ProduceStream::OnMessage(grpc::ByteBuffer message) {
  absl::StatusOr<ProduceMessage> request = ParseProduceRequest(message);
  if (!request.ok()) return request.status();
  message.Clear();
  const absl::StatusOr<broker::Acks> acks = AcksOf(*request);
  const absl::Duration deadline = environment_.clock.Monotonic() + request->timeout;
  for (ProduceBatch& batch : request->batches) {
    Answer answer{.request_id = request->request_id,
                  .topic_id = batch.topic_id,
                  .partition = batch.partition,
                  .bytes = static_cast<int64_t>(batch.records.size()),
                  .share = {},
                  .outcome = {}};
    TALOSMQ_RETURN_IF_ERROR(Append(std::move(batch), acks, deadline, std::move(answer)));
  }
  return absl::OkStatus();
}

absl::Status ProduceStream::Append(ProduceBatch batch, const absl::StatusOr<broker::Acks>& acks,
                                   absl::Duration deadline, Answer answer) {
  if (!acks.ok()) return Refuse(std::move(answer), acks.status());
  const absl::StatusOr<TopicPartition> target = ParseTarget(batch.topic_id, batch.partition);
  if (!target.ok()) return Refuse(std::move(answer), target.status());
  auto share = environment_.connection.Take({.entries = 1, .bytes = answer.bytes + kEntryBytes});
  if (!share.ok()) return Refuse(std::move(answer), share.status());
  answer.share = *std::move(share);
  Expect(answer);
  const auto self = std::static_pointer_cast<ProduceStream>(shared_from_this());
  broker::AppendRequest request{.target = *target,
                                .known_epoch = KnownEpoch(batch.known_leader_epoch_plus_one),
                                .acks = *acks,
                                .deadline = deadline,
                                .batch = std::move(batch.records)};
  if (*acks == broker::Acks::kNone) {
    environment_.messages.Append(
        std::move(request),
        [self, answer = std::move(answer)](const auto&) { self->OnUnwantedAnswer(answer); });
    return absl::OkStatus();
  }
  environment_.messages.Append(std::move(request),
                               [self, answer = std::move(answer)](auto outcome) mutable {
                                 answer.outcome = std::move(outcome);
                                 self->OnAnswer(std::move(answer));
                               });
  return absl::OkStatus();
}

absl::Status ProduceStream::Refuse(Answer answer, const absl::Status& status) {
  answer.bytes = 0;  // The records go when this returns.
  answer.outcome.status = status;
  auto share = environment_.connection.Take({.entries = 1, .bytes = kEntryBytes});
  if (share.ok()) {
    answer.share = *std::move(share);
  } else {
    const base::MutexLock lock(mutex_);
    if (uncovered_refusals_ >= kUncoveredRefusalsMax) return share.status();
    ++uncovered_refusals_;
  }
  Expect(answer);
  OnAnswer(std::move(answer));
  return absl::OkStatus();
}

void ProduceStream::Expect(const Answer& answer) {
  const base::MutexLock lock(mutex_);
  unanswered_bytes_ += answer.bytes;
  ++unanswered_batches_;
}

void ProduceStream::OnAnswer(Answer answer) {
  {
    const base::MutexLock lock(mutex_);
    answers_.push_back(std::move(answer));
  }
  Advance();
}

void ProduceStream::OnUnwantedAnswer(const Answer& answer) {
  {
    const base::MutexLock lock(mutex_);
    unanswered_bytes_ -= answer.bytes;
    --unanswered_batches_;
  }
  Advance();
}

bool ProduceStream::HasRoomToRead() {
  const base::MutexLock lock(mutex_);
  return unanswered_bytes_ < kUnansweredBytesMax && unanswered_batches_ < kUnansweredBatchesMax &&
         uncovered_refusals_ == 0;
}

bool ProduceStream::IsQuiet() {
  const base::MutexLock lock(mutex_);
  return unanswered_batches_ == 0;
}

std::deque<ProduceStream::Answer> ProduceStream::TakeAnswersLocked() {
  std::deque<Answer> taken;
  while (!answers_.empty() && taken.size() < kAcksPerMessageMax &&
         (taken.empty() || answers_.front().request_id == taken.front().request_id)) {
    unanswered_bytes_ -= answers_.front().bytes;
    --unanswered_batches_;
    if (answers_.front().share.is_empty()) --uncovered_refusals_;
    taken.push_back(std::move(answers_.front()));
    answers_.pop_front();
  }
  return taken;
}

std::optional<OutgoingMessage> ProduceStream::TakeMessage() {
  std::deque<Answer> answers;
  bool more_follows = false;
  {
    const base::MutexLock lock(mutex_);
    answers = TakeAnswersLocked();
    more_follows = !answers_.empty();
  }
  if (answers.empty()) return std::nullopt;
  v1::ProduceResponse response;
  response.set_request_id(answers.front().request_id);
  for (const Answer& answer : answers) {
    FillAck(answer.topic_id, answer.partition, answer.outcome, *response.add_acks());
  }
  return OutgoingMessage{.bytes = Serialize(response), .more_follows = more_follows};
}

}  // namespace talosmq::rpc
