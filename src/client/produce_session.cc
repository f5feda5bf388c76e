#include "client/produce_session.h"

#include "base/status.h"
#include "base/text.h"
#include "talosmq/error.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace talosmq::client {

std::shared_ptr<ProduceSession> ProduceSession::Open(const std::string& address,
                                                     Transport& transport, base::Executor& executor,
                                                     const base::Clock& clock) {
  std::shared_ptr<ProduceSession> session(new ProduceSession(address, executor, clock));
  session->stream_ = transport.OpenProduce(address, session);
  return session;
}

void ProduceSession::Send(ProduceItem item) {
  waiting_.push_back(std::move(item));
  if (writing_ || write_posted_) return;
  // Written from a task of its own, so that what is sent in one go shares a message.
  write_posted_ = true;
  executor_.Post([self = shared_from_this()] {
    self->write_posted_ = false;
    self->WriteNext();
  });
}

void ProduceSession::WriteNext() {
  if (writing_ || closed_) return;
  const absl::Duration now = clock_.Monotonic();
  DropExpired(now);
  if (waiting_.empty()) return;
  writing_ = true;
  stream_->Write(TakeMessage(now));
}

void ProduceSession::DropExpired(absl::Duration now) {
  while (!waiting_.empty() && waiting_.front().deadline <= now) {
    ProduceItem late = std::move(waiting_.front());
    waiting_.pop_front();
    executor_.Post([done = std::move(late.done)]() mutable {
      done({.status = MakeError(Reason::kDeadlineExceeded, "not sent in time"),
            .base_offset = Offset(-1),
            .is_unknown = false});
    });
  }
}

ProduceMessage ProduceSession::TakeMessage(absl::Duration now) {
  const uint64_t id = ++last_request_id_;
  Request& request = requests_[id];
  request.acks = waiting_.front().acks;
  ProduceMessage message{
      .request_id = id, .acks = request.acks, .timeout = absl::InfiniteDuration(), .batches = {}};
  size_t bytes = 0;
  while (!waiting_.empty() && message.batches.size() < kMessageBatchesMax) {
    ProduceItem& item = waiting_.front();
    bytes += item.batch.records.size();
    const bool is_first = message.batches.empty();
    if (!is_first && (bytes > kMessageBytesMax || item.acks != request.acks)) break;
    if (!request.unanswered.try_emplace(item.batch.target, std::move(item.done)).second) break;
    message.timeout = std::min(message.timeout, item.deadline - now);
    if (item.leaving) item.leaving();
    message.batches.push_back(std::move(item.batch));
    waiting_.pop_front();
    DropExpired(now);
  }
  return message;
}

void ProduceSession::OnWritten(uint64_t request_id) {
  executor_.Post([self = shared_from_this(), request_id] { self->HandleWritten(request_id); });
}

void ProduceSession::OnAnswer(ProduceAnswer answer) {
  executor_.Post([self = shared_from_this(), answer = std::move(answer)]() mutable {
    self->HandleAnswer(std::move(answer));
  });
}

void ProduceSession::OnClosed(absl::Status why) {
  executor_.Post([self = shared_from_this(), why = std::move(why)] { self->HandleClosed(why); });
}

void ProduceSession::HandleWritten(uint64_t request_id) {
  writing_ = false;
  const auto request = requests_.find(request_id);
  if (request != requests_.end() && request->second.acks == Acks::kNone) {
    // No answer will come: having been written is all that was asked.
    Request written = std::move(request->second);
    requests_.erase(request);
    for (auto& [target, done] : written.unanswered) {
      done({.status = absl::OkStatus(), .base_offset = Offset(-1), .is_unknown = false});
    }
  }
  WriteNext();
}

void ProduceSession::HandleAnswer(ProduceAnswer answer) {
  const auto request = requests_.find(answer.request_id);
  if (request == requests_.end()) return;
  std::vector<std::pair<base::Callback<ProduceOutcome>, ProduceOutcome>> answered;
  for (PartitionAck& ack : answer.acks) {
    const auto entry = request->second.unanswered.find(ack.target);
    if (entry == request->second.unanswered.end()) continue;
    answered.emplace_back(std::move(entry->second), ProduceOutcome{.status = std::move(ack.status),
                                                                   .base_offset = ack.base_offset,
                                                                   .is_unknown = false});
    request->second.unanswered.erase(entry);
  }
  if (request->second.unanswered.empty()) requests_.erase(request);
  for (auto& [done, outcome] : answered) done(std::move(outcome));
}

void ProduceSession::HandleClosed(const absl::Status& why) {
  closed_ = true;
  stream_.reset();
  const absl::Status status = MakeError(
      Reason::kUnavailable,
      base::StrCat("produce stream to ", address_, " ended: ", base::FromAbsl(why.message())));
  std::deque<ProduceItem> waiting = std::exchange(waiting_, {});
  std::map<uint64_t, Request> requests = std::exchange(requests_, {});
  for (auto& [id, request] : requests) {
    for (auto& [target, done] : request.unanswered) {
      done({.status = status, .base_offset = Offset(-1), .is_unknown = true});
    }
  }
  for (ProduceItem& item : waiting) {
    item.done({.status = status, .base_offset = Offset(-1), .is_unknown = false});
  }
}

}  // namespace talosmq::client
