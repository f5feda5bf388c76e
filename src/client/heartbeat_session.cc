#include "client/heartbeat_session.h"

#include "base/text.h"
#include "client/error_message.h"
#include "talosmq/error.h"

#include <utility>

namespace talosmq::client {
namespace {

/// kInvalidArgument for one that would end the stream for all.
absl::Status ReadHeartbeat(const std::string& body, v1::HeartbeatRequest& heartbeat) {
  if (body.size() > HeartbeatSession::kHeartbeatBytesMax) {
    return MakeError(Reason::kInvalidArgument,
                     base::StrCat("a heartbeat of ", body.size(), " bytes; a server takes at most ",
                                  HeartbeatSession::kHeartbeatBytesMax));
  }
  if (!heartbeat.ParseFromString(body)) {
    return MakeError(Reason::kInvalidArgument,
                     "a heartbeat with an id, a topic or a pattern that is not UTF-8");
  }
  return absl::OkStatus();
}

/// What the end of the stream means for one heartbeat of many: if a request was wrong, it was
/// perhaps another one, and only the server's answer can refuse for good.
absl::Status OutcomeOfEnd(const absl::Status& why) {
  if (ReasonOf(why) >= Reason::kNotLeader) return why;
  return MakeError(Reason::kUnavailable, base::StrCat("the server ended the heartbeat stream: ",
                                                      base::FromAbsl(why.message())));
}

}  // namespace

std::shared_ptr<HeartbeatSession> HeartbeatSession::Open(const std::string& address,
                                                         Transport& transport,
                                                         base::Executor& executor) {
  std::shared_ptr<HeartbeatSession> session(new HeartbeatSession(executor));
  session->stream_ = transport.OpenHeartbeats(address, session);
  return session;
}

void HeartbeatSession::Send(const CallRequest& call, Transport::Reply done) {
  const uint64_t number = ++last_number_;
  v1::NumberedHeartbeat heartbeat;
  heartbeat.set_number(number);
  const absl::Status status = ReadHeartbeat(call.body, *heartbeat.mutable_heartbeat());
  if (!status.ok()) {
    executor_.Post([done = std::move(done), status]() mutable { done(status); });
    return;
  }
  waiting_.emplace(number, std::move(heartbeat));
  const base::TimerId timer = executor_.PostAfter(call.timeout, [weak = weak_from_this(), number] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->End(number, MakeError(Reason::kDeadlineExceeded, "the heartbeat was not answered"));
  });
  unanswered_.emplace(number, Unanswered{.done = std::move(done), .timer = timer});
  if (writing_ || std::exchange(write_posted_, true)) return;
  // Written from a task of its own, so that what is sent in one go shares a message.
  executor_.Post([self = shared_from_this()] {
    self->write_posted_ = false;
    self->WriteNext();
  });
}

void HeartbeatSession::WriteNext() {
  if (writing_ || closed_ || waiting_.empty()) return;
  v1::HeartbeatsRequest message;
  size_t bytes = 0;
  while (!waiting_.empty()) {
    const auto next = waiting_.begin();
    bytes += next->second.ByteSizeLong();
    if (message.heartbeats_size() > 0 && bytes > kMessageBytesMax) break;
    if (message.heartbeats_size() == kMessageHeartbeatsMax) break;
    message.add_heartbeats()->Swap(&next->second);
    waiting_.erase(next);
  }
  writing_ = true;
  stream_->Write(std::move(message));
}

void HeartbeatSession::OnWritten() {
  executor_.Post([self = shared_from_this()] {
    self->writing_ = false;
    self->WriteNext();
  });
}

void HeartbeatSession::OnAnswers(v1::HeartbeatsResponse answers) {
  executor_.Post(
      [self = shared_from_this(), answers = std::move(answers)] { self->HandleAnswers(answers); });
}

void HeartbeatSession::OnClosed(absl::Status why) {
  executor_.Post([self = shared_from_this(), why = std::move(why)] { self->HandleClosed(why); });
}

void HeartbeatSession::HandleAnswers(const v1::HeartbeatsResponse& answers) {
  for (const v1::HeartbeatAnswer& answer : answers.answers()) {
    if (answer.has_error()) {
      End(answer.number(), StatusOf(answer.error()));
    } else {
      End(answer.number(), answer.response().SerializeAsString());
    }
  }
}

void HeartbeatSession::End(uint64_t number, absl::StatusOr<std::string> outcome) {
  auto ended = unanswered_.extract(number);
  if (ended.empty()) return;
  waiting_.erase(number);
  executor_.Cancel(ended.mapped().timer);
  ended.mapped().done(std::move(outcome));
}

void HeartbeatSession::HandleClosed(const absl::Status& why) {
  closed_ = true;
  stream_.reset();
  waiting_.clear();
  const absl::Status outcome = OutcomeOfEnd(why);
  for (auto& [number, heartbeat] : std::exchange(unanswered_, {})) {
    executor_.Cancel(heartbeat.timer);
    heartbeat.done(outcome);
  }
}

HeartbeatSessions::~HeartbeatSessions() {
  for (auto& [address, session] : sessions_) session->Abandon();
}

void HeartbeatSessions::Send(const CallRequest& call, Transport::Reply done) {
  std::shared_ptr<HeartbeatSession>& session = sessions_[call.address];
  if (session == nullptr || session->is_closed()) {
    session = HeartbeatSession::Open(call.address, transport_, executor_);
  }
  session->Send(call, std::move(done));
}

}  // namespace talosmq::client
