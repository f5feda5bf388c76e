#include "rpc/heartbeat_stream.h"

#include "base/status.h"
#include "rpc/error_status.h"
#include "rpc/group_messages.h"
#include "rpc/limits.h"
#include "rpc/wire.h"

#include <utility>

namespace talosmq::rpc {
namespace {

/// What it takes as parsed; each string is an object beside its bytes.
int64_t BytesOf(const v1::NumberedHeartbeat& numbered) {
  const v1::GroupSubscription& subscription = numbered.heartbeat().subscription();
  const int strings = subscription.topics_size() + subscription.patterns_size();
  return static_cast<int64_t>(numbered.ByteSizeLong()) +
         static_cast<int64_t>(sizeof(std::string)) * strings + kEntryBytes;
}

}  // namespace

absl::Status HeartbeatStream::OnMessage(grpc::ByteBuffer message) {
  v1::HeartbeatsRequest request;
  TALOSMQ_RETURN_IF_ERROR(ParseInto(message, request, "HeartbeatsRequest"));
  message.Clear();
  for (const v1::NumberedHeartbeat& numbered : request.heartbeats()) {
    TALOSMQ_RETURN_IF_ERROR(Handle(numbered));
  }
  return absl::OkStatus();
}

absl::Status HeartbeatStream::Handle(const v1::NumberedHeartbeat& numbered) {
  auto share = environment_.connection.Take({.entries = 1, .bytes = BytesOf(numbered)});
  {
    const base::MutexLock lock(mutex_);
    if (!share.ok() && uncovered_refusals_ >= kUncoveredRefusalsMax) return share.status();
    if (!share.ok()) ++uncovered_refusals_;
    ++open_;
  }
  const uint64_t number = numbered.number();
  if (!share.ok()) {
    OnAnswer(number, {}, share.status());
    return absl::OkStatus();
  }
  auto heartbeat = HeartbeatOf(numbered.heartbeat(), peer_);
  if (!heartbeat.ok()) {
    OnAnswer(number, *std::move(share), heartbeat.status());
    return absl::OkStatus();
  }
  const auto self = std::static_pointer_cast<HeartbeatStream>(shared_from_this());
  environment_.groups.Heartbeat(
      *std::move(heartbeat), [self, number, share = *std::move(share)](const auto& reply) mutable {
        self->OnAnswer(number, std::move(share), reply);
      });
  return absl::OkStatus();
}

void HeartbeatStream::OnAnswer(uint64_t number, ListenerBudget::Share share,
                               const absl::StatusOr<group::HeartbeatReply>& reply) {
  v1::HeartbeatsResponse message;
  v1::HeartbeatAnswer& answer = *message.add_answers();
  answer.set_number(number);
  if (reply.ok()) {
    FillHeartbeat(*reply, *answer.mutable_response());
  } else {
    FillError(reply.status(), *answer.mutable_error());
  }
  const auto bytes = static_cast<int64_t>(message.ByteSizeLong());
  // A small one has room where the heartbeat was.
  if (bytes > kEntryBytes) share.Settle({.entries = 1, .bytes = bytes + kEntryBytes});
  {
    const base::MutexLock lock(mutex_);
    if (ended_) return;
    answers_.push_back({.message = message.SerializeAsString(), .share = std::move(share)});
  }
  Advance();
}

void HeartbeatStream::OnEnding() {
  // These give their shares back after the lock.
  std::deque<Answer> unsent;
  Shares sending;
  const base::MutexLock lock(mutex_);
  ended_ = true;
  unsent.swap(answers_);
  sending.swap(sending_);
}

bool HeartbeatStream::HasRoomToRead() {
  const base::MutexLock lock(mutex_);
  return answers_.size() < kUnsentHeartbeatsMax && uncovered_refusals_ == 0;
}

bool HeartbeatStream::IsQuiet() {
  const base::MutexLock lock(mutex_);
  return ended_ || open_ == 0;
}

std::deque<HeartbeatStream::Answer> HeartbeatStream::TakeAnswersLocked() {
  std::deque<Answer> taken;
  size_t bytes = 0;
  while (!answers_.empty()) {
    Answer& next = answers_.front();
    bytes += next.message.size();
    if (!taken.empty() && bytes > kHeartbeatMessageBytesMax) break;
    --open_;
    if (next.share.is_empty()) --uncovered_refusals_;
    taken.push_back(std::move(next));
    answers_.pop_front();
  }
  return taken;
}

std::optional<OutgoingMessage> HeartbeatStream::TakeMessage() {
  Shares sent;  // Goes back after the lock.
  std::deque<Answer> answers;
  bool more_follows = false;
  {
    const base::MutexLock lock(mutex_);
    sent.swap(sending_);
    answers = TakeAnswersLocked();
    for (Answer& answer : answers) sending_.push_back(std::move(answer.share));
    more_follows = !answers_.empty();
  }
  if (answers.empty()) return std::nullopt;
  std::string message;
  for (const Answer& answer : answers) message += answer.message;
  const grpc::Slice slice(message);
  return OutgoingMessage{.bytes = grpc::ByteBuffer(&slice, 1), .more_follows = more_follows};
}

}  // namespace talosmq::rpc
